"""The agreement: predicted against actual numbers, from any number of features."""

from matplotlib.figure import Figure

from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR
from fitreel.pictures.views.cell import Cell, draw_legend, new_axes, target_range, to_pixels
from fitreel.pictures.views.colours import TEST_COLOUR
from fitreel.pictures.views.rows import shown_rows
from fitreel.pictures.views.stamp import Stamp
from fitreel.reel.recording import Recording

MARGIN = 0.05  # of the targets' range


class AgreementView:
    """A dot for each row: across its target, up its prediction; right ones are on the diagonal."""

    def __init__(self, figure: Figure, reel: Recording, cell: Cell) -> None:
        dataset, probes = reel.dataset, reel.probes
        self.axes = new_axes(
            figure, cell, f"actual {dataset.target}", f"predicted {dataset.target}"
        )
        low, high = target_range(dataset)
        margin = MARGIN * ((high - low) or 1.0)
        ends = low - margin, high + margin
        self.axes.set_xlim(*ends)
        self.axes.set_ylim(*ends)
        self.axes.plot(ends, ends, color=LINE_COLOUR, linewidth=1.5 * cell.scale)
        size = cell.scale * (3.6 if len(probes.inputs) > 200 else 5)
        self._marks = (
            Stamp("o", size, [POINT_COLOUR], opacities=1),
            Stamp("D", size, [TEST_COLOUR], opacities=1),
        )
        self._actual = [part.targets for part in shown_rows(reel)]
        if dataset.test:
            draw_legend(
                self.axes, cell, [("o", POINT_COLOUR, "training"), ("D", TEST_COLOUR, "test")]
            )

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Draw the dots, those of test rows over the others; what is far off is at the edge."""
        found = (reel.on_training(frame), reel.on_test(frame))
        for actual, predicted, mark in zip(self._actual, found, self._marks, strict=False):
            mark.put(backdrop, *to_pixels(self.axes, actual, predicted))
