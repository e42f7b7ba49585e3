"""The views of tables: pixels at places where the numbers say what has to be there."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.backdrop import rgb
from fitreel.pictures.camera import SIZE, Camera
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR
from fitreel.pictures.film import render
from fitreel.pictures.views.colours import TEST_COLOUR, band_colours, class_colour
from fitreel.pictures.views.confidence import Part
from fitreel.pictures.views.field import levels_of
from fitreel.reel.of_history import record, record_network
from fitreel.reel.probes import probes_of
from fitreel.reel.recording import Recording
from tests.kinds import KINDS, dataset_of, history_of


def filmed(kind: str) -> tuple[Camera, Recording]:
    reel = record(dataset_of(kind), history_of(kind), 200)
    return Camera(reel), reel


def place(camera: Camera, x: float, y: float) -> tuple[int, int]:
    """Return the row and the column of a pixel."""
    across, up = camera.axes.transData.transform((x, y))
    return SIZE[1] - 1 - int(up), int(across)


def colour(text: str) -> NDArray[np.float64]:
    return np.round(np.array(to_rgb(text)) * 255)


def amount(picture: NDArray[np.uint8], text: str) -> int:
    return int((np.abs(picture - colour(text)).max(axis=-1) <= 2).sum())


def test_the_curve_shows_names_the_line_and_the_test_points_apart() -> None:
    camera, reel = filmed("curve")
    assert (camera.axes.get_xlabel(), camera.axes.get_ylabel()) == ("bmi", "progression")
    picture = rgb(camera.shoot(12))
    for at in range(5, 195, 10):
        row, column = place(camera, reel.probes.x[at], reel.in_space(12)[at])
        assert picture[row, column] == pytest.approx(colour(LINE_COLOUR), abs=2)
    assert amount(rgb(camera.background), TEST_COLOUR) > 0
    assert camera.axes.get_legend() is not None


def test_the_field_has_the_colour_of_the_prediction_and_its_points_their_own() -> None:
    camera, reel = filmed("field")
    levels = levels_of(25, 346)
    hues = [colour(each) for each in band_colours(len(levels) - 1)]
    picture = rgb(camera.shoot(12)).astype(float)
    network, right = history_of("field").frames[-1], 0
    low, high = reel.probes.inputs[: reel.probes.places].aminmax(dim=0)
    random = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    inputs = low + random * (high - low)
    for (x, y), predicted in zip(inputs.tolist(), network.predict(inputs).tolist(), strict=True):
        band = int(np.clip(np.searchsorted(levels, predicted) - 1, 0, len(hues) - 1))
        right += bool(np.abs(picture[place(camera, x, y)] - hues[band]).max() <= 2)
    assert right > 200, "the others are beneath points or on contour lines"
    own = 0
    for inputs_of, target in zip(reel.dataset.inputs[:60].tolist(), reel.dataset.y, strict=False):
        band = int(np.searchsorted(levels, target.item(), "right") - 1)
        own += bool(np.abs(picture[place(camera, *inputs_of)] - hues[band]).max() <= 40)
    assert own > 45, "the others are beneath other points"


def test_the_regions_have_the_colour_of_the_predicted_class_and_crosses_on_wrong_rows() -> None:
    camera, reel = filmed("regions")
    for frame in (0, 12):
        picture = rgb(camera.shoot(frame)).astype(int)
        grid = reel.probes.inputs[: reel.probes.places].reshape(60, 80, 2)
        chosen = reel.in_space(frame).argmax(axis=1).reshape(60, 80)
        # The first class is blue, the second orange: by the sign of blue less red.
        right = [
            (pixel[2] > pixel[0]) == (chosen[up, across] == 0)
            for up in range(4, 56, 7)
            for across in range(4, 76, 7)
            if np.ptp(pixel := picture[place(camera, *grid[up, across].tolist())]) > 8
            and len(set(chosen[up - 1 : up + 2, across - 1 : across + 2].ravel())) == 1
        ]
        assert len(right) > 50
        assert np.mean(right) > 0.9, "the others are beneath points"
        wrong = reel.on_training(frame).argmax(axis=1) != reel.dataset.y.numpy()
        assert 0 < wrong.sum() < len(wrong)
        dark = np.array(
            [
                picture[place(camera, *reel.dataset.inputs[row].tolist())].max() < 140
                for row in reel.probes.training
            ]
        )
        assert dark[wrong].mean() > 0.9
        assert dark[~wrong].mean() < 0.2, "beneath crosses of others"


def test_a_region_is_paler_where_its_class_is_less_sure() -> None:
    camera, reel = filmed("regions")
    probabilities = np.full_like(reel.predictions, 0.5)
    for frame, sure in ((0, 0.55), (1, 0.97)):
        probabilities[frame] = [sure, 1 - sure]
    camera = Camera(replace(reel, predictions=probabilities))
    pale, strong = (
        rgb(camera.shoot(frame))[place(camera, 0.9, 1.25)].astype(int) for frame in (0, 1)
    )
    assert np.ptp(strong) > 3 * np.ptp(pale) > 0


def test_the_agreement_has_a_dot_for_each_row_and_the_test_rows_apart() -> None:
    camera, reel = filmed("agreement")
    picture = rgb(camera.shoot(12))
    assert reel.dataset.test
    parts = (
        (reel.dataset.y, reel.on_training(12), POINT_COLOUR, 0.6),  # others lie above some
        (reel.dataset.test.y, reel.on_test(12), TEST_COLOUR, 0.95),
    )
    for actual, predicted, ink, least in parts:
        seen = [
            np.abs(picture[place(camera, x, y)] - colour(ink)).max() <= 2
            for x, y in zip(actual.tolist(), predicted.tolist(), strict=True)
        ]
        assert np.mean(seen) > least
    row, column = place(camera, 320, 320)
    around = rgb(camera.background)[row - 2 : row + 3, column - 2 : column + 3]
    assert amount(around, LINE_COLOUR), "the diagonal"


def test_a_prediction_far_off_is_at_the_edge_of_the_agreement() -> None:
    _, reel = filmed("agreement")
    predictions = np.full_like(reel.predictions, 1e9)
    camera = Camera(replace(reel, predictions=predictions))
    picture, box = rgb(camera.shoot(0)), camera.axes.bbox
    top = slice(SIZE[1] - int(box.y1) - 5, SIZE[1] - int(box.y1) + 6)
    assert amount(picture[top], TEST_COLOUR) > 300


def test_the_confidence_sorts_the_rows_of_each_class() -> None:
    part = Part(np.array([1, 0, 1, 0]))
    predictions = np.array([[0.2, 0.8], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], np.float32)
    x, probability, wrong, truth = part.sorted(predictions)
    assert probability == pytest.approx([0.3, 0.9, 0.4, 0.8])
    assert wrong.tolist() == [True, False, True, False]
    assert truth.tolist() == [0, 0, 1, 1]
    assert 0 < x[0] < x[1] < 1 < x[2] < x[3] < 2


def test_the_confidence_has_a_mark_for_each_row_in_the_colour_of_its_class() -> None:
    camera, reel = filmed("confidence")
    picture = rgb(camera.shoot(12))
    part = Part(reel.dataset.y.numpy()[reel.probes.training])
    x, probability, wrong, truth = part.sorted(reel.on_training(12))
    seen = [
        np.abs(picture[place(camera, *at)] - colour(class_colour(its))).max() <= 2
        for *at, its in zip(x[~wrong], probability[~wrong], truth[~wrong], strict=True)
    ]
    assert np.mean(seen) > 0.7, "test rows lie above the others"
    assert all(one <= other for one, other in pairwise(probability[truth == 0]))


@pytest.mark.parametrize("kind", KINDS)
def test_both_losses_are_in_the_frame_and_stay_where_they_are(kind: str) -> None:
    camera, reel = filmed(kind)
    inks = []
    for frame in (0, 12):
        picture = rgb(camera.shoot(frame)).copy()
        box = camera.axes.bbox
        edge = SIZE[1] - int(box.y0)
        strip = picture[edge - 38 : edge] if kind == "curve" else picture[:36]
        columns = np.nonzero((np.abs(strip - colour(TEST_COLOUR)).max(axis=-1) <= 2).any(axis=0))
        inks.append((columns[0].min(), columns[0].max()))
        assert amount(strip, LINE_COLOUR) > 100, "the loss"
    assert inks[0][0] == inks[1][0], "the word test does not move"
    assert reel.test_losses is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_does_not_depend_on_those_before(kind: str) -> None:
    camera, _ = filmed(kind)
    before = camera.shoot(2).copy()
    camera.shoot(9)
    assert np.array_equal(before, camera.shoot(2))


@pytest.mark.parametrize("kind", KINDS)
def test_the_live_window_shows_no_test_rows(kind: str) -> None:
    dataset = dataset_of(kind).without_test()
    assert dataset.test is None
    reel = record_network(dataset, probes_of(dataset), history_of(kind).frames[-1], 60, 0.1)
    camera = Camera(reel)
    picture = rgb(camera.shoot(0))
    assert amount(picture, LINE_COLOUR) > 100, "the loss"
    assert amount(picture, TEST_COLOUR) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_of_any_kind_stays_small(kind: str, tmp_path: Path) -> None:
    render(dataset_of(kind), history_of(kind, 995), tmp_path / "rst.gif")
    assert len(history_of(kind, 995).frame_epochs) == 200
    assert (tmp_path / "rst.gif").stat().st_size < 1_500_000


def hostile(**changes: Any) -> Dataset:
    old, text = dataset_of("regions"), r"$\frac{1}{0}$ <b> " + 300 * "x"
    names: dict[str, Any] = {"features": [text, "\u202eabc\x00"], "classes": [text, "漢字"]}
    return Dataset(old.x, old.y, scaling=old.scaling, target=text, test=old.test, **names | changes)


def test_names_from_files_are_text_and_fit() -> None:
    points = hostile()
    camera = Camera(record(points, history_of("regions"), 2))
    assert not camera.axes.xaxis.label.get_parse_math()
    assert len(camera.axes.get_xlabel()) < 100
    legend = camera.axes.get_legend()
    assert legend is not None
    assert not any(text.get_parse_math() for text in legend.get_texts())
    extent = legend.get_window_extent()
    assert extent.x1 <= SIZE[0]


def test_a_constant_feature_or_target_has_a_picture() -> None:
    x = torch.stack([torch.arange(20.0), torch.ones(20)], dim=1)
    for y in (torch.ones(20), torch.arange(20.0)):
        dataset = Dataset(x, y)
        reel = record_network(dataset, probes_of(dataset), history_of("field").frames[-1], 0, 1.0)
        Camera(reel).shoot(0)
