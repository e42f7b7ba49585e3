"""The timeline: which frame each run shows while all films play in step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.reel.thinning import thinned
from fitreel.training.history import History


@dataclass(frozen=True, eq=False)
class Timeline:
    """The steps that several runs take together."""

    epochs: NDArray[np.int64]  # (steps,)
    frames: NDArray[np.int64]  # (runs, steps), places in each run's history.frames


def timeline(histories: Sequence[History], most: int) -> Timeline:
    """Return all epochs of which any run has a frame, in order, thinned evenly to ``most`` steps.

    First and last are kept. At each step a run shows its last frame up to there: one that was
    shorter waits at its end. ValueError where ``most`` is below 2.
    """
    if most < 2:
        raise ValueError(f"a timeline needs 2 steps or more; got {most}")
    # All epochs that any run shows: common ones only would leave nothing of runs with other steps.
    union = np.unique(np.concatenate([history.frame_epochs for history in histories]))
    epochs = union[thinned(len(union), most)]
    last = [np.searchsorted(history.frame_epochs, epochs, "right") - 1 for history in histories]
    # Before its first frame, which a file from outside may have late, a run shows that one.
    return Timeline(epochs, np.maximum(np.stack(last), 0))
