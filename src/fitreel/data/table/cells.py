"""The cells of a column: texts of a file become numbers, truth values or categories."""

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from fitreel.checks.text import plain, shown

if TYPE_CHECKING:
    import pyarrow

# How cells are kept. precise: float64 for a target; raw: as they are, for what is only ordered.
CellKind = Literal["number", "precise", "boolean", "category", "raw"]
WANTED = {"number": "a number", "precise": "a number", "boolean": "true or false"}


def is_text(cells: "pyarrow.Array") -> bool:
    """Return whether an array of pyarrow holds texts."""
    from pyarrow import types

    return bool(types.is_string(cells.type) or types.is_large_string(cells.type))


def cleaned(texts: "pyarrow.Array") -> "pyarrow.Array":
    """Return texts without spaces around them; one that is blank is missing."""
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(texts)
    return compute.if_else(compute.equal(trimmed, ""), None, trimmed)


def narrowed(
    cells: "pyarrow.Array", kind: CellKind, name: str, first_row: int = 1
) -> "pyarrow.Array":
    """Return cells as their kind is kept: float32, float64, truth values, a dictionary of texts.

    Missing values are null. ``first_row`` is the number of the first cell's row, for errors.
    Raises ValueError, which names column and row, if a cell is not of this kind.
    """
    from pyarrow import types

    if kind == "raw":
        return cells
    if kind == "category":
        return _category(cells, name)
    if types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if kind == "boolean":
        return _truth(cells, name, first_row)
    return _finite(cells, kind, name, first_row)


def _finite(cells: "pyarrow.Array", kind: CellKind, name: str, first_row: int) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute

    numbers = _cast(cells, pyarrow.float64(), kind, name, first_row)
    numbers = compute.if_else(compute.is_nan(numbers), None, numbers)
    narrow = compute.cast(numbers, pyarrow.float32(), safe=False)
    infinite = compute.is_inf(narrow)
    if compute.any(infinite).as_py():
        place = compute.index(infinite, True).as_py()
        raise _refusal(name, numbers[place].as_py(), first_row + place, "finite in float32")
    return numbers if kind == "precise" else narrow


def _truth(cells: "pyarrow.Array", name: str, first_row: int) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute, types

    if not (is_text(cells) or types.is_boolean(cells.type)):
        numbers = _cast(cells, pyarrow.float64(), "boolean", name, first_row)
        wrong = compute.not_equal(compute.multiply(numbers, numbers), numbers)  # neither 0 nor 1
        if compute.any(wrong).as_py():
            place = compute.index(wrong, True).as_py()
            raise _refusal(name, numbers[place].as_py(), first_row + place, WANTED["boolean"])
        cells = numbers
    return _cast(cells, pyarrow.bool_(), "boolean", name, first_row)


def _category(cells: "pyarrow.Array", name: str) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute, types

    if not types.is_dictionary(cells.type):
        try:
            cells = compute.dictionary_encode(compute.cast(cells, pyarrow.string()))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
            raise ValueError(f"column '{shown(name)}' is of type {cells.type}, not text") from None
    # What a file calls its values is made harmless here, once: they become names of features.
    values = [plain(str(each).strip()) for each in cells.dictionary.to_pylist()]
    codes = cells.indices.cast(pyarrow.int32())
    if blank := [place for place, value in enumerate(values) if not value]:
        is_blank = compute.is_in(codes, pyarrow.array(blank, pyarrow.int32()))
        codes = compute.if_else(is_blank, None, codes)
    return pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(values, pyarrow.string()))


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
