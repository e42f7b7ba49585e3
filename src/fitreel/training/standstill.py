"""The standstill: why a finished training has learned nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.training.evaluation import explained, root_error
from fitreel.training.weights import Weights

ROUNDING = 1e-9  # an r² below it is 0, but for rounding
FAR = 10  # a last loss above so many times the first one is far above it


def why_nothing_learned(
    weights: Weights,
    dataset: Dataset,
    losses: Sequence[float] | NDArray[np.floating] = (),
    error: float | None = None,
) -> str:
    """Return why a trained network is useless, and what helps; an empty text if it is not.

    ``dataset`` are the points of the training, ``losses`` all of its losses, ``error`` the root
    error on these points, which is computed if it is not given.
    """
    r2 = explained(root_error(weights, dataset) if error is None else error, dataset)
    reasons = []
    if weights.dead(dataset.x).all():
        neurons = weights.bias.shape[-1]
        reasons.append(f"all {neurons} neurons are dead" if neurons > 1 else "its neuron is dead")
    if len(losses) and losses[-1] > FAR * losses[0]:
        reasons.append(f"the loss went from {losses[0]:.4g} up to {losses[-1]:.4g}")
    too_fast = bool(reasons)
    # NaN, where all y are equal, is not a reason.
    if r2 < ROUNDING:
        reasons.append(f"the mean of y fits the points as well (r² {round(r2, 9):.3g})")
    if not reasons:
        return ""
    remedy = "lower lr or scale the points down" if too_fast else "change lr or train longer"
    return f"{', '.join(reasons)}; {remedy}"
