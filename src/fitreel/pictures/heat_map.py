"""The heat map of weights: a row for each neuron, a column for each feature or class."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pictures.figures import DEAD, INK, NEGATIVE, POSITIVE
from fitreel.pictures.labels import set_heading, set_names
from fitreel.pictures.picture import Picture
from fitreel.training.weights import Weights

SIGNS = LinearSegmentedColormap.from_list("signs", [NEGATIVE, "#ffffff", POSITIVE])
MOST_NAMED = 40  # features or classes; names of more would touch
MOST_NUMBERED = 64  # neurons
LETTERS = 22  # of a name
LETTER = 0.075  # inches
INCHES, WIDTH = 8, 0.895  # of the picture, and the part that shows weights


@dataclass(frozen=True, eq=False)
class WeightTable:
    """The content of the picture: all weights but the biases."""

    input_weight: NDArray[np.float32]  # (neurons, features)
    output_weight: NDArray[np.float32]  # (neurons, outputs)
    dead: NDArray[np.bool_]  # (neurons,)
    features: tuple[str, ...]
    outputs: tuple[str, ...]


class Side(NamedTuple):
    """A half of the picture: its place in parts of the width, and the names of its columns."""

    name: str
    start: float
    width: float
    names: tuple[str, ...]

    @property
    def letters(self) -> int:
        """How many letters of a name fit above its column."""
        return round(INCHES * self.width / len(self.names) / LETTER) - 1

    @property
    def is_narrow(self) -> bool:
        """Whether its names have to stand upright."""
        return self.letters < min(LETTERS, max(map(len, self.names)))

    @property
    def height_of_names(self) -> float:
        """The height of its names, in inches."""
        if len(self.names) > MOST_NAMED or not self.is_narrow:
            return 0.2
        return 0.1 + LETTER * min(LETTERS, max(map(len, self.names)))


def weight_table(weights: Weights, dataset: Dataset) -> WeightTable:
    """Return the weights of each neuron, and whether no training row activates it."""
    return WeightTable(
        weights.input_weight.numpy(),
        weights.output_weight.numpy().T,
        weights.dead(dataset.x).numpy(),
        dataset.features,
        dataset.classes or (dataset.target,),
    )


def draw_heat_map(table: WeightTable, title: str = "") -> Picture:
    """Draw the table, 800 pixels wide; its height grows with the number of neurons.

    The input weights are those of scaled features, so that they can be compared.
    """
    neurons, outputs = table.output_weight.shape
    features = len(table.features)
    # Features and classes share the width by their numbers, but for very few or very many.
    share = min(0.5, max(0.13, outputs / (outputs + features)))
    left = Side("input weight", 0.085, WIDTH * (1 - share) - 0.03, table.features)
    right = Side("output weight", 0.085 + WIDTH * (1 - share), WIDTH * share, table.outputs)
    body = max(1.6, min(7.0, 0.15 * neurons))  # inches, as the others
    top, bottom = 0.6 + max(left.height_of_names, right.height_of_names), 0.8
    height = top + body + bottom
    figure = Picture(figsize=(INCHES, height), dpi=100)
    set_heading(figure, title, 0.6 if table.dead.any() else 1.0)
    for side, numbers in ((left, table.input_weight), (right, table.output_weight)):
        axes = figure.add_axes((side.start, bottom / height, side.width, body / height))
        bar = figure.add_axes((side.start, 0.5 / height, min(side.width, 0.3), 0.12 / height))
        _draw_scale(bar, _draw(axes, numbers, table.dead, side), side)
        axes.set_yticks([])
        if side is left:
            axes.set_ylabel("hidden neuron", color=INK)
            _number(axes, neurons)
    _draw_dead(figure, table.dead)
    return figure


def _draw(axes: Axes, numbers: NDArray[np.float32], dead: NDArray[np.bool_], side: Side) -> float:
    """Draw the weights of all neurons, and return that of the strongest colour."""
    alive = numbers[~dead]
    scale = float(np.abs(alive).max()) if alive.any() else 1.0
    colours = SIGNS(Normalize(-scale, scale)(numbers))
    colours[dead] = to_rgba(DEAD)
    axes.imshow(colours, aspect="auto", interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=INK, length=0)
    axes.xaxis.tick_top()
    if len(side.names) <= MOST_NAMED:
        most, turn = (LETTERS, 90) if side.is_narrow else (side.letters, 0)
        set_names(axes.xaxis, side.names, most, size=8, turn=turn)
    else:
        axes.locator_params("x", integer=True)
        axes.xaxis.set_label_position("top")
        axes.set_xlabel("feature" if side.name.startswith("in") else "class", color=INK)
    return scale


def _draw_scale(axes: Axes, scale: float, side: Side) -> None:
    axes.imshow(np.linspace(-1, 1, 101)[None], cmap=SIGNS, aspect="auto")
    ends, middle = [f"−{scale:.2g}", f"+{scale:.2g}"], ["0"] if side.width > 0.15 else [""]
    axes.set_xticks([0, 50, 100], [ends[0], *middle, ends[1]], fontsize=8, color=INK)
    left, _, right = axes.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.set_xlabel(side.name, color=INK, fontsize=9, labelpad=1, loc="left")
    axes.spines[:].set_visible(False)


def _number(axes: Axes, neurons: int) -> None:
    axes.set_yticks(range(neurons), [str(number) for number in range(neurons)], fontsize=7)
    if neurons > MOST_NUMBERED:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(ScalarFormatter())


def _draw_dead(figure: Figure, dead: NDArray[np.bool_]) -> None:
    if count := int(dead.sum()):
        label = f"dead: no row activates it ({count} of {len(dead)})"
        figure.legend(
            handles=[Patch(color=DEAD, label=label)],
            loc="upper right",
            frameon=False,
            labelcolor=INK,
            fontsize=9,
        )
