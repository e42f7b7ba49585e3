"""The target of a table: its task, and its numbers or its classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.checks.text import shown
from fitreel.data.schema import Task
from fitreel.data.table.cells import Cells
from fitreel.data.table.limits import FEW, LONGEST_VALUE
from fitreel.settings import MOST_CLASSES, TaskChoice


@dataclass(frozen=True, eq=False)
class Target:
    """What is predicted, of all rows of a file."""

    name: str
    task: Task
    why: str  # this task
    classes: tuple[str, ...]  # none: a regression
    y: NDArray[Any]  # (rows,): float64, nan where it is missing; or places in classes, -1 there

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which rows lack it: (rows,)."""
        return self.y < 0 if self.classes else np.isnan(self.y)

    def of(self, rows: NDArray[np.bool_]) -> Tensor:
        """Return the target of some rows as a dataset has it: float32, or int64 for classes."""
        return torch.from_numpy(self.y[rows].astype(np.int64 if self.classes else np.float32))


def read_target(cells: Cells, name: str, choice: TaskChoice) -> Target:
    """Return the target from the cells of all rows; ValueError if it does not fit the task."""
    said = shown(name)
    is_text, is_boolean = cells.kind == "category", cells.kind == "boolean"
    if choice == "regression" and is_text:
        raise ValueError(f"the target '{said}' holds text; a regression needs numbers")
    if choice == "classification" or (choice == "auto" and (is_text or is_boolean)):
        what = "text" if is_text else "true and false" if is_boolean else "numbers"
        return _classified(cells, name, f"'{said}' holds {what}")
    y = cells.values
    values = np.unique(y[~np.isnan(y)])
    if len(values) == 1:
        raise ValueError(f"the target '{said}' is {values[0]:g} in every row")
    if choice == "auto" and len(values) <= FEW and (values == np.round(values)).all():
        return _classified(cells, name, f"'{said}' holds {len(values)} different whole numbers")
    return Target(name, "regression", f"'{said}' holds numbers", (), y)


def read_same_target(cells: Cells, first: Target, file: str) -> Target:
    """Return the target of another file, in which no class may be new."""
    if not first.classes:
        return Target(first.name, first.task, first.why, (), cells.values)
    codes, names = _coded(cells)
    if unknown := [name for name in names if name not in first.classes]:
        raise ValueError(
            f"{file} has the class '{shown(unknown[0])}', which no row to train on has"
        )
    places = np.array([*map(first.classes.index, names), -1], np.int64)
    return Target(first.name, first.task, first.why, first.classes, places[codes])


def _classified(cells: Cells, name: str, why: str) -> Target:
    codes, names = _coded(cells)
    said = f"the target '{shown(name)}'"
    if not names:
        raise ValueError(f"{said} is missing in every row")
    if len(names) == 1:
        raise ValueError(f"{said} is '{shown(names[0])}' in every row")
    if len(names) > MOST_CLASSES:
        raise ValueError(
            f"{said} has {len(names):,} different values; at most {MOST_CLASSES} are classes"
        )
    if cells.kind == "precise" and any("." in each for each in names):
        raise ValueError(f"{said} holds numbers with decimals, which are not classes")
    if longest := max(names, key=len)[LONGEST_VALUE:]:
        raise ValueError(f"{said} has a class of {LONGEST_VALUE + len(longest):,} letters")
    return Target(name, "classification", why, tuple(names), codes)


def _coded(cells: Cells) -> tuple[NDArray[np.int64], list[str]]:
    """Return places of rows in names, and the names in order; a missing one has the place -1."""
    if cells.kind == "category":
        names = sorted(cells.texts)
        order = np.array([*map(names.index, cells.texts), -1], np.int64)
        return order[cells.values], names
    present = ~cells.is_missing
    values, codes = np.unique(cells.values[present], return_inverse=True)
    places = np.full(len(present), -1, np.int64)
    places[present] = codes
    if cells.kind == "boolean":
        return places, ["true" if value else "false" for value in values]
    return places, [f"{value:.0f}" if value.is_integer() else str(value) for value in values]
