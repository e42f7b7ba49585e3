"""The cells of a column: texts of a file become numbers, truth values or categories."""

from typing import TYPE_CHECKING, Literal

from fitreel.checks.text import plain, shown

if TYPE_CHECKING:
    import pyarrow

CellKind = Literal["number", "precise", "boolean", "category"]  # precise: float64, not float32
NUMBER = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"
DATE = (
    r"^(\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}([./-])\d{1,2}[./-](\d{4}|\d{2}))"
    r"([T ]\d{1,2}:\d{2}\S*)?$|^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
)


def is_text(cells: "pyarrow.Array") -> bool:
    """Return whether an array of pyarrow holds texts."""
    from pyarrow import types

    return bool(types.is_string(cells.type) or types.is_large_string(cells.type))


def as_numbers(cells: "pyarrow.Array") -> "pyarrow.Array":
    """Return texts as float64; pyarrow.ArrowInvalid if one is not a number.

    1,5 is a number as 1.5 is, if no text of the array has a point: what splits lines at commas
    cannot have it, other than in quotes.
    """
    import pyarrow
    from pyarrow import compute

    try:
        return compute.cast(cells, pyarrow.float64())
    except pyarrow.ArrowInvalid:
        trimmed = compute.utf8_trim_whitespace(cells)
        if compute.any(compute.match_substring(trimmed, ".")).as_py():
            return compute.cast(trimmed, pyarrow.float64())
        return compute.cast(compute.replace_substring(trimmed, ",", "."), pyarrow.float64())


def narrowed(
    cells: "pyarrow.Array", kind: CellKind, name: str, first_row: int = 1
) -> "pyarrow.Array":
    """Return cells as their kind is kept: float32, float64, truth values, or a dictionary of texts.

    Missing values are null. ``first_row`` is the number of the first cell's row, for errors.
    Raises ValueError, which names column and row, if a cell is not of this kind.
    """
    import pyarrow
    from pyarrow import compute, types

    if kind == "category":
        return _as_category(cells)
    if types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if kind == "boolean":
        return _cast(cells, pyarrow.bool_(), name, first_row, "true or false")
    if is_text(cells):
        try:
            numbers = as_numbers(cells)
        except pyarrow.ArrowInvalid:
            _refuse_first(cells, NUMBER, name, first_row)
            raise
    else:
        numbers = _cast(cells, pyarrow.float64(), name, first_row, "a number")
    numbers = compute.if_else(compute.is_nan(numbers), None, numbers)
    kept = numbers if kind == "precise" else compute.cast(numbers, pyarrow.float32(), safe=False)
    infinite = compute.is_inf(kept)
    if compute.any(infinite).as_py():
        place = compute.index(infinite, True).as_py()
        raise ValueError(
            f"column '{shown(name)}' has {numbers[place].as_py()} in row {first_row + place:,}; "
            "numbers must be finite in float32"
        )
    return kept


def _as_category(cells: "pyarrow.Array") -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute, types

    if not types.is_dictionary(cells.type):
        cells = compute.dictionary_encode(compute.cast(cells, pyarrow.string()))
    values = [None if each is None else plain(str(each)) for each in cells.dictionary.to_pylist()]
    indices = cells.indices.cast(pyarrow.int32())
    return pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(values, pyarrow.string()))


def _cast(
    cells: "pyarrow.Array", kind: "pyarrow.DataType", name: str, first_row: int, what: str
) -> "pyarrow.Array":
    import pyarrow
    from pyarrow import compute

    try:
        return compute.cast(cells, kind, safe=False)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        for place, cell in enumerate(cells):
            try:
                compute.cast(cell, kind)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
                raise ValueError(
                    f"column '{shown(name)}' has {shown(repr(cell.as_py()))} in row "
                    f"{first_row + place:,}; it must be {what}"
                ) from None
        raise


def _refuse_first(cells: "pyarrow.Array", pattern: str, name: str, first_row: int) -> None:
    from pyarrow import compute

    trimmed = compute.replace_substring(compute.utf8_trim_whitespace(cells), ",", ".")
    place = compute.index(compute.match_substring_regex(trimmed, pattern), False).as_py()
    raise ValueError(
        f"column '{shown(name)}' has {shown(repr(cells[max(0, place)].as_py()))} in row "
        f"{first_row + max(0, place):,}; it must be a number"
    )
