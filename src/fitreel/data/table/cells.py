"""The cells of a column: texts of a file become numbers, truth values or categories."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import plain, shown

if TYPE_CHECKING:
    import pyarrow

LARGEST = float(np.finfo(np.float32).max)
# What cells become: float32, float64 for a target and for moments, 0 or 1, places in texts.
CellKind = Literal["number", "precise", "time", "boolean", "category"]
WANTED = {
    "number": "a number",
    "precise": "a number",
    "time": "a date like 2026-01-31",
    "boolean": "true or false",
}
FORMATS = ("%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%H:%M", "%H:%M:%S")


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a column, each as small as its kind allows."""

    kind: CellKind
    # (rows,): numbers, nan where one is missing; of a category int32 places in texts, -1 there
    values: NDArray[Any]
    texts: tuple[str, ...] = ()

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which cells have no value: (rows,)."""
        return self.values < 0 if self.kind == "category" else np.isnan(self.values)

    def of(self, rows: NDArray[np.bool_]) -> "Cells":
        """Return the cells of some rows."""
        return Cells(self.kind, self.values[rows], self.texts)


def is_text(cells: "pyarrow.Array") -> bool:
    """Return whether an array of pyarrow holds texts."""
    from pyarrow import types

    return bool(types.is_string(cells.type) or types.is_large_string(cells.type))


def cleaned(texts: "pyarrow.Array") -> "pyarrow.Array":
    """Return texts without spaces around them; one that is blank is missing."""
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(texts)
    return compute.if_else(compute.equal(trimmed, ""), None, trimmed)


def read_cells(array: "pyarrow.Array", kind: CellKind, name: str, first_row: int = 1) -> Cells:
    """Return the cells of a column, or of a part of it.

    ``first_row`` is the number of the first cell's row, for errors. Raises ValueError, which names
    column and row, if a cell is not of this kind.
    """
    import pyarrow
    from pyarrow import types

    if kind == "category":
        return _category(array, name)
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind == "boolean":
        numbers = _truth(array, name, first_row)
    elif kind == "time":
        numbers = _moments(array, name)
    else:
        numbers = _cast(array, pyarrow.float64(), kind, name, first_row)
    # to_numpy writes nan where a value is missing.
    values = np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)
    _check_finite(values, name, first_row)
    return Cells(kind, values if kind in ("precise", "time") else values.astype(np.float32))


def _check_finite(values: NDArray[np.float64], name: str, first_row: int) -> None:
    infinite = np.abs(values) > LARGEST
    if infinite.any():
        place = int(infinite.argmax())
        raise _refusal(name, float(values[place]), first_row + place, "finite in float32")


def _truth(array: "pyarrow.Array", name: str, first_row: int) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute, types

    if is_text(array) or types.is_boolean(array.type):
        truth = _cast(array, pyarrow.bool_(), "boolean", name, first_row)
        return compute.cast(compute.cast(truth, pyarrow.uint8()), pyarrow.float64())
    numbers = _cast(array, pyarrow.float64(), "boolean", name, first_row)
    wrong = compute.not_equal(compute.multiply(numbers, numbers), numbers)  # neither 0 nor 1
    if compute.any(wrong).as_py():
        place = compute.index(wrong, True).as_py()
        raise _refusal(name, numbers[place].as_py(), first_row + place, WANTED["boolean"])
    return numbers


def _moments(array: "pyarrow.Array", name: str) -> "pyarrow.Array":
    """Return moments as numbers that are ordered as they are."""
    import pyarrow
    from pyarrow import compute, types

    if is_text(array):
        array = _parsed(cleaned(array), name)
    if types.is_date(array.type) or types.is_timestamp(array.type):
        array = compute.cast(array, pyarrow.timestamp("us"), safe=False)
    elif types.is_time32(array.type):
        array = compute.cast(array, pyarrow.int32())
    return compute.cast(compute.cast(array, pyarrow.int64()), pyarrow.float64(), safe=False)


def _parsed(texts: "pyarrow.Array", name: str) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute

    for zone in (None, "UTC"):
        with suppress(pyarrow.ArrowInvalid):
            return compute.cast(texts, pyarrow.timestamp("us", zone))
    for form in FORMATS:
        parsed = compute.strptime(texts, form, "s", error_is_null=True)
        if parsed.null_count == texts.null_count:
            return parsed
    raise ValueError(
        f"column '{shown(name)}' has dates in a format that is not clear; "
        "write all of them like 2026-01-31"
    )


def _category(array: "pyarrow.Array", name: str) -> Cells:
    import pyarrow
    from pyarrow import compute, types

    if not types.is_dictionary(array.type):
        try:
            array = compute.dictionary_encode(compute.cast(array, pyarrow.string()))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
            raise ValueError(f"column '{shown(name)}' is of type {array.type}, not text") from None
    # What a file calls its values is made harmless here, once: they become names of features.
    texts = tuple(plain(str(each).strip()) for each in array.dictionary.to_pylist())
    codes = array.indices.cast(pyarrow.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    if "" in texts:
        codes = np.array([*(-1 if not each else at for at, each in enumerate(texts)), -1])[codes]
    return Cells("category", codes.astype(np.int32, copy=False), texts)


def _cast(
    cells: "pyarrow.Array", to: "pyarrow.DataType", kind: CellKind, name: str, first_row: int
) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute

    failures = (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError)
    with suppress(*failures):
        return compute.cast(cells, to, safe=False)
    if is_text(cells):
        cells = cleaned(cells)
        with suppress(*failures):
            return compute.cast(cells, to)
    for place, cell in enumerate(cells):
        try:
            compute.cast(cell, to)
        except failures:
            raise _refusal(name, cell.as_py(), first_row + place, WANTED[kind]) from None
    raise ValueError(f"column '{shown(name)}' is of type {cells.type}, not {WANTED[kind]}")


def _refusal(name: str, value: object, row: int, wanted: str) -> ValueError:
    seen = shown(repr(value), 40)
    return ValueError(f"column '{shown(name)}' has {seen} in row {row:,}; it must be {wanted}")
