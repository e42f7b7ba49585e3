"""The live window on a virtual display, checked with screenshots."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from mlflow.entities import Run

from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR
from fitreel.pictures.gif import HOLD
from tests.faults import LIMIT, client, runs

pytestmark = pytest.mark.needs("display")


def screenshot(path: Path, variables: dict[str, str]) -> np.ndarray:
    subprocess.run(["import", "-window", "root", str(path)], env=variables, check=True)
    return iio.imread(path)[..., :3].astype(int)


def amount(picture: np.ndarray, colour: str) -> int:
    wanted = np.array(to_rgb(colour)) * 255
    return int((np.abs(picture - wanted).max(axis=-1) < 40).sum())


@contextmanager
def training(
    directory: Path,
    display: dict[str, str],
    *options: str,
    stdin: int = subprocess.DEVNULL,
) -> Iterator["subprocess.Popen[str]"]:
    """Train with the window open; assert that the training succeeds."""
    with subprocess.Popen(
        ["fitreel", "run", "--live", "window", *options],
        cwd=directory,
        env=display,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output.strip()


def test_the_window_shows_the_fit_during_training(tmp_path: Path, display: dict[str, str]) -> None:
    pictures: list[np.ndarray] = []
    with training(tmp_path, display, "--epochs", "300", "--pace", "0.05") as process:
        while process.poll() is None:
            picture = screenshot(tmp_path / "screen.png", display)
            if amount(picture, LINE_COLOUR) > 500 and amount(picture, POINT_COLOUR) > 500:
                pictures.append(picture)
            time.sleep(0.2)
    assert len(pictures) >= 5
    moved = np.abs(pictures[0] - pictures[-1]).max(axis=-1) > 40
    assert moved.sum() > 500, "the line did not move"


def test_the_points_are_shown_before_the_first_prediction(
    tmp_path: Path, display: dict[str, str]
) -> None:
    with training(tmp_path, display, "--epochs", "5", "--pace", "2"):
        visible(display, "--sync")
        last = time.monotonic() + LIMIT
        while amount(picture := screenshot(tmp_path / "screen.png", display), POINT_COLOUR) < 500:
            assert time.monotonic() < last
            time.sleep(0.1)
        assert amount(picture, LINE_COLOUR) == 0


def press_q(window: str, display: dict[str, str]) -> None:
    """Close the window by matplotlib's key: without a window manager it has no button for that."""
    press = ["xdotool", "windowfocus", "--sync", window, "key", "q"]
    subprocess.run(press, env=display, check=True)


def visible(display: dict[str, str], *options: str) -> list[str]:
    """Return the windows of fitreel that are on the screen."""
    search = ["xdotool", "search", *options, "--onlyvisible", "--name", "fitreel"]
    done = subprocess.run(search, env=display, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_training_continues_when_the_window_is_closed(
    tmp_path: Path, display: dict[str, str]
) -> None:
    with training(tmp_path, display, "--epochs", "300", "--pace", "0.1") as process:
        press_q(visible(display, "--sync")[0], display)
        while visible(display):
            assert process.poll() is None, "the window stayed to the end"


@pytest.mark.parametrize("how", ["closed", "interrupted"])
def test_the_window_stays_open_while_somebody_is_there(
    how: str, tmp_path: Path, display: dict[str, str]
) -> None:
    ours, theirs = os.openpty()  # somebody who could press Ctrl-C
    try:
        with training(tmp_path, display, "--epochs", "10", stdin=theirs) as process:
            window = visible(display, "--sync")[0]
            assert process.stderr
            assert any(line.startswith("in MLflow: ") for line in process.stderr)  # the last one
            time.sleep(2 * HOLD)
            picture = screenshot(tmp_path / "screen.png", display)
            assert amount(picture, LINE_COLOUR) > 500, "the window did not wait"
            assert [run.info.status for run in saved_runs(tmp_path)] == ["FINISHED"]
            assert process.poll() is None
            if how == "closed":
                press_q(window, display)
            else:
                process.send_signal(signal.SIGINT)
    finally:
        os.close(ours)
        os.close(theirs)


def saved_runs(directory: Path) -> list[Run]:
    return runs(client(directory)) if (directory / "mlflow.db").exists() else []


def test_a_display_that_refuses_is_named_in_one_line(
    tmp_path: Path, display: dict[str, str]
) -> None:
    done = subprocess.run(
        ["bash", "-c", "ulimit -c unlimited; exec fitreel run --live window"],
        cwd=tmp_path,
        env=display | {"DISPLAY": ":9999"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("fitreel: no window can be opened: ")
    assert "could not connect to display :9999" in line
    assert not list(tmp_path.glob("core*"))
    assert not saved_runs(tmp_path)
