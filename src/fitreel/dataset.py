"""The dataset: the points of an experiment, drawn from a known curve or read from a file."""

import csv
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from torch import Tensor

from fitreel.files import check_lines, check_size
from fitreel.settings import LARGEST_SEED, MOST_POINTS, DataSettings, FunctionName, parse
from fitreel.text import shown

LARGEST_FILE = 64 * MOST_POINTS  # bytes; a row of ours has 34 at most

FUNCTIONS: dict[FunctionName, Callable[[Tensor], Tensor]] = {
    "quadratic": torch.square,
    "sine": lambda x: torch.sin(math.pi * x),
    "cubic": lambda x: x**3,
    "step": lambda x: (x >= 0).to(x.dtype),
    "abs": torch.abs,
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Hold the points of an experiment: ``x`` and ``y``, float32, each of shape (points,)."""

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or self.x.shape != self.y.shape or len(self.x) < 2:
            raise ValueError(
                "a dataset needs two points or more, as many x as y; "
                f"got shapes {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        if not (self.x.isfinite().all() and self.y.isfinite().all()):
            raise ValueError("a dataset holds finite numbers only")
        if self.x.min() == self.x.max():
            raise ValueError(f"a dataset needs two different x; all are {self.x[0].item()}")

    def __len__(self) -> int:
        return len(self.x)


def generate(settings: DataSettings = DataSettings()) -> Dataset:
    """Draw the points to train on, evenly spaced in x, as the settings say."""
    x = torch.linspace(settings.x_min, settings.x_max, settings.samples)
    return _with_noise(x, settings, torch.Generator().manual_seed(settings.data_seed))


def generate_unseen(settings: DataSettings, samples: int) -> Dataset:
    """Draw ``samples`` points of the same distribution from a seed that no training uses."""
    generator = torch.Generator().manual_seed(LARGEST_SEED + 1 + settings.data_seed)
    span = settings.x_max - settings.x_min
    x = settings.x_min + span * torch.rand(samples, generator=generator)
    return _with_noise(x, settings, generator)


def _with_noise(x: Tensor, settings: DataSettings, generator: torch.Generator) -> Dataset:
    noise = torch.rand(x.shape, generator=generator)
    return Dataset(x, FUNCTIONS[settings.function](x) + settings.noise * noise)


def save_dataset(dataset: Dataset, path: Path) -> None:
    """Write the points as a CSV file with the columns x and y, nine digits: exact in float32."""
    columns = np.stack([dataset.x.numpy(), dataset.y.numpy()], axis=1)
    np.savetxt(path, columns, fmt="%.9g", delimiter=",", header="x,y", comments="")


def load_dataset(path: Path) -> Dataset:
    """Read the columns x and y of a CSV file; ValueError names the file and what is wrong."""
    check_size(path.name, path.stat().st_size, LARGEST_FILE)
    try:
        check_lines(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            points = np.array(list(_points(file))).reshape(-1, 2)
        # Each in memory of its own, aligned: sums over slices differ in the last bit.
        x, y = (torch.tensor(column, dtype=torch.float32) for column in points.T)
        return Dataset(x, y)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path.name} is no dataset: {error}") from None


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


def sha256(path: Path) -> str:
    """Give the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
