"""The probes: the fixed inputs on which every frame of a film shows the prediction."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.reel.thinning import thinned

LINE_POINTS = 200
MOST_ROWS = 500  # of the training part, and as many of the test part
MOST_MOVING_ROWS = 250  # where every row moves in every frame, which fills a film
GRID = (80, 60)  # places across and up
CLASSES_OF_GRID = 4  # with more, a grid is coarser: it has a number for each class
MARGIN = 0.04  # of a feature's range, on each side of a grid

Kind = Literal["curve", "field", "regions", "agreement", "confidence"]


@dataclass(frozen=True, eq=False)
class Probes:
    """A line or a grid over the features, followed by a sample of rows.

    ``training`` and ``test`` are places of rows in the two parts of the dataset.
    """

    inputs: Tensor  # (probes, features), raw units; the line or grid comes first, rows by rows up
    places: int  # of the line or the grid; 0 for rows alone
    training: NDArray[np.int64]
    test: NDArray[np.int64]
    grid: tuple[int, int] | None = None  # places across and up

    @property
    def x(self) -> NDArray[np.float32]:
        """The inputs of the line, or of the grid's first feature."""
        return self.inputs[: self.places, 0].numpy()


def kind_of(dataset: Dataset) -> Kind:
    """Return how the predictions of a dataset are shown."""
    features = len(dataset.features)
    if dataset.classes:
        return "regions" if features == 2 else "confidence"
    return {1: "curve", 2: "field"}.get(features, "agreement")  # type: ignore[return-value]


def probes_of(dataset: Dataset, grid: tuple[int, int] = GRID, most_rows: int = MOST_ROWS) -> Probes:
    """Return the probes of a dataset: a line, a grid, or a sample of its rows.

    ``grid`` is what one for few classes has; ``most_rows`` the most of each part.
    """
    kind, test = kind_of(dataset), dataset.test
    none = np.zeros(0, np.int64)
    if kind == "curve":
        return Probes(line_x(dataset)[:, None], LINE_POINTS, none, none)
    if kind == "agreement":
        most_rows = min(most_rows, MOST_MOVING_ROWS)
    rows = thinned(len(dataset), most_rows)
    test_rows = thinned(len(test), most_rows) if test else none
    inputs = [dataset.inputs[torch.from_numpy(rows)]]
    if test:
        inputs.append(test.inputs[torch.from_numpy(test_rows)])
    if kind not in ("field", "regions"):
        return Probes(torch.cat(inputs), 0, rows, test_rows)
    if len(dataset.classes) > CLASSES_OF_GRID:
        grid = (grid[0] // 2, grid[1] // 2)
    space = _grid(dataset, grid)
    return Probes(torch.cat([space, *inputs]), len(space), rows, test_rows, grid)


def shape_of_frame(dataset: Dataset, probes: Probes) -> tuple[int, ...]:
    """Return the shape of a frame's predictions: (probes,), or (probes, classes)."""
    count = len(probes.inputs)
    return (count, len(dataset.classes)) if dataset.classes else (count,)


def line_x(dataset: Dataset) -> Tensor:
    """Return the x of the prediction's line, evenly over the points' range: (LINE_POINTS,)."""
    return torch.linspace(*feature_range(dataset, 0), LINE_POINTS)


def feature_range(dataset: Dataset, feature: int) -> tuple[float, float]:
    """Return the least and the greatest value of a feature, those of test rows included."""
    parts = [dataset.inputs[:, feature]]
    if dataset.test:
        parts.append(dataset.test.inputs[:, feature])
    return min(part.min().item() for part in parts), max(part.max().item() for part in parts)


def padded_range(dataset: Dataset, feature: int, margin: float = MARGIN) -> tuple[float, float]:
    """Return the range of a feature with a margin on both sides; never an empty one."""
    low, high = feature_range(dataset, feature)
    size = (high - low) or 1.0
    return low - margin * size, high + margin * size


def _grid(dataset: Dataset, grid: tuple[int, int]) -> Tensor:
    """Return a grid over two features: (across × up, 2), its lowest row first."""
    across, up = (
        torch.linspace(*padded_range(dataset, feature), count) for feature, count in enumerate(grid)
    )
    rows, columns = torch.meshgrid(up, across, indexing="ij")
    return torch.stack([columns.ravel(), rows.ravel()], dim=1)
