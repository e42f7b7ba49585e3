"""The live view in a terminal, on a real pseudo terminal, as an emulator shows it."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyte
import pytest
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.segment import SegmentLines

from fitreel.live.canvas import Line
from fitreel.live.fit_text import CURVE, POINT, RIGHT, FitText
from fitreel.live.panel import LABEL
from fitreel.live.text_picture import Shown, picture
from fitreel.pictures.views.colours import band_colours
from fitreel.reel.probes import Probes, probes_of
from fitreel.reel.rows import dataset_of
from tests import processes
from tests.faults import client, losses, runs
from tests.terminals import Terminal, on_terminal

BITS = [(0, 0x01), (1, 0x02), (2, 0x04), (3, 0x40), (0, 0x08), (1, 0x10), (2, 0x20), (3, 0x80)]
Rows = NDArray[np.float64]
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"


def screen_of(lines: list[Line], width: int, height: int) -> pyte.Screen:
    """Print lines through rich to a terminal emulator."""
    printed = io.StringIO()
    console = Console(
        file=printed, force_terminal=True, width=width, height=height, color_system="truecolor"
    )
    console.print(SegmentLines(lines, new_lines=True), end="")
    screen = pyte.Screen(width, height + 1)
    pyte.Stream(screen).feed(printed.getvalue().replace("\n", "\r\n"))
    return screen


def dots(screen: pyte.Screen, colour: str) -> Iterator[tuple[int, int]]:
    """Yield column and row, in braille dots from the upper left, of what has a colour."""
    for line, cells in screen.buffer.items():
        for column, cell in cells.items():
            if cell.fg == colour.lstrip("#") and 0x2800 <= ord(cell.data) < 0x2900:
                for place, (down, bit) in enumerate(BITS):
                    if ord(cell.data) - 0x2800 & bit:
                        yield 2 * column + place // 4, 4 * line + down


def is_drawing(terminal: Terminal) -> bool:
    """Return whether the fit is on the screen, with a prediction."""
    return "step" in terminal.text and any(dots(terminal.screen, CURVE))


def fit_of(x: Rows, y: NDArray[np.generic]) -> tuple[FitText, Probes]:
    dataset = dataset_of(x, y)
    probes = probes_of(dataset)
    return FitText(dataset, probes, coloured=True), probes


def test_the_curve_and_the_points_are_where_the_numbers_say() -> None:
    x = np.linspace(-1.0, 1.0, 50)
    fit, probes = fit_of(x, x**2)
    width, height = 70, 30
    screen = screen_of(fit.lines(probes.x**3, width, height), width, height)
    across, up = 2 * (width - LABEL - 1), 4 * (height - 2)

    def place(at: Rows, value: Rows) -> tuple[Rows, Rows]:
        return 2 * (LABEL + 1) + (at + 1.08) / 2.16 * across, 4 + (1.1 - value) / 1.2 * up

    found = np.array(list(dots(screen, CURVE)))
    fine = np.linspace(-1, 1, 2001)
    expected = np.column_stack(place(fine, fine**3))
    inside = expected[expected[:, 1] < 4 + up]
    distances = np.abs(found[:, None] + 0.5 - inside[None]).max(axis=2)
    assert distances.min(axis=0).max() <= 1.6  # each piece of the curve that fits has a dot
    points = np.array(list(dots(screen, POINT)))
    of_points = np.column_stack(place(x, x**2))

    def to_points(seen: NDArray[np.int64]) -> Rows:
        return np.asarray(np.abs(seen[:, None] + 0.5 - of_points).max(axis=2).min(axis=1))

    assert len(points) > 20
    assert to_points(points).max() <= 0.6
    # A character has one colour: a point beside the curve has that of the curve.
    assert np.minimum(distances.min(axis=1), to_points(found)).max() <= 1.1


def test_the_ends_of_both_axes_stand_beside_the_fit() -> None:
    x = np.linspace(10.0, 20.0, 50)
    fit, _ = fit_of(x, 3 * x)
    shown = screen_of(fit.lines(None, 60, 10), 60, 10).display
    assert shown[0].split() == ["y"]
    assert shown[1].split("│")[0].split() == ["63"]
    assert shown[8].split("│")[0].split() == ["27"]
    assert shown[9].split() == ["9.6", "x", "20.4"]


def test_before_the_first_frame_the_points_are_shown() -> None:
    x = np.linspace(-1.0, 1.0, 50)
    fit, _ = fit_of(x, x**2)
    screen = screen_of(fit.lines(None, 70, 20), 70, 20)
    assert any(dots(screen, POINT))
    assert not any(dots(screen, CURVE))


def test_two_features_are_a_field_of_colours() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    fit, probes = fit_of(x, x[:, 1])
    width, height = 50, 22
    found = probes.inputs[:, 1].numpy()
    screen = screen_of(fit.lines(found, width, height), width, height)
    column = [screen.buffer[line][20].fg for line in range(1, height - 1)]
    colours = ["#" + each for each in column if each != "default"]
    places = [band_colours(24).index(each) for each in colours]
    assert places == sorted(places, reverse=True)  # the highest at the top
    assert places[0] > 20
    assert places[-1] < 3


def test_two_features_and_classes_are_regions_with_crosses_on_wrong_rows() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    fit, probes = fit_of(x, np.where(x[:, 0] > 0, "right", "left"))
    is_right = (probes.inputs[:, 0] > 0).float().numpy()
    width, height = 50, 22
    fine = screen_of(
        fit.lines(np.column_stack([1 - is_right, is_right]), width, height), width, height
    )
    assert "■ left ■ right" in fine.display[0]
    left, right = fine.buffer[10][LABEL + 2].bg, fine.buffer[10][width - 2].bg
    assert left != right
    assert "×" not in "".join(fine.display)
    wrong = screen_of(
        fit.lines(np.column_stack([is_right, 1 - is_right]), width, height), width, height
    )
    assert wrong.buffer[10][LABEL + 2].bg == right
    assert "•" not in "".join(wrong.display)
    assert "×" in "".join(wrong.display)


def test_many_features_show_predicted_against_actual() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    fit, probes = fit_of(x, x.sum(axis=1))
    screen = screen_of(fit.lines(probes.inputs.sum(dim=1).numpy(), 60, 30), 60, 30)
    assert "predicted y" in screen.display[0]
    # Where all is right the points cover the diagonal.
    for column, row in dots(screen, POINT):
        assert abs((column - 20) / 100 - (1 - (row - 4) / 112)) < 0.03


def test_many_features_and_classes_show_the_probability_of_the_true_class() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    fit, probes = fit_of(x, np.where(x[:, 0] > 0, "up", "down"))
    likely = np.full(len(probes.inputs), 0.9, np.float32)
    up = np.where(probes.inputs[:, 0] > 0, likely, 1 - likely)
    screen = screen_of(fit.lines(np.column_stack([1 - up, up]), 60, 22), 60, 22)
    assert "down · up" in screen.display[-2]
    rows = {row for _, row in dots(screen, RIGHT)}
    assert rows == {4 + int(0.1 * 80)}
    assert not any(dots(screen, CURVE))


def features(count: int) -> Rows:
    return np.random.default_rng(0).uniform(-1, 1, (30, count))


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("target", [lambda x: x[:, 0], lambda x: np.where(x[:, 0] > 0, "a", "b")])
def test_every_size_is_filled_and_nothing_is_wider(
    count: int, target: Callable[[Rows], NDArray[np.generic]], coloured: bool
) -> None:
    x = features(count)
    dataset = dataset_of(x, target(x))
    probes = probes_of(dataset)
    shape = (len(probes.inputs), len(dataset.classes)) if dataset.classes else len(probes.inputs)
    predictions = np.full(shape, np.nan, np.float32)
    predictions[::2] = 1e30
    fit = FitText(dataset, probes, coloured=coloured)
    steps, some = np.arange(9), np.array([1, 2, np.nan, np.inf, 1e30, 1e-30, 0.5, 3, np.nan])
    for training in (Shown(), Shown("name", 10, steps, some, predictions, {"accuracy": 0.5})):
        for width, height in [
            (1, 1),
            (5, 3),
            (18, 5),
            (40, 10),
            (40, 30),
            (80, 1),
            (80, 23),
            (300, 99),
        ]:
            lines = picture(training, fit, width, height)
            assert 1 <= len(lines) <= height
            for line in lines:
                assert sum(cell_len(part.text) for part in line) <= width


def test_two_features_without_colours_are_shades() -> None:
    x = features(2)
    dataset = dataset_of(x, x[:, 0])
    probes = probes_of(dataset)
    fit = FitText(dataset, probes, coloured=False)
    line = fit.lines(probes.inputs[:, 0].numpy(), 60, 20)[10]
    text = re.sub("•", "", "".join(part.text for part in line).partition("│")[2])
    assert re.fullmatch(" +░+▒+▓+█+", text)


def test_a_steep_loss_gets_a_logarithmic_axis_and_what_is_no_number_is_left_out() -> None:
    fit, _ = fit_of(features(1), features(1)[:, 0])
    steps = np.arange(100)
    falling = Shown("", 99, steps, 10.0 ** (-steps / 25))
    shown = screen_of(picture(falling, fit, 80, 22), 80, 22)
    assert "loss, logarithmic" in shown.display[1]
    blue = [place for place in dots(shown, POINT) if place[0] > 2 * (40 + LABEL)]
    for column, row in blue:  # a straight line
        assert abs((column - 2 * (41 + LABEL)) / 60 - (row - 8) / 76) < 0.06
    flat = Shown("", 99, steps, np.where(steps % 2, np.nan, 1 + steps / 100))
    assert "logarithmic" not in screen_of(picture(flat, fit, 80, 22), 80, 22).display[1]


def test_text_from_outside_controls_no_terminal() -> None:
    hostile = "a\x1b[2Jb\r\n\u202ec[red]"
    x = features(2)
    dataset = dataset_of(x, np.where(x[:, 0] > 0, hostile, "b"), names=(hostile, "x2"))
    fit = FitText(dataset, probes_of(dataset), coloured=True)
    training = Shown(hostile, 9, np.arange(3), np.ones(3), others={hostile: 1.0})
    text = "".join(part.text for line in picture(training, fit, 160, 30) for part in line)
    assert not re.search("[\x00-\x1f\u202e]", text)
    assert "[red]" in text


RUN = ("run", "--live", "terminal")


def test_a_run_is_drawn_in_place_at_every_size(tmp_path: Path) -> None:
    long = ("--epochs", "5000", "--pace", "0.02", "--name", "résumé")
    with on_terminal(*RUN, *long, directory=tmp_path) as terminal:
        terminal.read_until(is_drawing)
        heading = next(line for line in terminal.screen.display if "loss" in line)
        assert re.match(r"step [\d,]+ of 5,000 · loss ", heading)
        terminal.read_until(lambda now: now.text.count("│") == 36)  # two panels, once
        terminal.resize(40, 10)
        terminal.read_until(lambda now: now.screen.display[0].startswith("step"))
        terminal.read_until(lambda now: now.text.count("│") == 6)
        assert sum(line.startswith("step") for line in terminal.screen.display) == 1
        terminal.resize(80, 2)
        terminal.read_until(lambda now: now.screen.display[0].startswith("step"))
        assert not terminal.screen.display[1].strip()
        terminal.resize(100, 30)
        terminal.read_until(lambda now: now.text.count("│") == 48)
        assert terminal.screen.cursor.hidden

        terminal.type(b"\x03")
        assert terminal.read_to_end() == 130
        assert not terminal.screen.cursor.hidden
        assert "train ━" not in terminal.sent.decode()
        assert "Traceback" not in terminal.sent.decode()
        (hint,) = re.findall(r"resume with: fitreel resume (\w+)", terminal.text)
    (run,) = runs(client(tmp_path))
    assert (run.info.run_id, run.info.status) == (hint, "KILLED")


def test_a_run_that_was_stopped_is_resumed_and_leaves_its_last_picture(tmp_path: Path) -> None:
    short = ("--epochs", "300", "--pace", "0.05", "--player", "off")
    with on_terminal(*RUN, *short, directory=tmp_path) as terminal:
        terminal.read_until(is_drawing)
        terminal.process.terminate()
        assert terminal.read_to_end() == 143
        assert not terminal.screen.cursor.hidden
    (run,) = runs(client(tmp_path))
    with on_terminal("resume", run.info.run_id, directory=tmp_path, lines=70) as terminal:
        assert terminal.read_to_end() == 0
        assert any(dots(terminal.screen, CURVE))
        assert "step 300 of 300" in terminal.text
        assert "final loss" in terminal.text
        assert terminal.sent.rindex(SHOW) > terminal.sent.rindex(HIDE)
    assert (tmp_path / "terminal/out").read_text().split() == [run.info.run_id]
    assert len(losses(client(tmp_path), run.info.run_id)) == 300


def test_a_training_that_diverges_leaves_the_terminal_usable(tmp_path: Path) -> None:
    wild = ("--lr", "1000", "--epochs", "500")
    with on_terminal(*RUN, *wild, directory=tmp_path, NO_COLOR="1") as terminal:
        assert terminal.read_to_end() == 1
        assert "no longer finite at epoch" in terminal.text
        assert not terminal.screen.cursor.hidden
        assert HIDE in terminal.sent
        assert "Traceback" not in terminal.text
        assert b"\x1b[38" not in terminal.sent  # as NO_COLOR asks


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}])
def test_without_a_terminal_it_is_refused_and_no_run_is_made(
    tmp_path: Path, forced: dict[str, str]
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    code, printed, errors = processes.run(*RUN, directory=tmp_path, output_to=output, **forced)
    assert (code, printed) == (2, "")
    assert errors == "fitreel: --live terminal needs a terminal, and standard error is not one\n"
    assert not runs(client(tmp_path))


@pytest.mark.parametrize(
    ("terminal", "reason"),
    [
        ({"TERM": "dumb"}, "can move its cursor; TERM is dumb"),
        ({"encoding": "latin-1"}, "needs UTF-8, and standard error has latin-1"),
    ],
)
def test_a_terminal_that_cannot_show_it_is_named(
    tmp_path: Path, terminal: dict[str, str], reason: str
) -> None:
    with on_terminal(*RUN, directory=tmp_path, columns=200, **terminal) as refused:  # type: ignore[arg-type]
        assert refused.read_to_end() == 2
        assert reason in refused.text
    assert not runs(client(tmp_path))
