from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from fitreel.comparison.captions import run_captions
from fitreel.comparison.compared import ComparedRun, OwnRun
from fitreel.comparison.grid import GridCamera, layout, most_steps, render_grid
from fitreel.comparison.runs import compare
from fitreel.comparison.timeline import timeline
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.figures import LINE_COLOUR
from fitreel.reel.probes import line_x
from fitreel.settings import MOST_RUNS, Align, DataSettings
from tests.compared import HOSTILE, compared, hostile
from tests.films import boosted, filmed

RED = np.array(to_rgb(LINE_COLOUR)) * 255


def camera(runs: Sequence[ComparedRun]) -> GridCamera:
    films = [run.record(np.arange(len(run.frame_steps))) for run in runs]
    return GridCamera(films, run_captions(compare(runs)) if len(runs) > 1 else [runs[0].name])


def prediction(run: OwnRun, epoch: int) -> NDArray[np.float64]:
    """Return x and y of the line predicted by the last network of a run up to an epoch."""
    (earlier,) = np.nonzero(run.history.frame_epochs <= epoch)
    x = line_x(run.dataset)
    y = run.history.frames[int(earlier[-1])].predict(x)
    return torch.stack([x, y], dim=1).double().numpy()


def distance_to_red(frame: NDArray[np.uint8], across: float, up: float) -> float:
    """Return the distance from red of the reddest of the four pixels around a position."""
    row, column = frame.shape[0] - 1 - int(up - 0.5), int(across - 0.5)
    around = frame[row - 1 : row + 1, column : column + 2].astype(float)
    return float(np.abs(around - RED).max(axis=-1).min())


# Runs of different lengths, steps and points, in large and in small cells.
MIXED = [
    compared(lr=0.1),
    compared(lr=0.2, epochs=30),
    compared(optimizer="adam", lr=0.05, frame_every=7),
    compared(activation="tanh", data=DataSettings(function="sine", x_min=-2, x_max=0.5)),
]


@pytest.mark.parametrize("copies", [1, 5, 15])
def test_the_red_line_of_every_cell_shows_its_run_at_that_epoch(
    tmp_path: Path, copies: int
) -> None:
    runs = MIXED * copies
    render_grid(compare(runs), tmp_path / "compare.gif")
    frames = iio.imread(tmp_path / "compare.gif")[..., :3]
    steps = timeline(runs, most_steps(len(runs)), "epoch")
    assert len(frames) == len(steps.moments) > 12
    cells = camera(runs).cells
    for step in (0, 3, 8, len(frames) - 1):
        for run, cell in zip(runs, cells, strict=True):
            line = prediction(run, steps.moments[step])
            low, high = cell.axes.get_ylim()
            inside = (low < line[:, 1]) & (line[:, 1] < high)
            assert inside.mean() > 0.5
            for place in cell.axes.transData.transform(line[inside])[5:-5:10]:
                assert distance_to_red(frames[step], *place) < 40


def test_a_shorter_run_waits_at_its_end(tmp_path: Path) -> None:
    render_grid(compare(MIXED[:2]), tmp_path / "compare.gif")
    frames = iio.imread(tmp_path / "compare.gif")[..., :3]  # of which the second run has 7
    middle = frames.shape[2] // 2
    for frame in frames[7:]:
        assert np.array_equal(frame[:, middle:], frames[6][:, middle:])
        assert not np.array_equal(frame[:, :middle], frames[6][:, :middle])


def test_every_frame_of_the_gif_is_the_picture_of_the_camera(tmp_path: Path) -> None:
    runs = [compared(lr=lr) for lr in (0.05, 0.1, 0.2)]
    render_grid(compare(runs), tmp_path / "compare.gif")
    shots = camera(runs)
    for number, frame in enumerate(iio.imread(tmp_path / "compare.gif")[..., :3].astype(int)):
        error = np.abs(frame - rgb(shots.shoot(number)))
        assert error.mean() < 0.2
        assert np.quantile(error, 0.999) < 32


def test_frames_have_their_duration_and_the_last_stays_longer(tmp_path: Path) -> None:
    seen: list[int] = []
    render_grid(compare(MIXED[:2]), tmp_path / "compare.gif", 10, seen.append)
    with Image.open(tmp_path / "compare.gif") as film:
        assert film.size == layout(2).size == (800, 284)
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert times == [100] * 12 + [1500]
    assert seen == list(range(1, 14))


def test_cells_with_equal_points_share_their_limits() -> None:
    first, second, third, fourth = (cell.axes for cell in camera(MIXED).cells)
    assert first.get_xlim() == second.get_xlim() == third.get_xlim() != fourth.get_xlim()
    assert first.get_ylim() == second.get_ylim() == third.get_ylim() != fourth.get_ylim()


