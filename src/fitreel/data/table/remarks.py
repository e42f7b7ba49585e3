"""The remarks about a table: what was decided about it, in sentences."""

import numpy as np

from fitreel.checks.text import shown
from fitreel.data.schema import Column, Schema
from fitreel.data.table.columns import Columns
from fitreel.data.table.file import TableFile
from fitreel.data.table.split import Mask
from fitreel.data.table.target import Target
from fitreel.settings import MissingName, TableSettings


def on_task(target: Target, settings: TableSettings) -> list[str]:
    """Return the sentence about a task that nobody has chosen."""
    return [f"the task is {target.task}: {target.why}"] if settings.task == "auto" else []


def on_names(source: TableFile, settings: TableSettings) -> list[str]:
    """Return the sentence about columns without a name, such as the row numbers of pandas."""
    unnamed = [str(place) for place, name in enumerate(source.schema.names, start=1) if not name]
    if settings.features or not unnamed:
        return []
    what = "column" if len(unnamed) == 1 else "columns"
    return [
        f"left out: {what} {', '.join(unnamed[:5])}{', …' * (len(unnamed) > 5)}, without a name"
    ]


def on_missing(columns: Columns, lost: Mask, schema: Schema, missing: MissingName) -> list[str]:
    """Return the sentences about rows that were dropped, and about values that were filled."""
    remarks = []
    if lost.any():
        remarks.append(
            f"dropped {lost.sum():,} of {columns.rows:,} rows, in which a value is missing"
        )
    for column in schema.columns:
        count = int(columns[column.name].is_missing.sum())
        if count and missing in ("mean", "median"):
            remarks.append(_filling(column, count, missing))
    return remarks


def on_classes(target: Target, training: Mask) -> list[str]:
    """Return a sentence for each class that a single row has."""
    if not target.classes:
        return []
    counts = np.bincount(target.y[training], minlength=len(target.classes))
    rare = [target.classes[place] for place in np.flatnonzero(counts == 1)]
    return [f"only one row to train on has the class '{shown(name)}'" for name in rare]


def _filling(column: Column, count: int, missing: MissingName) -> str:
    values = "1 missing value" if count == 1 else f"{count:,} missing values"
    if column.kind == "number":
        what = f"{column.fill:.6g}, the {missing}"
    elif column.kind == "boolean":
        what = f"{'true' if column.fill else 'false'}, the most frequent value"
    else:
        what = f"'{shown(str(column.fill), 40)}', the most frequent value"
    return f"filled {values} of '{shown(column.name)}' with {what}"
