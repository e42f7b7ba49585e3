"""The film of any model's reel: pixels at places where the predictions say what has to be there."""

import math
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from fitreel import Reel, generate, render_reel
from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR
from fitreel.pictures.number_text import loss_text
from fitreel.pictures.views.curve import line_range, value_range
from fitreel.reel.probes import padded_range
from tests.kinds import KINDS, dataset_of, history_of
from tests.reels import constant, model_of, reel_of
from tests.test_film import durations
from tests.test_views import amount, colour, place

X = np.linspace(0, 3, 40)
Y = np.sin(X)


@pytest.mark.parametrize("kind", KINDS)
def test_the_film_shows_what_the_camera_shoots(kind: str, tmp_path: Path) -> None:
    reel = reel_of(kind)
    render_reel(reel, tmp_path / "rst.gif")
    frames = iio.imread(tmp_path / "rst.gif")[..., :3].astype(int)
    camera = Camera(reel.recording())
    assert frames.shape == (13, SIZE[1], SIZE[0], 3)
    for number in (0, 6, 12):
        error = np.abs(frames[number] - rgb(camera.shoot(number)))
        assert error.mean() < 0.5
        assert np.quantile(error, 0.99) < 40
    assert (np.abs(frames[12] - frames[0]).max(axis=-1) > 60).sum() > 200, "what moves"


@pytest.mark.parametrize("kind", KINDS)
def test_any_model_is_filmed_as_our_own_network_is(kind: str) -> None:
    """Only the loss of the test rows and these rows are missing, and steps are called steps."""
    dataset, reel = dataset_of(kind).without_test(), reel_of(kind)
    recording = reel.recording()
    network = history_of(kind).frames[5]
    x = recording.probes.inputs
    wanted = network.predict(x[:, 0] if kind == "curve" else x).numpy()
    assert recording.predictions[5] == pytest.approx(wanted, abs=1e-4)
    ours = replace(recording, dataset=dataset, step_name="epoch")
    pictures = [rgb(Camera(each).shoot(5)).astype(int) for each in (recording, ours)]
    rows, columns = np.nonzero((pictures[0] != pictures[1]).any(axis=-1))
    assert len(rows), "the word"
    assert rows.max() < 60
    assert columns.max() < 160


def test_the_line_of_a_curve_is_where_the_model_predicts_it() -> None:
    recording = reel_of("curve").recording()
    camera = Camera(recording)
    assert (camera.axes.get_xlabel(), camera.axes.get_ylabel()) == ("bmi", "progression")
    picture = rgb(camera.shoot(12))
    for at in range(5, 195, 10):
        row, column = place(camera, recording.probes.x[at], recording.in_space(12)[at])
        assert picture[row, column] == pytest.approx(colour(LINE_COLOUR), abs=2)


def test_a_loss_that_is_no_number_leaves_its_frame_out(tmp_path: Path) -> None:
    reel = Reel(X, Y, every=1)
    for step in range(10):
        reel.frame(step, math.nan if step in (3, 4) else math.inf if step == 6 else 0.5, np.sin)
    assert reel.render(tmp_path / "rst.gif").path.exists()
    assert reel.recording().epochs.tolist() == [0, 1, 2, 5, 7, 8, 9]
    # Frames that are alike but for the step are frames of their own.
    assert len(durations(tmp_path / "rst.gif")) == 7


def test_settings_and_formats_are_those_of_every_film(tmp_path: Path) -> None:
    reel = reel_of("regions")
    film = reel.render(tmp_path / "rst.gif", fps=10, max_frames=5)
    assert durations(film.path) == [100] * 4 + [1500]
    reel.render(tmp_path / "rst.mp4", fps=10)
    assert (tmp_path / "rst.mp4").read_bytes()[4:8] == b"ftyp"
    with pytest.raises(ValueError, match=r"ends in \.gif or \.mp4; got rst\.webm"):
        reel.render(tmp_path / "rst.webm")
    with pytest.raises(ValueError, match="no frame yet"):
        Reel(X, Y).render(tmp_path / "none.gif")
    assert not (tmp_path / "none.gif").exists()


def test_a_film_of_one_frame_stays(tmp_path: Path) -> None:
    reel = Reel(X, Y)
    reel.frame(7, 0.5, np.sin)
    assert durations(reel.render(tmp_path / "rst.gif").path) == [1500]


