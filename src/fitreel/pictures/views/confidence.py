"""The confidence: the probability of each row's true class, sorted, class by class."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import GRID, INK
from fitreel.pictures.fitted_text import fitted
from fitreel.pictures.views.cell import Cell, draw_legend, new_axes, to_pixels
from fitreel.pictures.views.colours import class_colour
from fitreel.pictures.views.rows import shown_rows
from fitreel.pictures.views.stamp import Stamp
from fitreel.reel.recording import Recording

FILLED = 0.86  # of the width of a class
MOST_LINES = 60  # between classes


@dataclass(frozen=True, eq=False)
class Part:
    """The training rows or the test rows of the probes: the class of each."""

    truth: NDArray[np.int64]

    def sorted(
        self, predictions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]:
        """Return x, probability of the true class, whether it is wrong, and class, of each row.

        A class begins at its place; within it the rows rise from left to right.
        """
        probability = np.take_along_axis(predictions, self.truth[:, None], axis=1)[:, 0]
        order = np.lexsort((probability, self.truth))
        truth = self.truth[order]
        counts = np.bincount(truth, minlength=predictions.shape[1])
        rank = np.arange(len(truth)) - np.repeat(np.cumsum(counts) - counts, counts)
        share = (rank + 0.5) / counts[truth]
        x = truth + 0.5 + FILLED * (share - 0.5)
        wrong = predictions[order].argmax(axis=1) != truth
        return x, probability[order], wrong, truth


class ConfidenceView:
    """A rising row of dots for each class; wrong ones have crosses."""

    def __init__(self, figure: Figure, reel: Recording, cell: Cell) -> None:
        dataset, probes = reel.dataset, reel.probes
        self.axes = new_axes(figure, cell, dataset.target, "probability of the true class")
        classes = dataset.classes
        self.axes.grid(visible=False, axis="x")
        self.axes.set_xlim(0, len(classes))
        self.axes.set_ylim(-0.03, 1.03)
        self._draw_lines(len(classes))
        room = self.axes.bbox.width / len(classes) - 6
        # A narrow class has its place among the classes in place of its name.
        names = [fitted(name, room, 10) if room > 40 else "" for name in classes]
        ticks = np.arange(len(classes)) + 0.5
        labels = self.axes.set_xticks(ticks, names if cell.is_alone else [""] * len(classes))
        for label in labels:
            label.label1.set_parse_math(False)
        self.axes.tick_params(axis="x", length=0)
        size = cell.scale * (4.2 if len(probes.inputs) > 300 else 5.2)
        colours = [class_colour(place) for place in range(len(classes))]
        self._marks = Stamp("o", size, colours), Stamp("D", 0.9 * size, colours)
        self._cross = Stamp("x", 1.3 * size, [INK], line=1.2 * cell.scale)
        self._parts = [Part(part.targets) for part in shown_rows(reel)]
        marks = [("o", INK, "training")]
        if dataset.test:
            marks.append(("D", INK, "test"))
        draw_legend(self.axes, cell, [*marks, ("x", INK, "wrong")])

    def _draw_lines(self, classes: int) -> None:
        for place in range(1, classes) if classes <= MOST_LINES else ():
            self.axes.axvline(place, color=GRID, linewidth=1)
        # Above one half no other class can be likelier, below 1/classes one must be.
        for limit, text in ((1 / 2, "right above"), (1 / classes, "wrong below")):
            self.axes.axhline(limit, color=INK, linewidth=1.2, linestyle=(0, (5, 4)))
            is_high = text == "right above"
            if classes == 2:
                text, is_high = "wrong below", False
            self.axes.annotate(
                text,
                (classes, limit),
                (-3, 3 if is_high else -3),
                textcoords="offset points",
                ha="right",
                va="bottom" if is_high else "top",
                size=9,
                color=INK,
            )

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Draw the dots, those of test rows over the others."""
        found = (reel.on_training(frame), reel.on_test(frame))
        for part, predictions, mark in zip(self._parts, found, self._marks, strict=False):
            x, probability, wrong, truth = part.sorted(predictions)
            columns, rows = to_pixels(self.axes, x, probability)
            mark.put(backdrop, columns, rows, truth)
            self._cross.put(backdrop, columns[wrong], rows[wrong])
