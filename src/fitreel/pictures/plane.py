"""The plane of two features: what the trained network predicts on it, and the rows on top."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor

from fitreel.data.dataset import Dataset, Rows
from fitreel.pictures.figures import INK, style
from fitreel.pictures.labels import abbreviate, brief, set_axis_labels, set_heading
from fitreel.pictures.picture import Picture
from fitreel.pictures.views.cell import target_range
from fitreel.pictures.views.colours import FIELD, class_colour
from fitreel.reel.probes import padded_range
from fitreel.training.weights import Weights

STEPS = (240, 180)  # of the grid, across and up
ROOM = 0.05  # of a feature's range, on each side
MOST_DRAWN = 3_000  # rows of each kind
MOST_LISTED = 8  # classes in the legend
Colours = NDArray[np.float64]  # (rows, 3) or (rows, 4)


@dataclass(frozen=True, eq=False)
class Plane:
    """Predictions on a grid over the rows, with some room around them."""

    x: NDArray[np.float64]  # (across,)
    y: NDArray[np.float64]  # (up,)
    predictions: NDArray[np.float64]  # (up, across), or with classes (up, across, classes)


def plane(weights: Weights, dataset: Dataset) -> Plane:
    """Return the predictions on a grid over the training and test rows, in raw units."""
    axes = [
        np.linspace(*padded_range(dataset, feature, ROOM), steps)
        for feature, steps in enumerate(STEPS)
    ]
    x, y = np.meshgrid(*axes)
    grid = torch.from_numpy(np.stack([x.ravel(), y.ravel()], axis=1)).float()
    found = weights.predict(grid).double().numpy()
    return Plane(axes[0], axes[1], found.reshape(*x.shape, *found.shape[1:]))


def _extent(found: Plane) -> tuple[float, float, float, float]:
    return (found.x[0], found.x[-1], found.y[0], found.y[-1])


def draw_field(weights: Weights, dataset: Dataset) -> Picture:
    """Draw predicted numbers as colours with contour lines, and the rows in the same colours."""
    found = plane(weights, dataset)
    figure = Picture(figsize=(7.2, 5.4), dpi=100)
    axes = figure.add_axes((0.11, 0.11, 0.74, 0.79))
    style(axes)
    axes.grid(visible=False)
    low, high = target_range(dataset)
    low, high = min(found.predictions.min(), low), max(found.predictions.max(), high)
    scale = Normalize(low, high if high > low else low + 1)
    image = axes.imshow(
        found.predictions,
        origin="lower",
        aspect="auto",
        extent=_extent(found),
        cmap=FIELD,
        norm=scale,
    )
    if found.predictions.max() > found.predictions.min():
        lines = axes.contour(
            found.x,
            found.y,
            found.predictions,
            levels=9,
            colors="#ffffff",
            linewidths=0.9,
            alpha=0.8,
        )
        axes.clabel(lines, fontsize=8)
    _draw_rows(axes, dataset, lambda y: colormaps[FIELD](scale(y.numpy())))
    bar = figure.add_axes((0.875, 0.11, 0.025, 0.79))
    figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=8, colors=INK)
    _describe(figure, axes, dataset)
    abbreviate(bar.yaxis)
    return figure


def draw_regions(weights: Weights, dataset: Dataset) -> Picture:
    """Draw the likeliest class as colours, stronger where it is surer, and the rows by class.

    A cross marks rows whose class is not the likeliest there.
    """
    found = plane(weights, dataset)
    figure = Picture(figsize=(7.2, 5.4), dpi=100)
    axes = figure.add_axes((0.11, 0.11, 0.86, 0.79))
    style(axes)
    axes.grid(visible=False)
    colours = _class_colours(dataset)
    likeliest, chance = found.predictions.argmax(axis=2), found.predictions.max(axis=2)
    least = 1 / len(dataset.classes)
    strength = 0.12 + 0.38 * (chance - least) / (1 - least)
    shades = 1 - (1 - colours[likeliest]) * strength[..., None]
    axes.imshow(
        shades, origin="lower", aspect="auto", extent=_extent(found), interpolation="bilinear"
    )
    _draw_rows(axes, dataset, lambda y: colours[y.numpy()])
    _draw_wrong(axes, weights, dataset)
    if dataset.test:
        _draw_wrong(axes, weights, dataset.test)
    _describe(figure, axes, dataset)
    return figure


def _describe(figure: Figure, axes: Axes, dataset: Dataset) -> None:
    set_heading(figure, f"Predicted {dataset.target}", 0.3)
    x, y = dataset.features
    set_axis_labels(axes, x, y)
    abbreviate(axes.xaxis, axes.yaxis)
    _legend(figure, dataset)


def _class_colours(dataset: Dataset) -> Colours:
    return np.array([to_rgb(class_colour(place)) for place in range(len(dataset.classes))])


def _draw_wrong(axes: Axes, weights: Weights, rows: Rows | Dataset) -> None:
    wrong = weights.outputs(rows.inputs).argmax(dim=-1) != rows.y
    inputs = rows.inputs[wrong][:MOST_DRAWN].numpy()
    size = 10 + 36 * min(1.0, 300 / max(len(inputs), 1))
    x, y = inputs.T
    axes.scatter(x, y, s=size, marker="x", color=INK, linewidths=1.2, zorder=4)


def _draw_rows(axes: Axes, dataset: Dataset, colours: Callable[[Tensor], Colours]) -> None:
    """Draw training rows as dots and test rows as diamonds, in the colours of their targets."""
    for rows, marker, size in ((dataset, "o", 24.0), (dataset.test, "D", 28.0)):
        if rows is None:
            continue
        drawn = np.arange(len(rows))
        if len(drawn) > MOST_DRAWN:
            drawn = np.random.default_rng(0).choice(len(drawn), MOST_DRAWN, replace=False)
        crowd = min(1.0, 300 / len(drawn))
        across, up = rows.inputs[drawn].numpy().T
        axes.scatter(
            across,
            up,
            c=colours(rows.y[drawn]),
            s=size * (0.35 + 0.65 * crowd),
            marker=marker,
            edgecolors="#ffffff" if marker == "o" else INK,
            linewidths=0.6 if crowd == 1 else 0.3,
            zorder=3,
        )


def _legend(figure: Figure, dataset: Dataset) -> None:
    def handle(marker: str, colour: str, edge: str, name: str) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=marker, color=colour, markeredgecolor=edge, label=name
        )

    handles = []
    if len(dataset.classes) <= MOST_LISTED:
        colours = _class_colours(dataset)
        for name, colour in zip(dataset.classes, colours, strict=True):
            handles.append(handle("s", to_hex(colour), "none", brief(name, 12)))
    handles.append(handle("o", "#9aa0aa", "#ffffff", "training row"))
    if dataset.test:
        handles.append(handle("D", "#9aa0aa", INK, "test row"))
    if dataset.classes:
        handles.append(handle("x", INK, INK, "wrong"))
    legend = figure.legend(
        handles=handles, loc="upper right", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
