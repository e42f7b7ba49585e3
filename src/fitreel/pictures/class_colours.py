"""The colours of classes."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

# Okabe and Ito's, which differ for every common kind of colour vision, without the yellow.
FIRST = ("#0072b2", "#d95f02", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6b4c9a")


def class_colours(classes: int) -> NDArray[np.float64]:
    """Return a colour for each class: (classes, 3), parts from 0 to 1."""
    if classes <= len(FIRST):
        return np.array([to_rgb(colour) for colour in FIRST[:classes]])
    return np.asarray(colormaps["turbo"](np.linspace(0.05, 0.95, classes)))[:, :3]
