"""Reels of models that are known: our own networks, as anybody's model would be filmed."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

from fitreel import Reel, Weights
from tests.kinds import dataset_of, history_of


def model_of(network: Weights) -> Callable[[Any], Any]:
    """Return a network as a function of arrays."""
    return lambda x: network.predict(torch.from_numpy(x)).numpy()


def constant(level: float) -> Callable[[Any], Any]:
    """Return a model that predicts one number for all x."""
    return lambda x: 0 * x + level


def sine(share: float) -> Callable[[Any], Any]:
    """Return a model that predicts a share of the sine."""
    return lambda x: share * np.sin(x)


@cache
def reel_of(kind: str) -> Reel:
    """Return a reel of this kind: 13 frames, and a point at each of them, five steps apart."""
    dataset, history = dataset_of(kind), history_of(kind)
    reel = Reel(
        dataset.x,
        dataset.y,
        names=dataset.features,
        target=dataset.target,
        classes=dataset.classes,
        every=1,
    )
    for place, step in enumerate(history.frame_epochs.tolist()):
        loss = float(history.frame_losses[place])
        metrics = {"val_loss": 1.5 * loss, "accuracy": place / 12}
        reel.frame(step, loss, model_of(history.frames[place]), metrics)
    return reel
