"""The colours of the compared runs: one set for white, one for a dark page."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from fitreel.comparison.runs import Comparison

# Near Okabe and Ito's, moved until all have a contrast of 3 to white and each pair is at least 27
# apart (CIE 1976) for normal vision, protanopia, deuteranopia and tritanopia; theirs has 0.8.
DISTINCT = (
    "#0695f2",
    "#e77600",
    "#003a5d",
    "#c77cb4",
    "#7b9262",
    "#904700",
    "#000000",
    "#412400",
)
# The same for the dark page, with a contrast of 4 to it, each pair at least 32 apart.
DISTINCT_ON_DARK = (
    "#75c5ff",
    "#ffa908",
    "#d9ffff",
    "#996a90",
    "#8fa67a",
    "#c85319",
    "#ffe28c",
    "#6c5eff",
)
# Of plasma; beyond these the contrast to white and to the dark page falls below 3.
LIGHTEST, DARKEST = 0.64, 0.42


def colours(count: int, dark: bool = False) -> list[str]:
    """Return a colour for each run as ``#rrggbb``: distinct ones up to 8, then an even scale."""
    distinct = DISTINCT_ON_DARK if dark else DISTINCT
    if count <= len(distinct):
        return list(distinct[:count])
    scale = np.linspace(DARKEST, 1, count) if dark else np.linspace(0, LIGHTEST, count)
    return [to_hex(colour) for colour in colormaps["plasma"](scale)]


def run_colours(comparison: Comparison, dark: bool = False) -> list[str]:
    """Return a colour for every run; runs that differ only in their seed share one."""
    first = list(range(len(comparison.runs)))  # the first run of each one's group
    for group in comparison.groups:
        for place in group.runs:
            first[place] = min(group.runs)
    leaders = sorted(set(first))
    chosen = dict(zip(leaders, colours(len(leaders), dark), strict=True))
    return [chosen[leader] for leader in first]
