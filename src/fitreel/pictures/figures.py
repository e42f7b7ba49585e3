"""The still figures: each computed into plain arrays first, then drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.picture import Picture
from fitreel.training.weights import Weights

POINT_COLOUR = "#3b6ea5"
LINE_COLOUR = "#e3120b"
INK = "#30343b"
GRID = "#e4e7ec"
# Blue and vermilion differ for every common kind of colour vision, and in lightness.
POSITIVE, NEGATIVE, DEAD = "#2f6db3", "#d95f02", "#b4b9c2"
# Above this many neurons a bar is too thin for a number of its own.
LABELLED_NEURONS = 64


def style(axes: Axes) -> None:
    """Style axes as in all of fitreel's pictures."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK, labelsize=10)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def draw_points(axes: Axes, dataset: Dataset, scale: float = 1.0) -> None:
    """Draw the points of a dataset; many points get small and faint ones.

    ``scale`` is the size of the picture beside the usual one.
    """
    crowd = min(1.0, 100 / len(dataset))
    axes.scatter(
        dataset.x.numpy(),
        dataset.y.numpy(),
        s=(6 + 24 * crowd) * scale**2,
        alpha=0.25 + 0.6 * crowd,
        color=POINT_COLOUR,
        linewidths=0,
    )


def scatter(dataset: Dataset) -> Picture:
    """Draw the points of a dataset, 640 by 480 pixels."""
    figure = Picture(figsize=(6.4, 4.8), dpi=100)
    axes = figure.add_axes((0.11, 0.11, 0.86, 0.8))
    style(axes)
    draw_points(axes, dataset)
    axes.set_xlabel("x", color=INK)
    axes.set_ylabel("y", color=INK)
    axes.set_title(f"{len(dataset)} points", color=INK, loc="left")
    return figure


@dataclass(frozen=True, eq=False)
class NeuronTable:
    """The content of the weights' picture, an entry for each hidden neuron."""

    input_weight: NDArray[np.float32]
    output_weight: NDArray[np.float32]
    dead: NDArray[np.bool_]


def neuron_table(weights: Weights, dataset: Dataset) -> NeuronTable:
    """Return the two weights of each hidden neuron, and whether no data point activates it."""
    return NeuronTable(
        weights.input_weight[:, 0].numpy(),
        weights.output_weight[0].numpy(),
        weights.dead(dataset.x).numpy(),
    )


def draw_neurons(table: NeuronTable, name: str = "", loss: float | None = None) -> Picture:
    """Draw the table of the hidden neurons; ``name`` and ``loss`` make the title."""
    neurons = len(table.dead)
    height = 1.44 + 0.24 * max(4, min(neurons, LABELLED_NEURONS))
    figure = Picture(figsize=(8, height), dpi=100)
    left, right = figure.subplots(1, 2, sharey=True)
    # Margins in inches; a layout engine would take longer than the drawing.
    figure.subplots_adjust(
        left=0.125, right=0.985, bottom=0.78 / height, top=1 - 0.66 / height, wspace=0.06
    )
    _draw_bars(left, table.input_weight, table.dead, "input weight")
    _draw_bars(right, table.output_weight, table.dead, "output weight")
    left.set_ylabel("hidden neuron", color=INK)
    left.set_ylim(neurons - 0.4, -0.6)  # neuron 0 at the top, as in the table
    _label_neurons(left, table.dead)
    # A name is text, whatever it contains: no mathematics is parsed from it.
    figure.suptitle(
        run_title(name, loss),
        y=1 - 0.08 / height,
        color=INK,
        fontsize=13,
        fontweight="bold",
        parse_math=False,
    )
    _draw_legend(figure, table.dead)
    return figure


def run_title(name: str, loss: float | None) -> str:
    """Return the title of a run's picture, as in relu20-sgd-lr0.1-e1000   loss 0.0036."""
    return "   ".join(filter(None, [shorten(name), "" if loss is None else f"loss {loss:.4g}"]))


def _label_neurons(axes: Axes, dead: NDArray[np.bool_]) -> None:
    if len(dead) > LABELLED_NEURONS:
        axes.locator_params("y", integer=True)
        return
    labels = [f"{n} dead" if is_dead else f"{n}" for n, is_dead in enumerate(dead)]
    axes.set_yticks(range(len(dead)), labels)
    for label, is_dead in zip(axes.get_yticklabels(), dead, strict=True):
        label.set_color("#7a808b" if is_dead else INK)


def _draw_legend(figure: Figure, dead: NDArray[np.bool_]) -> None:
    kinds = [(POSITIVE, "positive"), (NEGATIVE, "negative")]
    if count := int(dead.sum()):
        kinds.append((DEAD, f"dead: no point activates it ({count} of {len(dead)})"))
    figure.legend(
        handles=[Patch(color=colour, label=label) for colour, label in kinds],
        loc="lower center",
        ncols=len(kinds),
        frameon=False,
        labelcolor=INK,
    )


def shorten(name: str, most: int = 60, tail: int = 0) -> str:
    """Return a run's name shortened to one line of a title; the last ``tail`` letters are kept."""
    line = "".join(letter if letter.isprintable() else " " for letter in name)
    if len(line) <= most:
        return line
    return line[: most - 1 - tail] + "…" + line[len(line) - tail :]


def _draw_bars(
    axes: Axes, weights: NDArray[np.float32], dead: NDArray[np.bool_], title: str
) -> None:
    style(axes)
    axes.grid(visible=False, axis="y")
    axes.set_title(title, color=INK, fontsize=11)
    colours = np.where(dead, DEAD, np.where(weights < 0, NEGATIVE, POSITIVE))
    labelled = len(weights) <= LABELLED_NEURONS
    bars = axes.barh(
        np.arange(len(weights)), weights, height=0.72 if labelled else 1.0, color=colours.tolist()
    )
    axes.axvline(0, color=INK, linewidth=1)
    reach = float(np.abs(weights).max()) or 1.0
    # Room for the numbers beside the longest bars.
    axes.set_xlim(-1.45 * reach, 1.45 * reach)
    if labelled:
        numbers: dict[str, Any] = {"fontsize": 8.5, "color": INK, "padding": 3}
        axes.bar_label(bars, [f"{weight:+.3g}".replace("-", "−") for weight in weights], **numbers)
