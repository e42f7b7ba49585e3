"""The file of a dataset: columns x and y as CSV."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from fitreel.checks.files import check_lines, check_size
from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.settings import MOST_POINTS, parse

# Others may write more digits, spaces and columns.
LARGEST_FILE = 64 * MOST_POINTS  # bytes; a row of ours has 34 at most


def save_dataset(dataset: Dataset, path: Path) -> None:
    """Write the points as a CSV file with the columns x and y, nine digits: exact in float32."""
    columns = np.stack([dataset.x.numpy(), dataset.y.numpy()], axis=1)
    np.savetxt(path, columns, fmt="%.9g", delimiter=",", header="x,y", comments="")


def load_dataset(path: Path | str) -> Dataset:
    """Read the columns x and y of a CSV file; ValueError names the file and the error."""
    path = Path(path)
    check_size(path.name, path.stat().st_size, LARGEST_FILE)
    try:
        check_lines(path)
        # utf-8-sig: a spreadsheet may put a byte order mark in front.
        with path.open(newline="", encoding="utf-8-sig") as file:
            points = np.array(list(_points(file))).reshape(-1, 2)
        return Dataset(*points.T)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path.name} is not a dataset: {error}") from None


def _points(file: TextIO) -> Iterator[tuple[float, float]]:
    rows = csv.reader(file, strict=True)
    names = [name.strip() for name in next(rows, [])]
    if names.count("x") != 1 or names.count("y") != 1:
        raise ValueError(f"its columns are {shown(', '.join(names))}; one x and one y are needed")
    x, y = names.index("x"), names.index("y")
    for count, row in enumerate(filter(None, rows), start=1):
        try:
            if len(row) != len(names):
                raise ValueError(f"{len(row):,} values, but {len(names):,} columns")
            if count > MOST_POINTS:
                raise ValueError(f"more than {MOST_POINTS:,} points")
            yield parse(row[x].strip(), float), parse(row[y].strip(), float)
        except ValueError as error:
            raise ValueError(f"line {rows.line_num}: {error}") from None