def test_arrows_show_where_a_line_is_that_left_the_picture() -> None:
    reel = Reel(X, Y, every=1)
    for step, level in enumerate((0.5, 40.0, -40.0)):
        reel.frame(step, 0.1, constant(level))
    camera = Camera(reel.recording())
    box, height = camera.axes.bbox, SIZE[1]
    top, bottom = height - int(box.y1), height - int(box.y0)
    found = [rgb(camera.shoot(frame)).copy() for frame in range(3)]
    edges = [(picture[top : top + 16], picture[bottom - 16 : bottom - 1]) for picture in found]
    # The loss stands at the lower edge, between the arrows.
    left = slice(0, 220)
    seen = [[amount(edge[:, left], LINE_COLOUR) > 60 for edge in both] for both in edges]
    assert seen == [[False, False], [True, False], [False, True]]


def test_a_line_that_is_partly_seen_has_no_arrows() -> None:
    reel = Reel(X, Y, every=1)
    reel.frame(0, 0.1, lambda x: 100 * (x - 1.5))
    camera = Camera(reel.recording())
    picture, box = rgb(camera.shoot(0)), camera.axes.bbox
    for row in (SIZE[1] - int(box.y1), SIZE[1] - int(box.y0) - 16):
        assert amount(picture[row : row + 16, :220], LINE_COLOUR) == 0


def test_the_picture_holds_own_probes_and_all_points() -> None:
    reel = Reel(X, Y, every=1, probes=np.linspace(-2, 6, 50))
    reel.frame(0, 0.1, np.sin)
    assert line_range(reel.recording()) == pytest.approx((-2 - 0.04 * 8, 6 + 0.04 * 8))
    inner = Reel(X, Y, every=1, probes=[1.0, 2.0])
    inner.frame(0, 0.1, np.sin)
    assert line_range(inner.recording()) == padded_range(inner.dataset, 0)
    assert Camera(inner.recording()).axes.get_xlim() == pytest.approx(line_range(inner.recording()))
    assert value_range(Dataset([0, 1], [2, 2])) == pytest.approx((1.8, 2.1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_limits_of_drawn_points_are_theirs_to_the_last_bit(seed: int) -> None:
    dataset = generate(data_seed=seed)
    reel = Reel(dataset.x, dataset.y)
    reel.frame(0, 1, model_of(history_of("curve").frames[0]))
    assert line_range(reel.recording()) == padded_range(dataset, 0)


def test_the_power_of_ten_of_an_axis_is_beside_the_step() -> None:
    reel = Reel(X, 1e-9 * Y, target="charge")
    reel.frame(0, 1, lambda x: 0 * x)
    camera = Camera(reel.recording())
    power = camera.axes.yaxis.get_offset_text()
    assert power.get_text()
    above = SIZE[1] - int(power.get_window_extent().y1)
    # The step is drawn where the scenery has nothing.
    rows, _ = np.nonzero((rgb(camera.shoot(0)) != rgb(camera.background)).any(axis=-1))
    assert rows.min() < above
    assert not ((above - 1 < rows) & (rows < SIZE[1] - int(power.get_window_extent().y0))).any()


@pytest.mark.parametrize(
    ("loss", "text"),
    [(3e-5, "3.00e-05"), (-3e-5, "-3.00e-05"), (0.0, "0.0000"), (-12.5, "-12.5000")],
)
def test_a_loss_of_any_size_has_a_short_text(loss: float, text: str) -> None:
    assert loss_text(loss) == text
    assert loss_text(-1e30) == "-1.0000e+30"


@pytest.mark.parametrize(("count", "last"), [(5, "a"), (14, "+10")])
def test_the_legend_of_many_classes_fits(tmp_path: Path, count: int, last: str) -> None:
    x = np.random.default_rng(0).normal(size=(80, 2))
    names = [f"a kind, the {k}th" for k in range(count)]
    reel = Reel(x, np.arange(80) % count, classes=names)
    reel.frame(0, 1, lambda x: np.eye(count)[np.arange(len(x)) % count])
    camera = Camera(reel.recording())
    legend = camera.axes.get_legend()
    assert legend is not None
    *_, fifth, wrong = [text.get_text() for text in legend.get_texts()]
    assert fifth.startswith(last)
    assert wrong == "wrong"
    assert legend.get_window_extent().x1 <= SIZE[0]
    with Image.open(reel.render(tmp_path / "rst.gif")) as film:
        assert film.size == SIZE


def test_points_are_drawn_behind_the_line() -> None:
    reel = Reel(X, Y)
    reel.frame(0, 1, lambda x: 0 * x)
    camera = Camera(reel.recording())
    picture = rgb(camera.shoot(0))
    for x, y in zip(X[4:-4], Y[4:-4], strict=True):
        assert picture[place(camera, x, y)] == pytest.approx(colour(POINT_COLOUR), abs=60)
