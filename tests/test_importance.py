"""The permutation importance, against shuffling rows and predicting them again."""

import numpy as np
import pytest
import torch

from fitreel.data.dataset import Dataset, Rows
from fitreel.settings import TrainingSettings
from fitreel.training import importance
from fitreel.training.importance import feature_columns, permutation_importance
from fitreel.training.loop import fit
from fitreel.training.scores import network_error
from tests.rows import TOWNS, classes, numbers, wages

SETTINGS = TrainingSettings(hidden=8, optimizer="adam", lr=0.01, epochs=200)


@pytest.mark.parametrize(
    "dataset", [numbers(), wages(), classes()], ids=["numbers", "wages", "classes"]
)
def test_the_growth_is_that_of_predicting_shuffled_rows(dataset: Dataset) -> None:
    weights = fit(dataset, SETTINGS).network.weights()
    found = permutation_importance(weights, dataset, repeats=3, seed=5)
    test, generator = dataset.test, np.random.default_rng(5)
    assert test
    orders = [generator.permutation(len(test)) for _ in range(3)]
    assert found.error == network_error(weights, test)
    assert (found.rows, found.of_test_rows) == (len(test), True)
    for name, growth in zip(found.columns, found.growth, strict=True):
        place = feature_columns(dataset)[name]
        for order, expected in zip(orders, growth, strict=True):
            inputs = test.inputs.clone()
            inputs[:, place] = inputs[order, place]
            error = network_error(weights, Rows(inputs, test.y))
            assert error - found.error == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_the_most_important_column_is_first() -> None:
    dataset = numbers()
    found = permutation_importance(fit(dataset, SETTINGS).network.weights(), dataset)
    assert found.columns[:2] == ("x1", "x2")
    assert (np.diff(found.mean) <= 0).all()
    assert found.growth.shape == (3, importance.REPEATS)
    again = permutation_importance(fit(dataset, SETTINGS).network.weights(), dataset)
    assert np.array_equal(found.growth, again.growth)


def test_the_features_of_a_category_are_one_column() -> None:
    dataset = wages()
    assert feature_columns(dataset) == {"age": slice(0, 1), "town": slice(1, 1 + len(TOWNS))}
    found = permutation_importance(fit(dataset, SETTINGS).network.weights(), dataset)
    assert found.columns == ("town", "age")
    by_hand = numbers()
    assert feature_columns(by_hand) == {f"x{n + 1}": slice(n, n + 1) for n in range(3)}


def test_without_test_rows_the_training_rows_are_shuffled() -> None:
    dataset = numbers()
    alone = Dataset(dataset.x, dataset.y, scaling=dataset.scaling)
    found = permutation_importance(fit(dataset, SETTINGS).network.weights(), alone)
    assert (found.rows, found.of_test_rows) == (len(dataset), False)


def test_of_many_rows_and_columns_a_sample_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = classes(rows=3000)
    weights = fit(dataset, SETTINGS, epochs=5).network.weights()
    monkeypatch.setattr(importance, "MOST_ROWS", 300)
    assert permutation_importance(weights, dataset).rows == 300
    monkeypatch.setattr(importance, "MOST_VALUES", 1)
    assert permutation_importance(weights, dataset).rows == importance.FEWEST_ROWS


def test_a_column_that_is_shuffled_alone_in_constant_rows_costs_nothing() -> None:
    x = torch.column_stack([torch.arange(30.0), torch.ones(30)])
    dataset = Dataset(x, x[:, 0])
    found = permutation_importance(fit(dataset, epochs=10, lr=1e-4).network.weights(), dataset)
    assert found.columns[1] == "x2"
    assert not found.growth[1].any()
