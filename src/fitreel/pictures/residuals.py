"""The residuals: by how much predicted numbers miss the true ones."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, LINE_COLOUR, POINT_COLOUR, style
from fitreel.pictures.labels import abbreviate, brief, number_text, set_axis_labels, set_heading
from fitreel.pictures.picture import Picture
from fitreel.training.weights import Weights

MOST_DRAWN = 5_000  # rows; more hide each other


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is predicted for each row, and what is missing to the truth, in raw units."""

    target: str
    predicted: NDArray[np.float64]
    missing: NDArray[np.float64]  # actual − predicted
    of_test_rows: bool


def residuals(weights: Weights, dataset: Dataset) -> Residuals:
    """Return the residuals of the test rows, or of the training rows if there are no others."""
    rows = dataset.test or dataset
    predicted = weights.predict(rows.inputs).double().numpy()
    missing = rows.y.double().numpy() - predicted
    return Residuals(dataset.target, predicted, missing, dataset.test is not None)


def draw_residuals(found: Residuals) -> Picture:
    """Draw residuals over predictions, and how they are distributed, 800 by 480 pixels."""
    figure = Picture(figsize=(8, 4.8), dpi=100)
    left = figure.add_axes((0.11, 0.12, 0.62, 0.76))
    right = figure.add_axes((0.755, 0.12, 0.225, 0.76), sharey=left)
    kind = "test rows" if found.of_test_rows else "training rows"
    error = np.sqrt(np.square(found.missing).mean())
    set_heading(figure, f"Residuals of {len(found.missing):,} {kind}: rmse {number_text(error)}")
    _draw_points(left, found)
    set_axis_labels(left, f"predicted {brief(found.target)}", "actual − predicted", most=60)
    _draw_distribution(right, found.missing)
    abbreviate(left.xaxis, left.yaxis, right.xaxis)
    return figure


def _draw_points(axes: Axes, found: Residuals) -> None:
    style(axes)
    drawn = np.arange(len(found.missing))
    if len(drawn) > MOST_DRAWN:
        drawn = np.random.default_rng(0).choice(len(drawn), MOST_DRAWN, replace=False)
    crowd = min(1.0, 100 / len(drawn))
    axes.axhline(0, color=LINE_COLOUR, linewidth=1.5)
    axes.scatter(
        found.predicted[drawn],
        found.missing[drawn],
        s=6 + 24 * crowd,
        alpha=0.25 + 0.6 * crowd,
        color=POINT_COLOUR,
        linewidths=0,
    )
    axes.locator_params("x", nbins=6)
    reach = 1.08 * (np.abs(found.missing).max() or 1.0)
    axes.set_ylim(-reach, reach)  # so that more on one side is seen


def _draw_distribution(axes: Axes, missing: NDArray[np.float64]) -> None:
    style(axes)
    axes.grid(visible=False, axis="x")
    bins = int(np.clip(2 * np.cbrt(len(missing)), 8, 60))
    reach = np.abs(missing).max() or 1.0
    counts, edges = np.histogram(missing, bins=bins, range=(-reach, reach))
    axes.stairs(counts, edges, orientation="horizontal", fill=True, color=POINT_COLOUR, alpha=0.85)
    axes.axhline(0, color=LINE_COLOUR, linewidth=1.5)
    axes.tick_params(labelleft=False)
    axes.locator_params("x", nbins=4, integer=True)
    axes.set_xlabel("rows", color=INK)
