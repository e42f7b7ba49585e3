"""The picture of the permutation importance: which columns the network needs."""

import numpy as np

from fitreel.pictures.figures import INK, POINT_COLOUR, style
from fitreel.pictures.labels import abbreviate, number_text, set_axis_labels, set_heading, set_names
from fitreel.pictures.picture import Picture
from fitreel.training.importance import Importance

MOST_BARS = 20
LETTERS = 26  # of a column's name


def draw_importance(found: Importance, is_classification: bool) -> Picture:
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
    abbreviate(axes.xaxis)
    kind = "test rows" if found.of_test_rows else "training rows"
    error = "log loss" if is_classification else "rmse"
    set_heading(figure, f"What a shuffled column costs, on {found.rows:,} {kind}")
    more = f"; {left_out:,} more columns cost less" if left_out else ""
    cost = f"growth of the {error}, {number_text(found.error)} unshuffled{more}"
    set_axis_labels(axes, cost, "", most=90)
    return figure
