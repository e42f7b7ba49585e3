"""The fitting of columns to the training rows: their categories, and what fills missing cells."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fitreel.checks.text import shown
from fitreel.data.schema import OTHER, Column, Schema
from fitreel.data.table.cells import CellKind
from fitreel.data.table.limits import LONGEST_VALUE, MOST_VALUES, check_columns, check_numbers
from fitreel.data.table.split import Mask
from fitreel.data.table.target import Target
from fitreel.settings import MissingName


def uselessness(cells: Any, kind: CellKind) -> str:
    """Return why nothing can be learned from a column's narrowed training cells; "" if it can."""
    if len(cells) == cells.null_count:
        return "it is empty in the training rows"
    if kind != "category":
        numbers = _numbers(cells)
        return "" if numbers.min() < numbers.max() else "it is constant in the training rows"
    counts = _counts(cells)
    if len(counts) == 1:
        return "it is constant in the training rows"
    is_name = len(counts) > MOST_VALUES and max(counts.values()) == 1
    return "every row has another text" if is_name else ""


def fit_column(cells: Any, name: str, kind: CellKind, missing: MissingName) -> Column:
    """Return how a column becomes features, from its narrowed training cells.

    A category keeps its most frequent texts; if more exist, the others are one feature. With mean
    and median, the most frequent value of texts and of truth values stands for missing ones.
    """
    fills = missing in ("mean", "median")
    if kind == "category":
        counts = _counts(cells)
        # Of equally frequent ones the first by the alphabet, so that their order in the file, or
        # rows that are held out, decide nothing.
        ranked = sorted(counts, key=lambda text: (-counts[text], text))
        kept = [text for text in ranked if len(text) <= LONGEST_VALUE and text != OTHER]
        kept = sorted(kept[:MOST_VALUES])
        other = [OTHER] if len(kept) < len(ranked) else []
        return Column(name, kind, (*kept, *other), ranked[0] if fills else None)
    numbers = _numbers(cells)
    if kind == "boolean":
        return Column(name, kind, (), float(numbers.mean() > 1 / 2) if fills else None)
    average = np.mean if missing == "mean" else np.median
    return Column(name, "number", (), float(np.float32(average(numbers))) if fills else None)


def fit_schema(
    rows: Any,
    training: Mask,
    features: Sequence[str],
    kept: dict[str, CellKind],
    target: Target,
    missing: MissingName,
) -> Schema:
    """Return the schema of narrowed rows, fitted to the training rows; ValueError if too large."""
    import pyarrow

    mask = pyarrow.array(training)
    columns = tuple(
        fit_column(rows[name].filter(mask), name, kept[name], missing) for name in features
    )
    schema = Schema(columns, target.name, target.task, target.classes)
    if twice := [name for name, count in Counter(schema.features).items() if count > 1]:
        raise ValueError(f"two features would be called '{shown(twice[0])}'; rename a column")
    check_columns("the table", len(schema.features), "features")
    check_numbers("the table", len(rows), len(schema.features))
    return schema


def _counts(cells: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in cells.chunks:
        codes = chunk.indices.drop_null().to_numpy()
        found = np.bincount(codes, minlength=len(chunk.dictionary)).tolist()
        for text, count in zip(chunk.dictionary.to_pylist(), found, strict=True):
            if count:
                counts[text] += count
    return counts


def _numbers(cells: Any) -> Any:
    import pyarrow

    cells = cells.drop_null()
    if pyarrow.types.is_boolean(cells.type):
        cells = cells.cast(pyarrow.uint8())
    return cells.cast(pyarrow.float64()).to_numpy()  # in float64: a mean of a million numbers
