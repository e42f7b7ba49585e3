"""The fit in characters: what a model predicts, as dots, a line, or blocks of colour."""

from functools import cache

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from rich.segment import Segment

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.live.canvas import Canvas, Line, text
from fitreel.live.panel import Axis, Panel
from fitreel.pictures.views.cell import target_range
from fitreel.pictures.views.colours import band_colours, class_colour, mixed
from fitreel.pictures.views.confidence import Part
from fitreel.reel.probes import Probes, kind_of, padded_range
from fitreel.reel.thinning import thinned

# Seen on a dark and on a light terminal.
POINT, CURVE, RIGHT = "#5b9bd5", "#f0483e", "#3fa34d"
BANDS = 24
PALENESS = 0.55  # of a region, so that its points differ from it
SHADES = np.array([ord(letter) for letter in " ░▒▓█"], np.uint32)  # for a terminal without colours
MOST_POINTS = 2000
MARGIN = 0.1  # of the targets' range, above and below

Predictions = NDArray[np.float32]


class FitText:
    """The rows of a training, and with them what its model predicts."""

    def __init__(self, dataset: Dataset, probes: Probes, *, coloured: bool) -> None:
        self._probes, self._coloured = probes, coloured
        self._kind = kind_of(dataset)
        self._classes, self._ends = len(dataset.classes), target_range(dataset)
        self._x, self._y = _axes(dataset)
        self._legend = _legend(dataset) if coloured else []
        rows = thinned(len(dataset), MOST_POINTS) if self._kind == "curve" else probes.training
        self._inputs, self._targets = dataset.inputs.numpy()[rows], dataset.y.numpy()[rows]

    def lines(self, predictions: Predictions | None, width: int, height: int) -> list[Line]:
        """Return the panel of a frame, or of the rows alone before the first."""
        panel = Panel(width, height, self._x, self._y, self._legend)
        if self._kind == "curve":
            panel.put_dots(self._inputs[:, 0], self._targets, POINT)
            if predictions is not None:
                panel.put_line(self._probes.x, predictions, CURVE)
        elif self._kind in ("field", "regions"):
            self._put_plane(panel, predictions)
        elif predictions is not None:
            self._put_rows(panel, predictions[: len(self._targets)])
        return panel.lines()

    def _put_rows(self, panel: Panel, found: Predictions) -> None:
        """Draw a dot for each row: what is predicted for it, or how likely its class is."""
        if self._classes:
            x, probability, wrong, _ = Part(self._targets).sorted(found)
            panel.put_dots(x[~wrong], probability[~wrong], RIGHT)
            panel.put_dots(x[wrong], probability[wrong], CURVE)
        else:
            ends = np.array([self._x.low, self._x.high])
            panel.put_line(ends, ends, CURVE)
            panel.put_dots(self._targets, found, POINT)

    def _put_plane(self, panel: Panel, predictions: Predictions | None) -> None:
        """Draw the prediction as blocks of colour, and the rows over it; wrong ones are crosses."""
        wrong = np.zeros(len(self._targets), bool)
        if predictions is not None:
            self._put_blocks(panel.canvas, predictions[: self._probes.places])
            if self._classes:
                found = predictions[self._probes.places :][: len(self._targets)]
                wrong = found.argmax(axis=1) != self._targets
        x, y = self._x.shares(self._inputs[:, 0]), self._y.shares(self._inputs[:, 1])
        colours = _class_colours(self._classes) if self._classes else _bands()
        places = self._targets if self._classes else self._places(self._targets, BANDS)
        panel.canvas.put_letters(x, y, "•", colours[places])
        panel.canvas.put_letters(x[wrong], y[wrong], "×", colours[places[wrong]])

    def _put_blocks(self, canvas: Canvas, space: Predictions) -> None:
        across, up = self._probes.grid or (1, 1)
        grid = space.reshape(up, across, *space.shape[1:])[::-1]  # the highest row first
        height = canvas.height * (2 if self._coloured else 1)
        rows = ((np.arange(height) + 0.5) * up / height).astype(np.int64)
        columns = ((np.arange(canvas.width) + 0.5) * across / canvas.width).astype(np.int64)
        seen = grid[rows][:, columns]
        count = BANDS if self._coloured else len(SHADES)
        places = seen.argmax(axis=2) if self._classes else self._places(seen, count)
        if not self._coloured:
            canvas.shade(SHADES[places % len(SHADES)])
        else:
            canvas.fill((_pale_colours(self._classes) if self._classes else _bands())[places])

    def _places(self, values: NDArray[np.floating], count: int) -> NDArray[np.int64]:
        """Return in which of so many bands between the ends of the targets values are."""
        low, high = self._ends
        shares = np.nan_to_num((values - low) / ((high - low) or 1.0))
        return np.asarray(np.clip(shares * count, 0, count - 1), np.int64)


def _axes(dataset: Dataset) -> tuple[Axis, Axis]:
    kind, target = kind_of(dataset), dataset.target
    if kind == "confidence":
        classes = len(dataset.classes)
        name = " · ".join(dataset.classes)
        x = Axis(0, classes, name, has_ends=False)
        return x, Axis(0, 1, "probability of the true class")
    if kind in ("field", "regions"):
        x, y = (
            Axis(*padded_range(dataset, place), name) for place, name in enumerate(dataset.features)
        )
        return x, y
    low, high = target_range(dataset)
    margin = MARGIN * ((high - low) or 1.0)
    ends = low - margin, high + margin
    if kind == "agreement":
        return Axis(*ends, f"actual {target}"), Axis(*ends, f"predicted {target}")
    return Axis(*padded_range(dataset, 0), dataset.features[0]), Axis(*ends, target)


def _legend(dataset: Dataset) -> list[Segment]:
    """Return what the colours of two features mean: classes, or the ends of the target."""
    kind = kind_of(dataset)
    if kind == "regions":
        named = enumerate(dataset.classes)
        return [text(f" ■ {shown(name, 20)}", class_colour(place)) for place, name in named]
    if kind == "field":
        low, high = target_range(dataset)
        scale = [text("█", ink) for ink in band_colours(8)]
        return [text(f" {shown(dataset.target, 20)} {low:.3g} "), *scale, text(f" {high:.3g}")]
    return []


@cache
def _bands() -> NDArray[np.object_]:
    return np.array(band_colours(BANDS), object)


@cache
def _class_colours(classes: int) -> NDArray[np.object_]:
    return np.array([class_colour(place) for place in range(classes)], object)


@cache
def _pale_colours(classes: int) -> NDArray[np.object_]:
    mixtures = [mixed(class_colour(place), "white", PALENESS) for place in range(classes)]
    return np.array([to_hex(channels) for channels in mixtures], object)
