"""The target of a table: its task, and its numbers or its classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.schema import Task
from fitreel.data.table.limits import FEW, MOST_CLASSES
from fitreel.data.table.survey import Survey
from fitreel.settings import TaskChoice


@dataclass(frozen=True, eq=False)
class Target:
    """What is predicted, of all rows."""

    task: Task
    why: str
    classes: tuple[str, ...]
    y: NDArray[Any]  # (rows,): float64, nan where it is missing; or places in classes, -1 there

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows lack it: (rows,)."""
        return np.isnan(self.y) if self.task == "regression" else self.y < 0


def read_target(cells: Any, found: Survey, choice: TaskChoice) -> Target:
    """Return the target, from narrowed cells; ValueError if it does not fit the task."""
    name = shown(found.name)
    if found.kind == "category" or found.kind == "boolean":
        what = "texts" if found.kind == "category" else "truth values"
        if choice == "regression" and found.kind == "category":
            raise ValueError(f"'{name}' holds {what}, which a regression cannot predict")
        if choice != "regression":
            return _classes(*_coded(cells), f"'{name}' holds {what}", name)
    numbers = np.asarray(cells.cast("float64").to_numpy(), np.float64)
    values = np.unique(numbers[~np.isnan(numbers)])
    whole = bool((values == np.round(values)).all())
    if choice == "classification" and not whole:
        raise ValueError(f"'{name}' holds numbers with decimals, which are not classes")
    if choice == "classification" or (choice == "auto" and whole and len(values) <= FEW):
        codes = np.searchsorted(values, numbers)
        codes[np.isnan(numbers)] = -1
        why = f"'{name}' holds {len(values)} different whole numbers"
        return _classes(codes, [f"{value:.0f}" for value in values], why, name)
    return Target("regression", f"'{name}' holds numbers", (), numbers)


def _coded(cells: Any) -> tuple[NDArray[np.int64], list[str]]:
    import pyarrow

    if pyarrow.types.is_boolean(cells.type):
        cells = cells.cast(pyarrow.string())
    cells = cells.cast(pyarrow.string()).combine_chunks().dictionary_encode()
    values = cells.dictionary.to_pylist()
    ordered = sorted(values)
    places = np.array([*map(ordered.index, values), -1], np.int64)
    codes = cells.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return places[codes], ordered


def _classes(codes: NDArray[np.int64], values: list[str], why: str, name: str) -> Target:
    if len(values) > MOST_CLASSES:
        raise ValueError(
            f"'{name}' has {len(values):,} different values; "
            f"a classification has at most {MOST_CLASSES} classes"
        )
    return Target("classification", why, tuple(values), codes)
