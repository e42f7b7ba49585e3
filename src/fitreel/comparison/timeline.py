"""The timeline: which frame each run shows while all films play in step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.comparison.compared import ComparedRun
from fitreel.reel.thinning import thinned
from fitreel.settings import Align


@dataclass(frozen=True, eq=False)
class Timeline:
    """The moments that several runs show together, and what each shows then."""

    moments: NDArray[np.float64]  # (moments,), epochs or shares of the training, rising
    frames: NDArray[np.int64]  # (runs, moments), places of each run's frames


def timeline(runs: Sequence[ComparedRun], most: int, align: Align) -> Timeline:
    """Return all moments of which any run has a frame, in order, thinned evenly to ``most``.

    First and last are kept. At each moment a run shows its last frame up to there: by epoch, one
    that was shorter waits at its end; by share, all end together. ValueError where ``most`` is
    below 2.
    """
    if most < 2:
        raise ValueError(f"a timeline needs 2 moments or more; got {most}")
    mine = [moments_of(run, run.frame_steps, align) for run in runs]
    # All moments that any run shows: common ones alone would leave nothing of runs with others.
    union = np.unique(np.concatenate(mine))
    moments = union[thinned(len(union), most)]
    last = [np.searchsorted(each, moments, "right") - 1 for each in mine]
    # Before its first frame, which a training may have late, a run shows that one.
    return Timeline(moments, np.maximum(np.stack(last), 0))


def moments_of(run: ComparedRun, steps: NDArray[np.int64], align: Align) -> NDArray[np.float64]:
    """Return where steps are on the axis of all runs: at epochs, or at shares from 0 to 1."""
    if align == "epoch":
        return steps.astype(np.float64)
    first, last = run.span
    return (steps - first) / max(1, last - first)
