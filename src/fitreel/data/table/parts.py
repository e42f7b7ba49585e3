"""The parts of a table: which rows train, which stop a training early, and which test it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fitreel.checks.text import shown
from fitreel.data.table.cells import Cells
from fitreel.data.table.choice import Choice
from fitreel.data.table.columns import Columns
from fitreel.data.table.split import Mask, Rule, hold_out
from fitreel.data.table.target import Target
from fitreel.settings import TableSettings


@dataclass(frozen=True, eq=False)
class Parts:
    """Masks of shape (rows,); no row is in two of them."""

    training: Mask
    validation: Mask
    test: Mask

    def without(self, lost: Mask) -> "Parts":
        """Return the parts without some rows."""
        return Parts(self.training & ~lost, self.validation & ~lost, self.test & ~lost)


def divide(
    columns: Columns,
    target: Target,
    choice: Choice,
    settings: TableSettings,
    seed: int,
    test_size: float,
) -> Parts:
    """Return the parts of a table; ValueError if there is nothing to hold out.

    All rows take part, those with missing values, too: which values a row has changes nothing for
    the others, except for its class, group and time.
    """
    rule = Rule(
        seed,
        strata=target.y + 1 if target.classes else None,
        groups=columns[choice.group].values if choice.group else None,
        times=columns[choice.time].values if choice.time else None,
        column=choice.group or choice.time,
    )
    none, rest = np.zeros(columns.rows, bool), np.ones(columns.rows, bool)
    test = hold_out(test_size, rule, rest) if test_size else none
    rest = rest & ~test
    share = settings.validation_size
    validation = hold_out(share, rule, rest) if share else none
    return Parts(rest & ~validation, validation, test)


def check_rows(training: int, rows: int) -> None:
    """Raise ValueError unless two rows or more are left to train on."""
    if training < 2:
        found = f"{training} of {rows:,} rows" if training < rows else "one row"
        raise ValueError(f"{found} to train on: two or more are needed")


def check_training(target: Target, training: Mask) -> None:
    """Raise ValueError unless something can be learned from the training rows."""
    y = target.y[training]
    check_rows(len(y), len(training))
    if not target.classes:
        if y.min() == y.max():
            raise ValueError(f"'{shown(target.name)}' is {y[0]:g} in every row to train on")
        return
    counts = np.bincount(y, minlength=len(target.classes))
    if not counts.all():
        lacking = shown(target.classes[int(counts.argmin())])
        raise ValueError(
            f"no row to train on has the class '{lacking}': all are held out or dropped"
        )


def check_groups(training: Cells, test: Cells, name: str, file: str) -> None:
    """Raise ValueError if a group of the rows to train on is in the file of test rows, too."""
    if both := sorted(_groups(training) & _groups(test)):
        group = shown(f"{both[0]:.15g}" if isinstance(both[0], float) else both[0], 40)
        more = f", and {len(both) - 1:,} more" if len(both) > 1 else ""
        raise ValueError(
            f"{file} has the group '{group}', which has rows to train on{more}: no '{shown(name)}' "
            "may be in both files"
        )


def _groups(cells: Cells) -> set[Any]:
    found = cells.values[~cells.is_missing]
    return set(cells.texts) if cells.kind == "category" else set(np.unique(found).tolist())
