"""The curves of a page: steps and values, thinned where there are too many to draw."""

from typing import Any

import numpy as np

from fitreel.checks.text import shortened
from fitreel.pages.page import packed
from fitreel.reel.curve import Curve
from fitreel.reel.reel import LOSS, Reel
from fitreel.reel.thinning import curve_places

MOST_LOSSES = 4000
MOST_METRICS = 24  # curves besides the loss
MOST_VALUES = 1000  # of each of them
LONGEST = 60  # letters of a name


def metrics_data(reel: Reel) -> list[dict[str, Any]]:
    """Return the first of the curves besides the loss; what is not finite is a gap in a curve."""
    names = [name for name, curve in reel.curves.items() if name != LOSS and len(curve)]
    return [_curve(name, reel.curves[name]) for name in names[:MOST_METRICS]]


def _curve(name: str, curve: Curve) -> dict[str, Any]:
    kept = curve_places(curve.values, MOST_VALUES)
    # Steps of anybody's training may be beyond whole numbers of 32 bits.
    return {
        "name": shortened(name, LONGEST),
        "steps": packed(curve.steps[kept], np.float64),
        "values": packed(curve.values[kept], np.float64),
    }
