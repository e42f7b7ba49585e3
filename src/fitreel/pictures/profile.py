"""The profile of a table: how the values of its target and of its columns are distributed."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import INK, LINE_COLOUR, POINT_COLOUR, style
from fitreel.pictures.labels import abbreviate, brief, set_heading, set_title
from fitreel.pictures.picture import Picture
from fitreel.training.importance import feature_columns

MOST_COLUMNS = 11  # and the target: a sheet of three rows
MOST_VALUES = 8  # of a category, the others are counted together
ACROSS = 4


@dataclass(frozen=True, eq=False)
class Distribution:
    """How often the values of a column occur: numbers in intervals, or categories by name."""

    name: str
    counts: NDArray[np.int64]
    edges: NDArray[np.float64] | None  # of the intervals, one more than counts
    values: tuple[str, ...] = ()


def profile(dataset: Dataset) -> list[Distribution]:
    """Return the distributions of the target and of the first columns, of the training rows."""
    target = dataset.y.numpy()
    if dataset.classes:
        counts = np.bincount(target, minlength=len(dataset.classes))
        found = [_categories(dataset.target, counts, dataset.classes)]
    else:
        found = [_numbers(dataset.target, target)]
    for name, place in list(feature_columns(dataset).items())[:MOST_COLUMNS]:
        inputs = dataset.inputs[:, place].numpy()
        if inputs.shape[1] == 1:
            found.append(_numbers(name, inputs[:, 0]))
        else:
            values = tuple(each.removeprefix(f"{name}=") for each in dataset.features[place])
            found.append(_categories(name, inputs.sum(axis=0).astype(np.int64), values))
    return found


def _numbers(name: str, values: NDArray[np.float32]) -> Distribution:
    numbers = values.astype(np.float64)
    different = np.unique(numbers)
    if len(different) <= MOST_VALUES and (different == different.round()).all():
        counts = np.array([(numbers == value).sum() for value in different])
        return Distribution(name, counts, None, tuple(f"{value:.9g}" for value in different))
    counts, edges = np.histogram(numbers, bins=24)
    return Distribution(name, counts, edges)


def _categories(name: str, counts: NDArray[np.int64], values: tuple[str, ...]) -> Distribution:
    if len(values) <= MOST_VALUES:
        return Distribution(name, counts, None, values)
    order = np.argsort(-counts, kind="stable")
    first, others = order[: MOST_VALUES - 1], order[MOST_VALUES - 1 :]
    names = (*(values[place] for place in first), f"{len(others)} more")
    return Distribution(name, np.append(counts[first], counts[others].sum()), None, names)


def draw_profile(dataset: Dataset) -> Picture:
    """Draw the distributions of the target and of up to 11 columns, 800 pixels wide."""
    found, columns = profile(dataset), len(feature_columns(dataset))
    down = -(-len(found) // ACROSS)
    height = 0.55 + 1.75 * down
    figure = Picture(figsize=(8, height), dpi=100)
    shown = "" if columns <= MOST_COLUMNS else f", {MOST_COLUMNS} of {columns:,} columns"
    set_heading(figure, f"{len(dataset):,} training rows{shown}")
    for place, distribution in enumerate(found):
        axes = figure.add_subplot(down, ACROSS, place + 1)
        _draw(axes, distribution, LINE_COLOUR if place == 0 else POINT_COLOUR)
    figure.subplots_adjust(
        left=0.03, right=0.975, bottom=0.3 / height, top=1 - 0.78 / height, wspace=0.16, hspace=0.62
    )
    return figure


def _draw(axes: Axes, distribution: Distribution, colour: str) -> None:
    style(axes)
    axes.grid(visible=False)
    set_title(axes, distribution.name, size=9.5, most=24)
    if distribution.edges is not None:
        axes.stairs(distribution.counts, distribution.edges, fill=True, color=colour, alpha=0.85)
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        axes.locator_params("x", nbins=4)
        abbreviate(axes.xaxis)
        return
    places = np.arange(len(distribution.counts))
    axes.barh(places, distribution.counts, height=0.75, color=colour, alpha=0.45)
    axes.invert_yaxis()
    axes.set_ylim(max(len(places), 3) - 0.4, -0.6)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    most = max(distribution.counts.max(), 1)
    axes.set_xlim(0, 1.02 * most)
    for row, (name, count) in enumerate(zip(distribution.values, distribution.counts, strict=True)):
        text = f"{brief(name, 16)}  {count:,}"
        # In the bar where it has room, as text on white would else start far from its bar.
        axes.text(0.02 * most, row, text, va="center", fontsize=7.5, color=INK, parse_math=False)
