"""The fitting of columns to the training rows: their categories, and what fills missing cells."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.schema import OTHER, Column, Schema
from fitreel.data.table.cells import Cells
from fitreel.data.table.columns import Columns
from fitreel.data.table.limits import LONGEST_VALUE, MOST_VALUES, check_numbers
from fitreel.data.table.split import Mask
from fitreel.data.table.target import Target
from fitreel.settings import MissingName


def uselessness(cells: Cells) -> str:
    """Return why nothing can be learned from a column's training cells; "" if it can."""
    if cells.is_missing.all():
        return "it is empty in the training rows"
    if cells.kind != "category":
        numbers = _numbers(cells)
        return "" if numbers.min() < numbers.max() else "it is constant in the training rows"
    counts = _counts(cells)
    if len(counts) == 1:
        return "it is constant in the training rows"
    is_name = len(counts) > MOST_VALUES and max(counts.values()) == 1
    return "every row has another text" if is_name else ""


def fit_column(cells: Cells, name: str, missing: MissingName) -> Column:
    """Return how a column becomes features, from its training cells.

    A category keeps its most frequent texts; if more exist, the others are one feature. With mean
    and median, the most frequent value of texts and of truth values stands for missing ones.
    """
    fills = missing in ("mean", "median")
    if cells.kind == "category":
        counts = _counts(cells)
        # Of equally frequent ones the first by the alphabet, so that their order in the file, or
        # rows that are held out, decide nothing.
        ranked = sorted(counts, key=lambda text: (-counts[text], text))
        kept = [text for text in ranked if len(text) <= LONGEST_VALUE and text != OTHER]
        kept = sorted(kept[:MOST_VALUES])
        other = [OTHER] if len(kept) < len(ranked) else []
        return Column(name, "category", (*kept, *other), ranked[0] if fills else None)
    numbers = _numbers(cells)
    if cells.kind == "boolean":
        return Column(name, "boolean", (), float(numbers.mean() > 1 / 2) if fills else None)
    average = np.mean if missing == "mean" else np.median
    return Column(name, "number", (), float(np.float32(average(numbers))) if fills else None)


def fit_schema(
    columns: Columns, training: Mask, features: Sequence[str], target: Target, missing: MissingName
) -> Schema:
    """Return the schema that fits the training rows; ValueError if it is too large."""
    fitted = [fit_column(columns[name].of(training), name, missing) for name in features]
    schema = Schema(tuple(fitted), target.name, target.task, target.classes)
    if twice := [name for name, count in Counter(schema.features).items() if count > 1]:
        raise ValueError(f"two features would be called '{shown(twice[0])}'; rename a column")
    check_numbers("the table", columns.rows, len(schema.features))
    return schema


def _counts(cells: Cells) -> dict[str, int]:
    counts = np.bincount(cells.values[~cells.is_missing], minlength=len(cells.texts)).tolist()
    return {text: count for text, count in zip(cells.texts, counts, strict=True) if count}


def _numbers(cells: Cells) -> NDArray[np.float64]:
    return cells.values[~cells.is_missing].astype(np.float64)  # for a mean of a million numbers
