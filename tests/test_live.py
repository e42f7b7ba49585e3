"""The live window on a virtual display, checked with screenshots."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR

pytestmark = pytest.mark.needs("display")


def screenshot(path: Path, variables: dict[str, str]) -> np.ndarray:
    subprocess.run(["import", "-window", "root", str(path)], env=variables, check=True)
    return iio.imread(path)[..., :3].astype(int)


def amount(picture: np.ndarray, colour: str) -> int:
    wanted = np.array(to_rgb(colour)) * 255
    return int((np.abs(picture - wanted).max(axis=-1) < 40).sum())


@contextmanager
def training(directory: Path, display: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Train with the window open for six seconds or more; assert that the training succeeds."""
    with subprocess.Popen(
        ["fitreel", "run", "--live", "on", "--epochs", "300"],
        cwd=directory,
        env=display,
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
    with training(tmp_path, display) as process:
        while process.poll() is None:
            picture = screenshot(tmp_path / "screen.png", display)
            if amount(picture, LINE_COLOUR) > 500 and amount(picture, POINT_COLOUR) > 500:
                pictures.append(picture)
            time.sleep(0.2)
    assert len(pictures) >= 5
    moved = np.abs(pictures[0] - pictures[-1]).max(axis=-1) > 40
    assert moved.sum() > 500, "the line did not move"


def test_training_continues_when_the_window_is_closed(
    tmp_path: Path, display: dict[str, str]
) -> None:
    visible = ["xdotool", "search", "--onlyvisible", "--name", "fitreel"]
    with training(tmp_path, display) as process:
        found = subprocess.run(
            [*visible[:2], "--sync", *visible[2:]],
            env=display,
            capture_output=True,
            text=True,
            check=True,
        )
        # matplotlib's key to close: without a window manager the window has no button for that.
        press = ["xdotool", "windowfocus", "--sync", found.stdout.split()[0], "key", "q"]
        subprocess.run(press, env=display, check=True)
        while subprocess.run(visible, env=display, capture_output=True, check=False).stdout:
            assert process.poll() is None, "the window stayed to the end"
