"""The dialect of a text file: its encoding, what stands between its values, and its names."""

import codecs
import csv
import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DELIMITERS = ",;\t|"
LINES = 20  # from which the delimiter is recognised
# How other files start, which people take for tables.
OTHERS: dict[bytes, str] = {
    b"PK": "a zip archive, or an Excel workbook; save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV",
    b"%PDF": "a PDF document",
    b"BZh": "packed with bzip2; only gzip is read",
    b"\xfd7zXZ": "packed with xz; only gzip is read",
    b"\x28\xb5\x2f\xfd": "packed with zstd; only gzip is read",
    b"SQLite format 3": "an SQLite database; save a table of it as CSV",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"\x1f\x8b": "packed twice",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"<": "an HTML or XML page, not a table",
    b"{": "JSON; save it as CSV",
    b"[": "JSON; save it as CSV",
}


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file are read."""

    names: tuple[str, ...]  # of the first line that is not blank
    delimiter: str
    blank: int  # lines above it


def recognise(path: Path, start: bytes, whole: bool) -> Dialect:
    """Return the dialect from the start of a file, or from the whole of it.

    Raises ValueError, which names the file, if it is not a table with a first line of names.
    """
    text = _text(path, start, whole)
    if not text.strip():
        raise ValueError(f"{path.name} is empty")
    blank = next(place for place, line in enumerate(text.splitlines()) if line.strip())
    delimiter = _delimiter(path, text)
    lines = _lines(text, delimiter)
    if not lines:
        raise ValueError(f"a name in {path.name} is too long, or a quote is not closed")
    if whole and len(lines) < 2:
        raise ValueError(f"{path.name} has no rows below its first line")
    names = lines[0]
    if all(map(_is_number, names)):
        raise ValueError(f"the first line of {path.name} holds numbers, not the names of columns")
    return Dialect(tuple(names), delimiter, blank)


def _text(path: Path, start: bytes, whole: bool) -> str:
    found = next((what for begin, what in OTHERS.items() if start.lstrip().startswith(begin)), "")
    if not found and b"\0" in start:
        found = "not a text file; CSV, TSV and Parquet are read"
    if found:
        raise ValueError(f"{path.name} is {found}")
    try:
        # utf-8-sig: a spreadsheet may put a byte order mark in front.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(start, final=whole)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8; save it as UTF-8") from None


def _delimiter(path: Path, text: str) -> str:
    """Return what splits the lines into most values, of what splits all of them equally."""
    order = sorted(DELIMITERS, key=lambda each: (path.suffix == ".tsv") != (each == "\t"))

    def fit(delimiter: str) -> tuple[bool, int]:
        widths = [len(line) for line in _lines(text, delimiter)] or [0]
        return widths[0] > 1 and len(set(widths)) == 1, widths[0]

    return max(order, key=fit)


def _lines(text: str, delimiter: str) -> list[list[str]]:
    """Return the first lines that are not blank, up to one that is too long for a table."""
    found = []
    # The last line may be cut, and is not needed if there are enough.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    with suppress(csv.Error):  # a value of 128 kB
        for line in reader:
            if any(each.strip() for each in line) or len(line) > 1:
                found.append(line)
            if len(found) == LINES:
                break
    return found


def _is_number(name: str) -> bool:
    try:
        float(name.replace(",", "."))
    except ValueError:
        return False
    return True
