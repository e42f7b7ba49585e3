"""What fitreel logs, shown by a real MLflow server in a real Chromium."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from playwright.sync_api import Frame, Page, expect

from fitreel.training.files import load_history
from tests.browser import is_red, numbers, pixel, scrub
from tests.conftest import environment
from tests.servers import Server
from tests.stored import tags_of

RATES = ("0.05", "0.2")
NAMES = [f"relu20-sgd-lr{rate}-e30" for rate in RATES]
HOSTILE = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.needs("browser")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create two runs in fitreel's default store: mlflow.db and mlruns in this folder."""
    folder = tmp_path_factory.mktemp("ui")
    for rate in RATES:
        command = ["fitreel", "run", "--lr", rate, "--epochs", "30"]
        subprocess.run(command, cwd=folder, env=environment(), check=True)
    return folder


@pytest.fixture(scope="module")
def experiment(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the folder from another one; return the address of its experiment."""
    with Server(tmp_path_factory.mktemp("elsewhere"), folder / "mlflow.db") as server:
        yield f"{server.url}/#/experiments/0"


@pytest.fixture(scope="module")
def store(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture(scope="module")
def run(store: MlflowClient) -> str:
    """Return the id of the first run."""
    (found,) = store.search_runs(["0"], f"attributes.run_name = '{NAMES[0]}'")
    return str(found.info.run_id)


def viewed(page: Page, address: str) -> Frame:
    """Open an artifact in MLflow's viewer; return the sandboxed frame that shows it."""
    page.goto(address)
    frame = page.locator("iframe.mlflow-html-iframe")
    expect(frame).to_have_attribute("sandbox", "allow-scripts")
    handle = frame.element_handle()
    shown = handle and handle.content_frame()
    assert shown
    expect(shown.locator("#moment b").first).to_be_visible()
    return shown


def test_the_experiment_lists_its_runs(page: Page, experiment: str) -> None:
    page.goto(f"{experiment}/runs")
    for name in NAMES:
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_the_note_of_a_run_shows_how_to_reproduce_it(page: Page, experiment: str) -> None:
    page.goto(f"{experiment}/runs")
    page.get_by_role("link", name=NAMES[0]).click()
    page.get_by_text("Show more").click()
    expect(page.get_by_text("Reproduce", exact=True)).to_be_visible()
    expect(page.get_by_text(f"fitreel run --lr {RATES[0]} --epochs 30")).to_be_visible()


def test_the_note_of_a_run_shows_the_film(
    page: Page, experiment: str, run: str, store: MlflowClient
) -> None:
    page.goto(f"{experiment}/runs/{run}")
    page.get_by_text("Show more").click()
    expect(page.get_by_role("cell", name="noise floor")).to_be_visible()
    for file, size in (("rst.gif", 640), ("rst.png", 800)):
        picture = page.locator(f"img[src*='{file}']")
        picture.evaluate("picture => picture.decode()")
        assert picture.evaluate("picture => picture.naturalWidth") == size
    expect(page.get_by_role("link", name="player.html")).to_be_visible()
    # The viewer shows the film that was logged, with all its frames.
    film = page.locator("img[src*='rst.gif']").evaluate("picture => picture.src")
    answer = page.request.get(film)
    assert answer.body() == Path(store.download_artifacts(run, "rst.gif")).read_bytes()


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


def test_the_player_plays_in_the_viewer(
    page: Page, experiment: str, run: str, store: MlflowClient
) -> None:
    player = viewed(page, f"{experiment}/runs/{run}/artifacts/player.html")
    folder = Path(store.download_artifacts(run, "training"))
    history = load_history(folder / "history.csv", folder / "frames.safetensors")
    for frame in (5, 1):
        scrub(player, frame)
        epoch, loss = numbers(player.locator("#moment").inner_text())
        assert epoch == 5 * frame
        assert loss == pytest.approx(history.losses[5 * frame], abs=1e-4)
        assert is_red(pixel(player, "loss", epoch, history.losses[5 * frame]))
        y = history.frames[frame].predict(torch.tensor([0.5])).item()
        assert is_red(pixel(player, "fit", 0.5, y))
        player.locator("#fit .u-over").hover(position={"x": 100 + frame, "y": 50})
        x, value = numbers(player.locator("#fit-reading").inner_text())
        predicted = history.frames[frame].predict(torch.tensor([x])).item()
        assert value == pytest.approx(predicted, abs=1e-4)


def test_the_name_of_a_run_is_text_in_player_and_note(
    page: Page, experiment: str, folder: Path
) -> None:
    command = ["fitreel", "run", "--name", HOSTILE, "--epochs", "2"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True, text=True
    )
    run = done.stdout.strip()
    player = viewed(page, f"{experiment}/runs/{run}/artifacts/player.html")
    expect(player.locator("h1")).to_have_text(HOSTILE)
    assert player.locator("img").count() == 0
    page.goto(f"{experiment}/runs/{run}")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()


@pytest.fixture(scope="module")
def comparison(folder: Path, store: MlflowClient) -> str:
    """Compare the runs, one with a hostile name; return the id of the comparison's run."""
    hostile = ["fitreel", "run", "--name", HOSTILE, "--epochs", "20"]
    subprocess.run(hostile, cwd=folder, env=environment(), check=True)
    ids = [
        run.info.run_id
        for run in store.search_runs(["0"], "params.epochs != '2'")
        if run.info.run_name in (*NAMES, HOSTILE)
    ]
    done = subprocess.run(
        ["fitreel", "compare", *ids],
        cwd=folder,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_comparison_plays_in_the_viewer(
    page: Page, experiment: str, comparison: str, store: MlflowClient
) -> None:
    shown = viewed(page, f"{experiment}/runs/{comparison}/artifacts/compare.html")
    ids = json.loads(tags_of(store.get_run(comparison))["fitreel.compared_runs"])
    assert len(ids) == 3
    for step in (5, 2):
        scrub(shown, step)
        assert numbers(shown.locator("#moment").inner_text()) == [5 * step]
        for place, run in enumerate(ids):
            folder = Path(store.download_artifacts(run, "training"))
            history = load_history(folder / "history.csv", folder / "frames.safetensors")
            frame = min(step, len(history.frame_epochs) - 1)  # the shorter run stays at its end
            y = history.frames[frame].predict(torch.tensor([0.5])).item()
            assert is_red(pixel(shown, f"cells[{place}].plot", 0.5, y))
    shown.locator("#results thead").get_by_role("button", name="test_rmse", exact=True).click()
    names = shown.locator("#results thead th").all_inner_texts()
    column = [name.strip(" ▲") for name in names].index("test_rmse") + 1
    values = shown.locator(f"#results tbody tr > :nth-child({column})").all_inner_texts()
    sorted_ones = sorted(store.get_run(run).data.metrics["test_rmse"] for run in ids)
    assert [numbers(value)[0] for value in values] == pytest.approx(sorted_ones, rel=1e-3)
    expect(shown.locator("#results")).to_contain_text(HOSTILE)
    assert shown.locator("img").count() == 0


def test_the_note_of_a_comparison_links_to_its_runs_and_pages(
    page: Page, experiment: str, comparison: str
) -> None:
    page.goto(f"{experiment}/runs/{comparison}")
    page.get_by_text("Show more").click()
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    picture = page.locator("img[src*='compare.gif']")
    picture.evaluate("picture => picture.decode()")
    assert picture.evaluate("picture => picture.naturalWidth") <= 800
    with page.expect_popup() as opened:  # MLflow opens links of a note in a new tab
        page.get_by_role("link", name="compare.html").click()
    expect(opened.value.locator("iframe.mlflow-html-iframe")).to_be_visible()
    opened.value.close()
    with page.expect_popup() as opened:
        page.get_by_role("link", name=NAMES[1]).click()
    expect(opened.value.get_by_role("heading", name=NAMES[1])).to_be_visible()
