"""The missing values of a table: refused, or the rows that lack them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.settings import MissingName

if TYPE_CHECKING:
    import pyarrow


def check_complete(rows: "pyarrow.Table", columns: Sequence[str], file: str) -> None:
    """Raise ValueError, with column, count and first row, if a value is missing."""
    lacking = [name for name in columns if rows[name].null_count]
    if not lacking:
        return
    cells = rows[lacking[0]]
    count, first = cells.null_count, 1 + cells.is_null().index(True).as_py()
    values = (
        "1 missing value, in row" if count == 1 else f"{count:,} missing values, the first in row"
    )
    others = len(lacking) - 1
    also = f" ({others:,} more column{'s' * (others > 1)} have some)" if others else ""
    raise ValueError(
        f"column '{shown(lacking[0])}' of {file} has {values} {first:,}{also}: choose --missing "
        "drop, mean or median"
    )


def incomplete(
    rows: "pyarrow.Table", features: Sequence[str], others: Sequence[str], missing: MissingName
) -> NDArray[np.bool_]:
    """Return which rows are dropped: (rows,). A feature may be filled, other columns never are."""
    dropped = np.zeros(len(rows), bool)
    for name in (*others, *(features if missing == "drop" else ())):
        if rows[name].null_count:
            dropped |= rows[name].is_null().to_numpy()
    return dropped
