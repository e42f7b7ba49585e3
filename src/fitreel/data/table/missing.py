"""The missing values of a table: refused, or the rows that lack them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.table.columns import Columns
from fitreel.settings import MissingName


def check_complete(columns: Columns, names: Sequence[str], file: str) -> None:
    """Raise ValueError, with column, count and first row, if a value is missing."""
    lacking = [name for name in names if columns[name].is_missing.any()]
    if not lacking:
        return
    is_missing = columns[lacking[0]].is_missing
    count, first = int(is_missing.sum()), 1 + int(is_missing.argmax())
    where = (
        "1 missing value, in row" if count == 1 else f"{count:,} missing values, the first in row"
    )
    others = len(lacking) - 1
    also = f" ({others:,} more column{'s have' if others > 1 else ' has'} some)" if others else ""
    raise ValueError(
        f"column '{shown(lacking[0])}' of {file} has {where} {first:,}{also}: choose --missing "
        "drop, mean or median"
    )


def incomplete(
    columns: Columns, features: Sequence[str], others: Sequence[str], missing: MissingName
) -> NDArray[np.bool_]:
    """Return which rows are dropped: (rows,). A feature may be filled, other columns never are."""
    dropped = np.zeros(columns.rows, bool)
    for name in (*others, *(features if missing == "drop" else ())):
        dropped |= columns[name].is_missing
    return dropped
