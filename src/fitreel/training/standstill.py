"""The standstill: why a finished training has learned nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.training.baselines import class_frequencies
from fitreel.training.evaluation import explained
from fitreel.training.scores import network_error
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

    ``dataset`` are the rows of the training, ``losses`` all of its losses, ``error`` the root
    error on these rows, or the log loss of classes, which is computed if it is not given.
    """
    found = network_error(weights, dataset) if error is None else error
    reasons = []
    if weights.dead(dataset.x).all():
        neurons = weights.bias.shape[-1]
        reasons.append(f"all {neurons} neurons are dead" if neurons > 1 else "its neuron is dead")
    if len(losses) and losses[-1] > FAR * losses[0]:
        reasons.append(f"the loss went from {losses[0]:.4g} up to {losses[-1]:.4g}")
    too_fast = bool(reasons)
    guess = _guess(found, dataset)
    if guess:
        reasons.append(guess)
    if not reasons:
        return ""
    slower = "lower lr" if dataset.scaling else "lower lr or scale the points down"
    return f"{', '.join(reasons)}; {slower if too_fast else 'change lr or train longer'}"


def _guess(error: float, dataset: Dataset) -> str:
    """Return which guess that looks at no feature is as good as the network; "" if none is."""
    target = shown(dataset.target, 40)
    if dataset.classes:
        guessed = _log_loss_of_frequencies(dataset)
        # Rows of a single class are guessed without any loss: that is not a reason.
        if guessed and error > guessed * (1 - ROUNDING):
            return (
                f"the frequencies of the classes of {target} fit the rows as well "
                f"(log loss {error:.4g} against {guessed:.4g})"
            )
        return ""
    r2 = explained(error, dataset)
    # NaN, where all y are equal, is not a reason.
    if r2 < ROUNDING:
        rows = "rows" if dataset.scaling else "points"
        return f"the mean of {target} fits the {rows} as well (r² {round(r2, 9):.3g})"
    return ""


def _log_loss_of_frequencies(dataset: Dataset) -> float:
    frequencies = class_frequencies(dataset)
    seen = frequencies[frequencies > 0]
    return float(-(seen * np.log(seen)).sum())
