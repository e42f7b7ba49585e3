"""`fitreel run --live browser`: watched in a real browser, stopped there, and resumed."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from fitreel.data.drawing import generate
from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker
from fitreel.training.loop import fit
from tests.browser import errorless, numbers, scrub, until
from tests.conftest import Command, environment

PACE = ["--pace", "0.05"]
Process = subprocess.Popen[str]


@contextmanager
def watched(browser: Browser, directory: Path, *arguments: str) -> Iterator[tuple[Page, Process]]:
    """Start a command; yield the page that it opens, while the command runs."""
    opened = directory / "opened"
    script = directory / "browser.sh"
    script.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    script.chmod(0o755)
    with (directory / "err").open("w") as log:
        process = subprocess.Popen(
            ["fitreel", *arguments, "--live", "browser"],
            cwd=directory,
            env=environment(BROWSER=str(script)),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        while not opened.exists():
            assert process.poll() is None, (directory / "err").read_text()
            time.sleep(0.05)
        address = opened.read_text().strip()
        assert f"watch the training: {address}\n" in (directory / "err").read_text()
        with errorless(browser) as page:
            page.goto(address)
            yield page, process
    finally:
        process.kill()
        process.wait()


def test_a_run_is_watched_to_its_player(browser: Browser, tmp_path: Path) -> None:
    arguments = ["run", "--epochs", "100", "--name", "watched", *PACE]
    with watched(browser, tmp_path, *arguments) as (page, process):
        until(page, "training?.frames.length > 3")
        expect(page.locator("h1")).to_have_text("watched")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, (tmp_path / "err").read_text()
        # The process has ended: the page has all that it needs.
        expect(page.locator("#facts")).to_contain_text("100 epochs")
        scrub(page, 0)
        assert numbers(page.locator("#moment").inner_text())[0] == 0
    source = Tracker(f"sqlite:///{tmp_path}/mlflow.db").source(output.strip())
    assert source.params["live"] == "browser"
    assert len(source.history().losses) == 100


def test_a_stop_on_the_page_interrupts_a_training_that_is_resumed(
    browser: Browser, tmp_path: Path, fitreel: Command
) -> None:
    arguments = ["run", "--epochs", "200", "--checkpoint-every", "10", "--pace", "0.1"]
    with watched(browser, tmp_path, *arguments) as (page, process):
        until(page, "training?.frameEpochs.at(-1) >= 20")
        page.locator("#stop").click()
        page.locator("#stop").click()
        expect(page.locator("#state")).to_contain_text("the training was stopped at step")
        advice = page.locator("#state kbd").inner_text()
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"resume with: {advice}\n" in (tmp_path / "err").read_text()
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    (run_id,) = advice.split()[2:]
    assert tracker.source(run_id).status == "KILLED"

    done = fitreel(*advice.split()[1:])
    assert "watch the training: http://127.0.0.1:" in done.stderr
    source = tracker.source(run_id)
    assert source.status == "FINISHED"
    unwatched = fit(generate(), TrainingSettings(epochs=200)).history
    assert source.history().losses.tolist() == unwatched.losses.tolist()


def test_a_training_that_diverges_ends_its_page(browser: Browser, tmp_path: Path) -> None:
    with watched(browser, tmp_path, "run", "--lr", "7", "--pace", "0.2") as (page, process):
        expect(page.locator("#state")).to_contain_text("the training was stopped at step")
        assert not page.locator("#state kbd").count()
        process.communicate(timeout=60)
    assert process.returncode == 1


def test_a_training_alone_stays_on_its_page(
    browser: Browser, tmp_path: Path, fitreel: Command
) -> None:
    fitreel("generate")
    arguments = ["train", "--run", "latest", "--epochs", "50", *PACE]
    with watched(browser, tmp_path, *arguments) as (page, process):
        process.communicate(timeout=60)
        expect(page.locator("#state")).to_have_text("the training has ended at step 50 of 50")
    assert process.returncode == 0
