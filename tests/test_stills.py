"""The still pictures of tables: what they compute, what they show, hostile names."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from sklearn.calibration import calibration_curve
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix

from fitreel.data.dataset import Dataset, Rows
from fitreel.data.schema import Column, Schema
from fitreel.pictures.calibration import calibration
from fitreel.pictures.confusion import confusion, draw_confusion
from fitreel.pictures.dependence import dependences
from fitreel.pictures.figures import DEAD, NEGATIVE, POSITIVE
from fitreel.pictures.final_weights import draw_weights
from fitreel.pictures.heat_map import weight_table
from fitreel.pictures.picture import Picture
from fitreel.pictures.plane import draw_regions, plane
from fitreel.pictures.profile import draw_profile, profile
from fitreel.pictures.residuals import residuals
from fitreel.pictures.stills import still_pictures
from fitreel.pictures.views.colours import class_colour, mixed
from fitreel.settings import TrainingSettings
from fitreel.training.importance import Importance, permutation_importance
from fitreel.training.loop import fit
from fitreel.training.weights import Weights
from tests.rows import TOWNS, classes, numbers, split, wages
from tests.test_figures import pixel

HOSTILE = "$\\undefined{$ <b>\n東" + 90 * "x"


def trained(dataset: Dataset, epochs: int = 60) -> Weights:
    settings = TrainingSettings(hidden=8, optimizer="adam", lr=0.03, epochs=epochs)
    return fit(dataset, settings).network.weights()


def renamed(dataset: Dataset) -> Dataset:
    """Return a dataset all of whose names try to be mathematics, markup, or too long."""
    found: Dataset = object.__new__(Dataset)
    features = tuple(f"{HOSTILE}{place}" for place in range(len(dataset.features)))
    names = tuple(f"{HOSTILE}{place}" for place in range(len(dataset.classes)))
    changes = {"features": features, "target": HOSTILE, "classes": names, "schema": None}
    for name, value in (vars(dataset) | changes).items():
        object.__setattr__(found, name, value)
    return found


KINDS = {
    "one feature": (numbers(features=1), ()),
    "two features": (numbers(features=2), ("field.png", "residuals.png")),
    "two features, classes": (classes(), ("regions.png", "confusion.png")),
    "more": (numbers(), ("residuals.png", "importance.png", "dependence.png")),
    "more, classes": (
        classes(features=4),
        ("confusion.png", "calibration.png", "importance.png"),
    ),
    "many classes": (
        classes(rows=400, count=26, features=3),
        ("confusion.png", "calibration.png", "importance.png"),
    ),
    "many features": (
        numbers(features=45),
        ("residuals.png", "importance.png", "dependence.png"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_hostile", [False, True])
def test_every_dataset_gets_its_pictures(kind: str, is_hostile: bool) -> None:
    dataset, names = KINDS[kind]
    dataset = renamed(dataset) if is_hostile else dataset
    weights = trained(dataset, epochs=5)
    pictures = {name: draw() for name, draw in still_pictures(weights, dataset).items()}
    assert tuple(pictures) == names
    pictures |= {"profile.png": draw_profile(dataset), "rst.png": draw_weights(weights, dataset)}
    for picture in pictures.values():
        FigureCanvasAgg(picture).draw()  # no warning of a letter that the font lacks
        width, height = picture.get_size_inches() * picture.dpi
        assert 640 <= width <= 800
        assert 200 <= height <= 1100


def test_a_category_of_two_values_is_no_plane() -> None:
    schema = Schema((Column("sex", "category", ("f", "m")),), "wage", "regression")
    x = torch.eye(2).repeat(15, 1)
    dataset = split(x, x[:, 0], schema=schema, features=schema.features)
    names = set(still_pictures(trained(dataset), dataset))
    assert names == {"residuals.png", "importance.png", "dependence.png"}


def test_the_profile_counts_training_rows() -> None:
    dataset = wages()
    target, age, town = profile(dataset)
    assert [each.name for each in (target, age, town)] == ["wage", "age", "town"]
    for found, values in ((target, dataset.y), (age, dataset.inputs[:, 0])):
        assert found.edges is not None
        assert found.counts.sum() == len(dataset)
        assert found.edges[[0, -1]].tolist() == [values.min().item(), values.max().item()]
    assert town.values == TOWNS
    assert town.counts.tolist() == dataset.inputs[:, 1:].sum(dim=0).tolist()
    kinds, *_ = profile(classes())
    assert kinds.values == ("class 0", "class 1", "class 2")
    assert kinds.counts.sum() == 80


def test_the_rare_values_of_a_profile_are_counted_together() -> None:
    dataset = classes(rows=1000, count=20)
    kinds, *_ = profile(dataset)
    assert len(kinds.counts) == 8
    assert kinds.values[-1] == "13 more"
    assert kinds.counts.sum() == len(dataset)
    assert (np.diff(kinds.counts[:-1]) <= 0).all()
    whole, *_ = profile(split(torch.arange(50.0), torch.arange(50.0) % 3))
    assert whole.values == ("0", "1", "2")
    assert len(profile(numbers(features=45))) == 12


def test_the_heat_map_shows_every_weight_in_its_row_and_column() -> None:
    dataset = classes(features=4)
    weights = trained(dataset)
    table = weight_table(weights, dataset)
    assert np.array_equal(table.input_weight, weights.input_weight.numpy())
    assert np.array_equal(table.output_weight, weights.output_weight.numpy().T)
    bias = weights.bias.clone()
    bias[2] = -1e9
    dead = replace(weights, bias=bias)
    picture = draw_weights(dead, dataset, "relu8", 0.25)
    inputs, _, outputs, _ = range(4)
    for side, numbers_ in ((inputs, table.input_weight), (outputs, table.output_weight)):
        alive = np.abs(np.delete(numbers_, 2, axis=0)).max()
        for (row, column), number in np.ndenumerate(numbers_[:4, :3]):
            strong, share = to_rgb(POSITIVE if number > 0 else NEGATIVE), abs(number) / alive
            colour = to_rgb(DEAD) if row == 2 else mixed("#ffffff", strong, share)  # type: ignore[arg-type]
            assert pixel(picture, column, row, side) == pytest.approx(colour, abs=0.02)
    texts = [text.get_text() for text in picture.texts]
    assert texts == ["relu8 loss 0.25"]
    (label,) = [text.get_text() for text in picture.legends[0].get_texts()]
    assert label == "dead: no row activates it (1 of 8)"
    assert [text.get_text() for text in picture.axes[outputs].get_xticklabels()] == list(
        dataset.classes
    )


def test_residuals_are_what_is_missing_to_the_test_rows() -> None:
    dataset = numbers()
    weights = trained(dataset)
    found = residuals(weights, dataset)
    assert dataset.test
    assert found.of_test_rows
    sums = torch.from_numpy(found.predicted + found.missing)
    assert torch.allclose(sums, dataset.test.y.double())
    assert np.array_equal(found.predicted, weights.predict(dataset.test.inputs).double().numpy())
    alone = Dataset(dataset.x, dataset.y, scaling=dataset.scaling)
    assert len(residuals(weights, alone).missing) == len(dataset)
    assert not residuals(weights, alone).of_test_rows


def test_the_confusion_is_that_of_scikit_learn() -> None:
    dataset = classes()
    weights = trained(dataset, epochs=3)
    found = confusion(weights, dataset)
    assert dataset.test
    chosen = weights.predict(dataset.test.inputs).argmax(dim=1)
    expected = confusion_matrix(dataset.test.y.numpy(), chosen.numpy(), labels=range(3))
    assert np.array_equal(found.counts, expected)
    assert found.accuracy == expected.trace() / expected.sum()
    one_wrong = replace(found, counts=np.array([[9, 0, 0], [0, 9, 0], [3, 0, 6]]))
    picture = draw_confusion(one_wrong)
    right, wrong = pixel(picture, 0.3, 0.3), pixel(picture, 0.3, 2.3)
    assert right == pytest.approx(to_rgb(POSITIVE), abs=0.02)
    assert wrong == pytest.approx(mixed("#ffffff", NEGATIVE, (1 / 3) ** 0.5), abs=0.02)
    assert pixel(picture, 1.3, 0.3) == (1, 1, 1)
    counts = {text.get_text() for text in picture.axes[0].texts}
    assert counts == {"9", "3", "6"}


def test_the_calibration_is_that_of_scikit_learn() -> None:
    dataset = classes(rows=1000, count=2)
    weights = trained(dataset, epochs=20)
    found = calibration(weights, dataset)
    assert dataset.test
    chances = weights.predict(dataset.test.inputs)[:, 1].double().numpy()
    happened, predicted = calibration_curve(dataset.test.y.numpy(), chances, n_bins=10)
    has_rows = found.counts > 0
    assert found.happened[has_rows] == pytest.approx(happened)
    assert found.predicted[has_rows] == pytest.approx(predicted)
    assert found.counts.sum() == len(dataset.test)
    low, high = found.low[has_rows], found.high[has_rows]
    assert ((low < happened + 1e-9) & (happened - 1e-9 < high)).all()
    assert ((low > -1e-9) & (high < 1 + 1e-9)).all()
    assert "kind is class 1" in found.event


def test_of_many_classes_the_likeliest_is_calibrated() -> None:
    dataset = classes(rows=1000)
    weights = trained(dataset, epochs=20)
    found = calibration(weights, dataset)
    assert dataset.test
    chances = weights.predict(dataset.test.inputs)
    right = (chances.argmax(dim=1) == dataset.test.y).double().mean().item()
    assert np.nansum(found.happened * found.counts) / found.counts.sum() == pytest.approx(right)
    assert not found.counts[:3].any()  # the likeliest of three has a third or more


class Linear:
    """A model that is linear in raw units, in place of a network."""

    def __init__(self, dataset: Dataset) -> None:
        self.model = LinearRegression().fit(dataset.inputs.numpy(), dataset.y.numpy())

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.model.predict(x.numpy()))


def test_the_dependence_is_that_of_scikit_learn() -> None:
    dataset = numbers(rows=300)
    model: Any = Linear(dataset)
    ranked = Importance(("x2", "x1", "x3"), np.zeros((3, 1)), 1.0, 60, True)
    found = dependences(model, dataset, ranked)
    assert [each.column for each in found] == ["x2", "x1", "x3"]
    for each, place in zip(found, (1, 0, 2), strict=True):
        expected = partial_dependence(
            model.model,
            dataset.inputs.numpy(),
            [place],
            custom_values={place: each.values},
            kind="average",
        )
        assert each.predictions == pytest.approx(expected["average"][0], rel=1e-4)
        low, high = each.values[[0, -1]]
        inside = (low <= each.rows) & (each.rows <= high)
        assert 0.98 < inside.mean() < 1


def test_the_dependence_on_a_category_has_a_value_for_each_of_its_names() -> None:
    dataset = wages(rows=300)
    model: Any = Linear(dataset)
    town, age = dependences(model, dataset, permutation_importance(trained(dataset), dataset))
    assert (town.column, age.column) == ("town", "age")
    assert town.names == TOWNS
    assert np.diff(town.predictions) == pytest.approx([100, -50], abs=0.01)
    assert np.bincount(town.rows.astype(int)).tolist() == dataset.inputs[:, 1:].sum(dim=0).tolist()


def test_the_plane_is_predicted_in_raw_units_around_all_rows() -> None:
    dataset = numbers(features=2)
    weights = trained(dataset)
    found = plane(weights, dataset)
    assert found.predictions.shape == (len(found.y), len(found.x))
    point = torch.tensor([[found.x[7], found.y[100]]], dtype=torch.float32)
    assert found.predictions[100, 7] == pytest.approx(weights.predict(point).item(), rel=1e-4)
    assert dataset.test
    every = torch.cat([dataset.inputs, dataset.test.inputs]).double().numpy()
    for axis, values in ((found.x, every[:, 0]), (found.y, every[:, 1])):
        assert axis[0] < values.min()
        assert values.max() < axis[-1]


def test_regions_have_the_colour_of_the_likeliest_class() -> None:
    x = torch.tensor([[-1.0, 0], [1, 0], [-1, 1], [1, 1]]).repeat(5, 1)
    dataset = Dataset(
        x,
        (x[:, 0] > 0).long(),
        classes=("left", "right"),
        test=Rows(torch.tensor([[-0.5, 0.5]]), torch.tensor([1])),
    )
    sure = Weights(
        torch.tensor([[30.0, 0.0]]),
        torch.zeros(1),
        torch.tensor([[-1.0], [1.0]]),
        torch.tensor([3.0, -3.0]),
        "relu",
    )
    picture: Picture = draw_regions(sure, dataset)
    for place, at in enumerate((-0.8, 0.8)):
        expected = mixed("#ffffff", class_colour(place), 0.5)
        assert pixel(picture, at, 0.3) == pytest.approx(expected, abs=0.03)
    (legend,) = picture.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["left", "right", "training row", "test row", "wrong"]
    crosses = [
        each for each in picture.axes[0].collections if np.shape(each.get_offsets()) == (1, 2)
    ]
    assert len(crosses) == 2  # the test row itself, and its cross
