"""The agreement: predicted against actual numbers, from any number of features."""

import numpy as np
from matplotlib.figure import Figure

from fitreel.pictures.backdrop import Backdrop
from fitreel.pictures.figures import LINE_COLOUR, POINT_COLOUR
from fitreel.pictures.views.cell import Cell, draw_legend, new_axes, target_range, to_pixels
from fitreel.pictures.views.colours import TEST_COLOUR
from fitreel.pictures.views.stamp import Stamp
from fitreel.reel.reel import Reel

MARGIN = 0.05  # of the targets' range


class AgreementView:
    """A dot for each row: across its target, up its prediction; right ones are on the diagonal."""

    def __init__(self, figure: Figure, reel: Reel, cell: Cell) -> None:
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
        self._dot = Stamp("o", size, [POINT_COLOUR], opacities=1)
        self._diamond = Stamp("D", size, [TEST_COLOUR], opacities=1)
        self._actual = dataset.y[probes.training].numpy()
        self._test_actual = dataset.test.y[probes.test].numpy() if dataset.test else np.zeros(0)
        if dataset.test:
            draw_legend(
                self.axes, cell, [("o", POINT_COLOUR, "training"), ("D", TEST_COLOUR, "test")]
            )

    def draw(self, backdrop: Backdrop, reel: Reel, frame: int) -> None:
        """Put the dots, those of test rows over the others; what is far off is at the edge."""
        self._dot.put(backdrop, *to_pixels(self.axes, self._actual, reel.on_training(frame)))
        self._diamond.put(backdrop, *to_pixels(self.axes, self._test_actual, reel.on_test(frame)))