def test_many_points_are_thinned_but_all_determine_the_limits() -> None:
    full = generate(DataSettings(samples=50_000))
    y = full.y.clone()
    y[[17, 31]] = torch.tensor([-9.0, 9.0])
    runs = [replace(MIXED[0], dataset=Dataset(full.x, y))] * 2
    axes = camera(runs).cells[0].axes
    assert axes.get_ylim()[0] < -9
    assert axes.get_ylim()[1] > 9
    (points,) = axes.collections
    assert len(np.asarray(points.get_offsets())) <= 3004


@pytest.mark.parametrize("cells", range(2, MOST_RUNS + 1))
def test_all_cells_fit_a_picture_of_1600_pixels(cells: int) -> None:
    grid = layout(cells)
    assert cells <= grid.columns * grid.rows < cells + grid.columns
    assert grid.size[0] <= (800 if cells <= 9 else 1600)
    assert grid.size[1] <= 1100
    assert 160 <= grid.width <= 400
    corners = {grid.corner(place) for place in range(cells)}
    assert len(corners) == cells
    assert min(y for _, y in corners) == 0


def test_two_cells_are_large_and_sixty_cells_are_ten_per_row() -> None:
    assert (layout(2).columns, layout(2).width) == (2, 400)
    assert {(layout(cells).columns, layout(cells).width) for cells in range(5, 10)} == {(3, 266)}
    assert (layout(60).columns, layout(60).width) == (10, 160)
    assert most_steps(2) == 200
    assert most_steps(60) == 100


def test_hostile_names_stay_in_their_cells() -> None:
    plain = [replace(MIXED[0], name="a")] * 12
    empty = rgb(camera(plain).background)
    grid = layout(12)
    x, y = grid.corner(5)
    rows = slice(grid.size[1] - y - grid.height, grid.size[1] - y)
    for name in HOSTILE:
        runs = [*plain[:5], replace(plain[5], name=name), *plain[6:]]
        different = (rgb(camera(runs).background) != empty).any(axis=-1)
        assert different.any()
        different[rows, x : x + grid.width] = False
        assert not different.any()


def test_runs_with_hostile_names_are_filmed(tmp_path: Path) -> None:
    render_grid(compare(hostile()), tmp_path / "compare.gif")
    assert len(iio.imread(tmp_path / "compare.gif")) == 13


def test_a_fit_that_is_far_off_is_filmed(tmp_path: Path) -> None:
    frames = MIXED[0].history.frames
    huge = replace(frames, output_weight=frames.output_weight * 1e38)
    off = replace(MIXED[0], history=replace(MIXED[0].history, frames=huge))
    render_grid(compare([MIXED[1], off]), tmp_path / "compare.gif")
    assert len(iio.imread(tmp_path / "compare.gif")) == 13


@pytest.mark.parametrize("align", ["epoch", "share"])
def test_the_line_of_a_film_is_what_its_model_predicted(tmp_path: Path, align: Align) -> None:
    runs = [MIXED[0], boosted(stages=30), filmed(steps=range(100, 110))]
    render_grid(compare(runs, "loss", align), tmp_path / "compare.gif")
    frames = iio.imread(tmp_path / "compare.gif")[..., :3]
    steps = timeline(runs, 200, align)
    assert len(frames) == len(steps.moments)
    cells = camera(runs).cells
    for moment in (0, len(frames) // 2, len(frames) - 1):
        for place, (run, cell) in enumerate(zip(runs, cells, strict=True)):
            shown = run.record(steps.frames[place, [moment]])
            line = np.column_stack([shown.probes.x, shown.in_space(0)])
            low, high = cell.axes.get_ylim()
            inside = (low < line[:, 1]) & (line[:, 1] < high)
            assert inside.mean() > 0.5
            for across, up in cell.axes.transData.transform(line[inside])[5:-5:10]:
                assert distance_to_red(frames[moment], across, up) < 40


def test_by_share_no_film_waits(tmp_path: Path) -> None:
    runs = [filmed(1, steps=range(40)), filmed(2, steps=range(20))]
    for align, waits in (("epoch", 20), ("share", 0)):
        render_grid(compare(runs, "loss", align), tmp_path / "compare.gif")  # type: ignore[arg-type]
        frames = iio.imread(tmp_path / "compare.gif")[..., :3]
        right = frames[:, :, frames.shape[2] // 2 :].astype(int)
        moves = np.flatnonzero((right[1:] != right[:-1]).any(axis=(1, 2, 3))) + 1
        assert len(moves) == 19
        assert len(frames) - 1 - moves[-1] == waits


def test_a_film_shows_steps_beside_our_epochs() -> None:
    own, film = ([replace(MIXED[0], name="a")] * 2, [MIXED[0], filmed(name="a", steps=[0])])
    shots = [rgb(camera(runs).shoot(0)).copy() for runs in (own, film)]
    grid = layout(2)
    # The word above the axes differs: "epoch 0" and "step 0".
    word = (slice(20, 44), slice(grid.width + 44, grid.width + 130))
    assert (shots[0][word] != shots[1][word]).any()
