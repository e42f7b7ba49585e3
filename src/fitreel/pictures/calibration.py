"""The calibration: whether what is predicted with 70 % happens in 70 of 100 rows."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, LINE_COLOUR, POINT_COLOUR, style
from fitreel.pictures.labels import brief, set_axis_labels, set_heading
from fitreel.pictures.picture import Picture
from fitreel.training.scores import log_probabilities
from fitreel.training.weights import Weights

INTERVALS = 10
CERTAINTY = 1.96  # deviations: 95 %


@dataclass(frozen=True, eq=False)
class Calibration:
    """Predicted probabilities and what happened, in intervals of equal width; NaN without rows.

    With two classes the probability is that of the second, with more that of the likeliest.
    """

    counts: NDArray[np.int64]  # (intervals,)
    predicted: NDArray[np.float64]  # the mean probability
    happened: NDArray[np.float64]  # the share of the rows
    low: NDArray[np.float64]  # of the 95 % interval of this share, by Wilson
    high: NDArray[np.float64]
    event: str
    of_test_rows: bool


def calibration(weights: Weights, dataset: Dataset) -> Calibration:
    """Return the calibration on the test rows, or on the training rows without others."""
    rows = dataset.test or dataset
    probabilities = np.exp(log_probabilities(weights, rows.inputs))
    truth = rows.y.numpy()
    if len(dataset.classes) == 2:
        chances, happened = probabilities[:, 1], truth == 1
        event = f"{brief(dataset.target, 24)} is {brief(dataset.classes[1], 24)}"
    else:
        chances, happened = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
        event = "the likeliest class is right"
    places = np.minimum((chances * INTERVALS).astype(np.int64), INTERVALS - 1)
    counts = np.bincount(places, minlength=INTERVALS)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(places, chances, INTERVALS) / counts
        shares = np.bincount(places, happened, INTERVALS) / counts
        low, high = _wilson(shares, counts)
    return Calibration(counts, predicted, shares, low, high, event, dataset.test is not None)


def _wilson(
    shares: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weight = CERTAINTY**2 / np.maximum(counts, 1)
    middle = (shares + weight / 2) / (1 + weight)
    half = np.sqrt(weight * shares * (1 - shares) + weight**2 / 4) / (1 + weight)
    return middle - half, middle + half


def draw_calibration(found: Calibration) -> Picture:
    """Draw what happened over what was predicted, and how many rows that is, 640 by 600 pixels."""
    figure = Picture(figsize=(6.4, 6), dpi=100)
    kind = "test rows" if found.of_test_rows else "training rows"
    set_heading(figure, f"Calibration on {found.counts.sum():,} {kind}")
    upper = figure.add_axes((0.12, 0.34, 0.85, 0.58))
    lower = figure.add_axes((0.12, 0.1, 0.85, 0.17), sharex=upper)
    _draw_curve(upper, found)
    set_axis_labels(upper, "", "share of the rows where it happened")
    upper.tick_params(labelbottom=False)
    _draw_counts(lower, found)
    set_axis_labels(lower, f"predicted probability that {found.event}", "rows", most=80)
    return figure


def _draw_curve(axes: Axes, found: Calibration) -> None:
    style(axes)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
    has_rows = found.counts > 0
    x, y = found.predicted[has_rows], found.happened[has_rows]
    axes.vlines(x, found.low[has_rows], found.high[has_rows], color=POINT_COLOUR, alpha=0.6)
    axes.plot(x, y, color=LINE_COLOUR, linewidth=2, marker="o", markersize=5)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.03, 1.03)


def _draw_counts(axes: Axes, found: Calibration) -> None:
    style(axes)
    axes.grid(visible=False, axis="x")
    axes.stairs(
        found.counts, np.linspace(0, 1, INTERVALS + 1), fill=True, color=POINT_COLOUR, alpha=0.85
    )
    axes.locator_params("y", nbins=3, integer=True)
    most = found.counts.max()
    axes.set_ylim(0, 1.25 * most)
    for place, count in enumerate(found.counts.tolist()):
        if count:
            axes.text(
                (place + 0.5) / INTERVALS, count, f"{count:,}", ha="center", va="bottom", size=8
            )
