"""The picture of the permutation importance: which columns the network needs."""

import numpy as np

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, POINT_COLOUR, style
from fitreel.pictures.labels import drawable, set_axis_labels, set_heading, set_names
from fitreel.pictures.picture import Picture
from fitreel.training.importance import Importance

MOST_BARS = 20
LETTERS = 26  # of a column's name


def draw_importance(found: Importance, dataset: Dataset) -> Picture:
    """Draw a bar for each column, the most important first, and a dot for each repeat.

    720 pixels wide; the height grows with the number of columns.
    """
    growth = found.growth[:MOST_BARS]
    bars, left_out = len(growth), len(found.columns) - len(growth)
    height = 1.35 + 0.27 * max(bars, 3)
    figure = Picture(figsize=(7.2, height), dpi=100)
    names = 0.3 + 0.082 * min(LETTERS, max(len(name) for name in found.columns[:bars]))
    bounds = (names / 7.2, 0.72 / height, 1 - names / 7.2 - 0.03, 1 - 1.3 / height)
    axes = figure.add_axes(bounds)
    style(axes)
    axes.grid(visible=False, axis="y")
    places = np.arange(bars)
    axes.barh(places, growth.mean(axis=1), height=0.62, color=POINT_COLOUR, alpha=0.75)
    axes.scatter(
        growth.ravel(), np.repeat(places, growth.shape[1]), s=9, color=INK, alpha=0.45, linewidths=0
    )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_ylim(max(bars, 3) - 0.4, -0.6)
    set_names(axes.yaxis, found.columns[:bars], LETTERS, size=9)
    kind = "test rows" if found.of_test_rows else "training rows"
    unit = "log loss" if dataset.classes else f"rmse of {drawable(dataset.target, 24)}"
    set_heading(figure, f"What a shuffled column costs, on {found.rows:,} {kind}")
    more = f"; {left_out:,} more columns cost less" if left_out else ""
    set_axis_labels(axes, f"growth of the {unit}, {found.error:.3g} unshuffled{more}", "", most=90)
    return figure
