"""A small table of houses for tests: its schema, its rows, and networks with any weights."""

from collections.abc import Sequence

import torch

from fitreel.data.dataset import Dataset
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Column, Schema
from fitreel.settings import ActivationName
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights

COLUMNS = (
    Column("size", "number"),
    Column("new", "boolean", fill=0.0),
    Column("town", "category", ("Rome", "Ulm", "other"), "Ulm"),
)
ROWS = 40


def houses(classes: Sequence[str] = (), seed: int = 0) -> Dataset:
    """Return random houses, with prices or with classes."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.zeros(ROWS, 5)
    inputs[:, 0] = 100 + 30 * torch.randn(ROWS, generator=generator)
    inputs[:, 1] = torch.randint(2, (ROWS,), generator=generator)
    inputs[torch.arange(ROWS), 2 + torch.randint(3, (ROWS,), generator=generator)] = 1
    y = 1000 * torch.randn(ROWS, generator=generator)
    if classes:
        y = torch.randint(len(classes), (ROWS,), generator=generator)
    schema = Schema(COLUMNS, "price", "classification" if classes else "regression", tuple(classes))
    return Dataset(
        inputs,
        y,
        features=schema.features,
        target="price",
        classes=classes,
        scaling=Scaling.of(inputs, y),
        schema=schema,
    )


def network(
    dataset: Dataset, hidden: int = 7, activation: ActivationName = "tanh", seed: int = 0
) -> Weights:
    """Return a network with random weights."""
    shape = NetworkShape(hidden, dataset.inputs.shape[1], dataset.outputs)
    flat = torch.randn(shape.size, generator=torch.Generator().manual_seed(seed))
    return Weights.from_flat(flat, activation, shape, dataset.scaling)
