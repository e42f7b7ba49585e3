"""The colours of the views: of test rows, of classes, of a field."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray

from fitreel.pictures.backdrop import Pixels

TEST_COLOUR = "#e07b00"  # apart from the blue of the points for all kinds of colour vision
# Petroff's ten, made to differ for colour-blind readers (arXiv:2107.02270). More classes take them
# again from the first.
CLASS_COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
FIELD = "viridis"


def class_colour(place: int) -> str:
    """Return the colour of a class by its place."""
    return CLASS_COLOURS[place % len(CLASS_COLOURS)]


def band_colours(bands: int) -> list[str]:
    """Return the colours of a field's bands, the lowest first."""
    return [to_hex(colour) for colour in colormaps[FIELD](np.linspace(0.06, 0.97, bands))]


def mixed(colour: str, other: str, share: float) -> tuple[float, float, float]:
    """Return a colour with a share of another in it; channels from 0 to 1."""
    one, two = np.array(to_rgb(colour)), np.array(to_rgb(other))
    red, green, blue = one * (1 - share) + two * share
    return float(red), float(green), float(blue)


def words(channels: NDArray[np.floating]) -> Pixels:
    """Return opaque pixels of red, green and blue from 0 to 1: (..., 3) to (...)."""
    whole = np.round(np.clip(channels, 0, 1) * 255).astype(np.uint32)
    found: Pixels = whole[..., 0] | whole[..., 1] << 8 | whole[..., 2] << 16 | np.uint32(255 << 24)
    return found
