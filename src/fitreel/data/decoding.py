"""The decoding: features become the columns of a table again, as its schema says."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.data.schema import OTHER, Column, Schema


def decode(schema: Schema, features: NDArray[np.float32]) -> dict[str, list[Any]]:
    """Return the columns of rows, by name: numbers, truth values and texts.

    ``features`` are (rows, features). A text that has no feature of its own becomes "other".
    """
    parts = schema.parts
    return {each.name: _cells(each, features[:, parts[each.name]]) for each in schema.columns}


def _cells(column: Column, part: NDArray[np.float32]) -> list[Any]:
    if column.kind == "category":
        places = np.where(part.any(axis=1), part.argmax(axis=1), len(column.values))
        return [(*column.values, OTHER)[place] for place in places]
    if column.kind == "boolean":
        return [bool(number) for number in part[:, 0]]
    return [float(str(number)) for number in part[:, 0]]  # as few digits as float32 needs
