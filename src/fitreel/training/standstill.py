"""The standstill: why a finished training has learned nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.training.evaluation import errors
from fitreel.training.weights import Weights

FAR = 10  # a last loss above so many times the first one is far above it


def why_nothing_learned(
    weights: Weights,
    dataset: Dataset,
    losses: Sequence[float] | NDArray[np.floating] = (),
    r2: float | None = None,
) -> str:
    """Return why a trained network is useless, and what helps; an empty text if it is not.

    ``dataset`` are the points of the training, ``losses`` all of its losses, ``r2`` the r² on
    these points, which is computed if it is not given.
    """
    if r2 is None:
        r2 = errors("train", weights, dataset)["train_r2"]
    reasons = []
    if weights.dead(dataset.x).all():
        neurons = weights.bias.shape[-1]
        reasons.append(f"all {neurons} neurons are dead" if neurons > 1 else "its neuron is dead")
    if len(losses) and losses[-1] > FAR * losses[0]:
        reasons.append(f"the loss went from {losses[0]:.4g} up to {losses[-1]:.4g}")
    too_fast = bool(reasons)
    # NaN, where all y are equal, is not a reason.
    if r2 <= 0:
        reasons.append(f"the mean of y fits the points as well (r² {r2:.3g})")
    if not reasons:
        return ""
    remedy = "lower lr or scale the points down" if too_fast else "change lr or train longer"
    return f"{', '.join(reasons)}; {remedy}"
