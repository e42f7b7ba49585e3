"""The partial dependence: how the mean prediction changes with one column alone."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR, style
from fitreel.pictures.labels import abbreviate, brief, set_axis_labels, set_heading, set_names
from fitreel.pictures.picture import Picture
from fitreel.training.importance import Importance, feature_columns
from fitreel.training.weights import Weights

COLUMNS = 3
MOST_ROWS = 1_000  # over which the mean is taken
STEPS = 60
MOST_TICKS = 12  # values that are drawn as categories


@dataclass(frozen=True, eq=False)
class Dependence:
    """The mean prediction for values of a column, all other columns as they are in the rows."""

    column: str
    values: NDArray[np.float64]  # (values,), or places of ``names``
    predictions: NDArray[np.float64]  # (values,)
    names: tuple[str, ...]  # of a category
    rows: NDArray[np.float64]  # values of this column in the training rows


def dependences(weights: Weights, dataset: Dataset, importance: Importance) -> list[Dependence]:
    """Return the dependence on the most important columns, in raw units, by training rows."""
    generator = np.random.default_rng(0)
    rows = np.arange(len(dataset))
    if len(rows) > MOST_ROWS:
        rows = generator.choice(len(rows), MOST_ROWS, replace=False)
    inputs, columns = dataset.inputs[rows], feature_columns(dataset)
    return [
        _one(weights, dataset, inputs, name, columns[name]) for name in importance.columns[:COLUMNS]
    ]


def _one(
    weights: Weights, dataset: Dataset, inputs: torch.Tensor, name: str, place: slice
) -> Dependence:
    own = inputs[:, place]
    if own.shape[1] > 1:
        values, tried = np.arange(own.shape[1], dtype=np.float64), torch.eye(own.shape[1])
        names = tuple(each.removeprefix(f"{name}=") for each in dataset.features[place])
        rows = own.argmax(dim=1).double().numpy()
    else:
        rows, names = own[:, 0].double().numpy(), ()
        values = np.unique(rows)
        if len(values) > MOST_TICKS:
            # Few rows lie outside: there the network has seen nothing, and the curve would be wide.
            low, high = np.quantile(rows, [0.005, 0.995]).tolist()
            values = np.linspace(low, high, STEPS)
        tried = torch.from_numpy(values).float().unsqueeze(1)
    predictions = np.empty(len(values))
    changed = inputs.clone()
    for number, value in enumerate(tried):
        changed[:, place] = value
        predictions[number] = weights.predict(changed).double().mean().item()
    return Dependence(name, values, predictions, names, rows)


def draw_dependences(found: list[Dependence], dataset: Dataset) -> Picture:
    """Draw a panel for each column, all on one scale, with a rug of the rows; 800 pixels wide."""
    figure = Picture(figsize=(8, 3.6), dpi=100)
    set_heading(figure, f"How the prediction of {brief(dataset.target, 30)} depends on a column")
    left, gap, first = 0.115, 0.025, None
    width = (0.985 - left - gap * (len(found) - 1)) / max(len(found), 1)
    for place, each in enumerate(found):
        bounds = (left + place * (width + gap), 0.17, width, 0.68)
        axes = figure.add_axes(bounds, sharey=first)
        style(axes)
        _draw(axes, each)
        abbreviate(axes.xaxis)
        set_axis_labels(axes, each.column, "" if first else "mean prediction", most=28)
        if first:
            axes.tick_params(labelleft=False)
        first = first or axes
    _fit_limits(first, found)
    return figure


def _draw(axes: Axes, found: Dependence) -> None:
    if found.names:
        axes.plot(found.values, found.predictions, "o", color=LINE_COLOUR, markersize=8)
        letters = max(4, 30 // len(found.names))
        set_names(axes.xaxis, found.names, letters, size=8)
        axes.set_xlim(-0.6, len(found.names) - 0.4)
    else:
        few = len(found.values) <= MOST_TICKS
        axes.plot(
            found.values, found.predictions, "-o" if few else "-", color=LINE_COLOUR, linewidth=2.5
        )
        axes.locator_params("x", nbins=5)
        low, high = found.values.min(), found.values.max()
        room = 0.04 * (high - low) or 1.0
        axes.set_xlim(low - room, high + room)
    # A rug: a tick for each row, spread a little where values are few.
    spread = np.random.default_rng(0).uniform(-0.2, 0.2, len(found.rows)) if found.names else 0.0
    axes.plot(
        found.rows + spread,
        np.full(len(found.rows), 0.025),
        "|",
        color=POINT_COLOUR,
        alpha=min(1.0, 0.15 + 30 / len(found.rows)),
        markersize=9,
        transform=axes.get_xaxis_transform(),
    )


def _fit_limits(axes: Axes | None, found: list[Dependence]) -> None:
    if axes is None:
        return
    low = min(each.predictions.min() for each in found)
    high = max(each.predictions.max() for each in found)
    room = (high - low) or 1.0
    axes.set_ylim(low - 0.16 * room, high + 0.08 * room)
    abbreviate(axes.yaxis)
