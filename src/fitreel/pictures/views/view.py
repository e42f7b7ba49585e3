"""The view: fixed scenery on a figure, and what moves in front of it."""

from typing import Protocol

from matplotlib.axes import Axes

from fitreel.pictures.backdrop import Backdrop
from fitreel.reel.recording import Recording


class View(Protocol):
    """One kind of picture of predictions, in one cell of a backdrop's figure."""

    axes: Axes

    def draw(self, backdrop: Backdrop, reel: Recording, frame: int) -> None:
        """Draw what moves on the restored backdrop."""
