"""Small datasets with test rows, as a table becomes one."""

import torch

from fitreel.data.dataset import Dataset, Rows
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Column, Schema

TOWNS = ("Köln", "Ulm", "other")
WAGES = Schema((Column("age", "number"), Column("town", "category", TOWNS)), "wage", "regression")


def split(x: torch.Tensor, y: torch.Tensor, **names: object) -> Dataset:
    """Return the first fifth of rows as test rows, the others for the training."""
    test, kept = slice(len(x) // 5), slice(len(x) // 5, None)
    scaling = Scaling.of(x[kept], y[kept])
    return Dataset(x[kept], y[kept], scaling=scaling, test=Rows(x[test], y[test]), **names)  # type: ignore[arg-type]


def numbers(rows: int = 100, features: int = 3) -> Dataset:
    """Return rows whose target depends on the first feature, a bit on the second, on no other."""
    generator = torch.Generator().manual_seed(0)
    x = 100 + 5 * torch.randn(rows, features, generator=generator)
    noise = torch.randn(rows, generator=generator)
    y = 10 * x[:, 0] + 2 * x[:, 1 % features] + noise
    return split(x, y, target="price")


def wages(rows: int = 100) -> Dataset:
    """Return rows with a column that became three features, on which the target depends most."""
    generator = torch.Generator().manual_seed(2)
    age = 40 + 10 * torch.randn(rows, generator=generator)
    town = torch.randint(0, 3, (rows,), generator=generator)
    x = torch.column_stack([age, torch.eye(3)[town]])
    y = age + torch.tensor([0.0, 100.0, 50.0])[town]
    return split(x, y, schema=WAGES, features=WAGES.features, target="wage")


def classes(rows: int = 100, count: int = 3, features: int = 2) -> Dataset:
    """Return rows of classes that follow from the sum of the first two features, and noise."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, features, generator=generator)
    score = x[:, 0] + x[:, 1] + 0.3 * torch.randn(rows, generator=generator)
    y = torch.bucketize(score, torch.quantile(score, torch.arange(1, count) / count))
    return split(x, y, classes=tuple(f"class {place}" for place in range(count)), target="kind")
