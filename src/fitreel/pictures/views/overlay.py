"""The overlay: points that stay, drawn once and blended over each frame."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from fitreel.pictures.backdrop import Backdrop, new_figure, rgba
from fitreel.pictures.views.cell import picture_size

OPACITIES = 4  # few, so that a palette has all blends


class Overlay:
    """What a function draws on axes, as pixels with their opacity."""

    def __init__(self, axes: Axes, draw: Callable[[Axes], None]) -> None:
        """Draw on transparent axes that lie where ``axes`` are, with the same limits."""
        width, height = picture_size(axes)
        figure = new_figure(width, height)
        figure.patch.set_alpha(0)
        canvas = FigureCanvasAgg(figure)
        left, bottom, across, up = axes.get_position().bounds
        over = figure.add_axes((left, bottom, across, up))
        over.set_axis_off()
        over.set_xlim(axes.get_xlim())
        over.set_ylim(axes.get_ylim())
        draw(over)
        canvas.draw()  # type: ignore[no-untyped-call]
        picture = rgba(canvas).reshape(-1, 4)
        opacity = np.round(picture[:, 3] / 255 * OPACITIES) / OPACITIES
        (self._places,) = np.nonzero(opacity)
        self._beneath = (1 - opacity[self._places, None]).astype(np.float32)
        self._paint = picture[self._places, :3] * opacity[self._places, None].astype(np.float32)

    def put(self, backdrop: Backdrop) -> None:
        """Blend it over the present picture."""
        channels = backdrop.channels().reshape(-1, 4)
        below = channels[self._places, :3]
        channels[self._places, :3] = self._paint + below * self._beneath + 0.5
