"""The permutation importance: how much worse a network predicts if a column is shuffled."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset, Rows
from fitreel.training.activations import ACTIVATIONS
from fitreel.training.scores import network_error, outputs_error
from fitreel.training.weights import Weights

REPEATS = 10
MOST_ROWS, FEWEST_ROWS = 5_000, 200
MOST_VALUES = 500_000_000  # of neurons that are computed: two seconds


@dataclass(frozen=True, eq=False)
class Importance:
    """How much the error grows if a column is shuffled, the most important column first.

    The error is the root error in raw units, or the log loss of classes.
    """

    columns: tuple[str, ...]
    growth: NDArray[np.float64]  # (columns, repeats)
    error: float  # of the same rows, with no column shuffled
    rows: int
    of_test_rows: bool

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean over the repeats, which never rises: (columns,)."""
        mean: NDArray[np.float64] = self.growth.mean(axis=1)
        return mean


def permutation_importance(
    weights: Weights, dataset: Dataset, repeats: int = REPEATS, seed: int = 0
) -> Importance:
    """Shuffle one column after the other and measure the error, on test rows if there are any.

    The features of a category are shuffled together. Of many rows a sample is used; it and the
    orders of the rows follow from the seed.
    """
    columns = feature_columns(dataset)
    generator = np.random.default_rng(seed)
    most = MOST_VALUES // (len(columns) * repeats * weights.shape.hidden)
    rows = _sample(dataset.test or dataset, max(FEWEST_ROWS, min(MOST_ROWS, most)), generator)
    error = network_error(weights, rows)
    orders = [torch.from_numpy(generator.permutation(len(rows))) for _ in range(repeats)]
    growth = _errors(weights, rows, list(columns.values()), orders) - error
    order = np.argsort(-growth.mean(axis=1), kind="stable")
    names = list(columns)
    return Importance(
        tuple(names[place] for place in order),
        growth[order],
        error,
        len(rows),
        dataset.test is not None,
    )


def feature_columns(dataset: Dataset) -> dict[str, slice]:
    """Return the features of each column of the dataset's table, by its name."""
    if dataset.schema is None:
        return {name: slice(place, place + 1) for place, name in enumerate(dataset.features)}
    return dataset.schema.parts


def _sample(rows: Rows | Dataset, most: int, generator: np.random.Generator) -> Rows:
    if len(rows) <= most:
        return Rows(rows.inputs, rows.y)
    places = torch.from_numpy(generator.choice(len(rows), most, replace=False))
    return Rows(rows.inputs[places], rows.y[places])


def _errors(
    weights: Weights, rows: Rows, columns: list[slice], orders: list[torch.Tensor]
) -> NDArray[np.float64]:
    """Return the error for each column and order of its rows: (columns, orders)."""
    inputs = weights.scaling.inputs(rows.inputs) if weights.scaling else rows.inputs
    before = weights.hidden_inputs(rows.inputs)
    activate = ACTIVATIONS[weights.activation][1]
    errors = np.empty((len(columns), len(orders)))
    for place, column in enumerate(columns):
        # The other features do not change what they add to the neurons: with 2000 of them it would
        # take a thousand times as long to compute it again.
        added = inputs[:, column] @ weights.input_weight[:, column].mT
        for repeat, order in enumerate(orders):
            active = activate(before + (added[order] - added))
            outputs = active @ weights.output_weight.mT + weights.output_bias
            errors[place, repeat] = outputs_error(weights, outputs, rows)
    return errors
