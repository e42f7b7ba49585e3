"""The fitting of columns to the training rows: their categories, and what fills missing cells."""

from typing import Any

import numpy as np

from fitreel.data.schema import OTHER, Column
from fitreel.data.table.cells import CellKind
from fitreel.data.table.limits import LONGEST_VALUE, MOST_VALUES
from fitreel.settings import MissingName


def fit_column(cells: Any, name: str, kind: CellKind, missing: MissingName) -> Column:
    """Return how a column becomes features, from its narrowed cells in the training rows."""
    fills = missing in ("mean", "median")
    if kind == "category":
        values = by_frequency(cells)
        kept = [each for each in values if len(each) <= LONGEST_VALUE and each != OTHER]
        kept = kept[:MOST_VALUES]
        rest = len(kept) < len(values)
        return Column(
            name, "category", (*sorted(kept), *[OTHER] * rest), values[0] if fills else None
        )
    numbers = cells.drop_null().cast("float64").to_numpy()
    if kind == "boolean":
        return Column(
            name, "boolean", (), float(2 * numbers.sum() > len(numbers)) if fills else None
        )
    average = np.mean if missing == "mean" else np.median
    return Column(name, "number", (), float(average(numbers)) if fills else None)


def by_frequency(cells: Any) -> list[str]:
    """Return the different texts of a column, the most frequent first; equals by the alphabet."""
    import pyarrow

    whole = cells.combine_chunks()
    if isinstance(whole, pyarrow.ChunkedArray):
        whole = whole.unify_dictionaries().chunk(0)
    codes = whole.indices.drop_null().to_numpy()
    counts = np.bincount(codes, minlength=len(whole.dictionary)).tolist()
    pairs = zip(whole.dictionary.to_pylist(), counts, strict=True)
    found = [(-count, text) for text, count in pairs if count]
    return [text for _, text in sorted(found)]
