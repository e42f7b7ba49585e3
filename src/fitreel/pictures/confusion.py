"""The confusion matrix: which class is predicted for the rows of each class."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, NEGATIVE, POSITIVE
from fitreel.pictures.labels import set_heading, set_names
from fitreel.pictures.picture import Picture
from fitreel.training.scores import log_probabilities
from fitreel.training.weights import Weights

MOST_WRITTEN = 30  # classes; the counts of more would touch
LETTERS = 16  # of a class


@dataclass(frozen=True, eq=False)
class Confusion:
    """How many rows of each class are predicted to be of which."""

    counts: NDArray[np.int64]  # (true classes, predicted classes)
    classes: tuple[str, ...]
    target: str
    of_test_rows: bool

    @property
    def accuracy(self) -> float:
        """The share of the rows that are right."""
        return float(self.counts.trace() / self.counts.sum())


def confusion(weights: Weights, dataset: Dataset) -> Confusion:
    """Return the confusion of the test rows, or of the training rows if there are no others."""
    rows = dataset.test or dataset
    chosen = log_probabilities(weights, rows.inputs).argmax(axis=1)
    counts = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(counts, (rows.y.numpy(), chosen), 1)
    return Confusion(counts, dataset.classes, dataset.target, dataset.test is not None)


def draw_confusion(found: Confusion) -> Picture:
    """Draw the matrix, 640 to 800 pixels wide: right ones blue, wrong ones vermilion."""
    classes = len(found.classes)
    names = 0.3 + 0.08 * min(LETTERS, max(map(len, found.classes)))
    side = min(max(0.55 * classes, 3.4), 6.2, 7.1 - names)  # inches of the matrix
    width = max(6.4, side + names + 0.9)
    upright = (names - 0.3) > 0.95 * side / classes
    below = (names if upright else 0.35) + 0.35
    height = side + below + 0.65
    figure = Picture(figsize=(width, height), dpi=100)
    kind = "test rows" if found.of_test_rows else "training rows"
    right = f"{found.accuracy:.1%} of {found.counts.sum():,} {kind} are right"
    set_heading(figure, right)
    left = max(names + 0.45, (width - side) / 2)
    axes = figure.add_axes((left / width, below / height, side / width, side / height))
    _draw(axes, found, upright)
    return figure


def _draw(axes: Axes, found: Confusion, upright: bool) -> None:
    classes = len(found.classes)
    sums = found.counts.sum(axis=1, keepdims=True)
    shares = found.counts / np.maximum(sums, 1)  # of the rows of a class
    strong = np.where(np.eye(classes, dtype=bool)[..., None], to_rgb(POSITIVE), to_rgb(NEGATIVE))
    # A few wrong rows of many must be seen as well: the root lifts small shares.
    axes.imshow(1 - (1 - strong) * np.sqrt(shares)[..., None], interpolation="nearest")
    size = 9.5 if classes <= 12 else 6.5
    set_names(axes.xaxis, found.classes, LETTERS, size, turn=-90 if upright else 0)
    set_names(axes.yaxis, found.classes, LETTERS, size)
    axes.set_xlabel("predicted", color=INK)
    axes.set_ylabel("true", color=INK)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_color("#c9cdd4")
    if classes > MOST_WRITTEN:
        return
    for (row, column), count in np.ndenumerate(found.counts):
        if count:
            colour = "#ffffff" if shares[row, column] > 0.45 else INK
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, size=size)
