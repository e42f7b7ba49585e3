"""The colours of the compared runs, all readable on white."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from fitreel.comparison.runs import Comparison

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


def run_colours(comparison: Comparison) -> list[str]:
    """Give a colour for every run; those that differ in nothing but their seed share one."""
    first = list(range(len(comparison.runs)))  # the first run of each one's group
    for group in comparison.groups:
        for place in group.runs:
            first[place] = min(group.runs)
    leaders = sorted(set(first))
    chosen = dict(zip(leaders, colours(len(leaders)), strict=True))
    return [chosen[leader] for leader in first]
