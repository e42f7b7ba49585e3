"""The colours of the compared runs, all readable on white."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

# Near Okabe and Ito's, moved until all have a contrast of 3 to white and each pair is at least 27
# apart (CIE 1976) for normal vision, protanopia, deuteranopia and tritanopia; theirs has 0.8.
FEW = (
    "#0695f2",
    "#e77600",
    "#003a5d",
    "#c77cb4",
    "#7b9262",
    "#904700",
    "#000000",
    "#412400",
)
LIGHTEST = 0.64  # of plasma; beyond it the contrast to white falls below 3


def colours(count: int) -> list[str]:
    """Give a colour a run as ``#rrggbb``: clearly different ones up to 8, then an even scale."""
    if count <= len(FEW):
        return list(FEW[:count])
    return [to_hex(colour) for colour in colormaps["plasma"](np.linspace(0, LIGHTEST, count))]
