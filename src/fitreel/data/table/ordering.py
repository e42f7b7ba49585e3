"""The order of rows in time, and the groups that they belong to."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.table.cells import cleaned, is_text

FORMATS = ("%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%H:%M", "%H:%M:%S")


def ranks(cells: Any) -> NDArray[np.int64]:
    """Return the rank of each cell among the different values, from 1; of a missing one, any."""
    import pyarrow
    from pyarrow import compute

    if pyarrow.types.is_dictionary(cells.type) or pyarrow.types.is_boolean(cells.type):
        cells = cells.cast(pyarrow.string())
    ranked = compute.rank(cells, sort_keys="ascending", tiebreaker="dense")
    return np.asarray(ranked.to_numpy(zero_copy_only=False), np.int64)


def times(cells: Any, name: str) -> Any:
    """Return cells that can be ordered in time; ValueError if their format is not clear."""
    import pyarrow
    from pyarrow import compute

    if not is_text(cells):
        return cells
    cells = cleaned(cells)
    for zone in (None, "UTC"):
        try:
            return compute.cast(cells, pyarrow.timestamp("us", zone))
        except pyarrow.ArrowInvalid:
            continue
    for form in FORMATS:
        parsed = compute.strptime(cells, form, "s", error_is_null=True)
        if parsed.null_count == cells.null_count:
            return parsed
    raise ValueError(
        f"column '{shown(name)}' of time has dates in a format that is not clear; "
        "write them like 2026-01-31"
    )
