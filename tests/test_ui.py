"""What fitreel logs, as a browser shows it: a real MLflow server, a real Chromium."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import CHROMIUM
from tests.conftest import environment
from tests.servers import Server

RATES = ("0.05", "0.2")
NAMES = [f"relu20-sgd-lr{rate}-e30" for rate in RATES]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two runs where fitreel keeps them by itself: in this folder's mlflow.db and mlruns."""
    folder = tmp_path_factory.mktemp("ui")
    for rate in RATES:
        command = ["fitreel", "run", "--lr", rate, "--epochs", "30"]
        subprocess.run(command, cwd=folder, env=environment(), check=True)
    return folder


@pytest.fixture(scope="module")
def experiment(folder: Path) -> Iterator[str]:
    """Serve the folder; give the address of its experiment."""
    with Server(folder) as server:
        yield f"{server.url}/#/experiments/0"


def test_the_experiment_lists_its_runs(page: Page, experiment: str) -> None:
    page.goto(f"{experiment}/runs")
    for name in NAMES:
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_a_run_says_how_to_reproduce_it(page: Page, experiment: str) -> None:
    page.goto(f"{experiment}/runs")
    page.get_by_role("link", name=NAMES[0]).click()
    page.get_by_text("Show more").click()
    expect(page.get_by_text("Reproduce", exact=True)).to_be_visible()
    expect(page.get_by_text(f"fitreel run --lr {RATES[0]} --epochs 30")).to_be_visible()


@pytest.mark.parametrize("file", ["rst.png", "rst.gif"])
def test_the_pictures_of_a_run_are_shown(page: Page, experiment: str, file: str) -> None:
    page.goto(f"{experiment}/runs")
    page.get_by_role("link", name=NAMES[0]).click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text(file).click()
    picture = page.get_by_alt_text(file)
    expect(picture).to_be_visible()
    picture.evaluate("picture => picture.decode()")
    assert picture.evaluate("picture => picture.naturalWidth") > 0
