"""The films of runs in a page: each as weights of a curve, or as predictions of any model."""

from typing import Any

import numpy as np

from fitreel.comparison.compared import ComparedRun, FilmedRun, OwnRun
from fitreel.data.dataset import Dataset
from fitreel.pages.coarse_grid import on_page_grid
from fitreel.pages.data import dataset_data, training_data
from fitreel.pages.reels import affordable_frames, recording_data, reel_data
from fitreel.reel.probes import kind_of

MOST_ROWS = 200  # of a reel's training rows, and as many of its test rows
# The losses of a film: pages draw the curves of all runs from others, so that one is enough.
FIRST = np.array([0])


def points_data(dataset: Dataset, most: int) -> dict[str, Any] | None:
    """Return at most ``most`` points of a curve; None for rows that a reel has."""
    return dataset_data(dataset, most) if kind_of(dataset) == "curve" else None


def film_data(run: ComparedRun, most_frames: int, most_bytes: int) -> dict[str, Any]:
    """Return the frames of a run, as many as ``most_bytes`` allow, without its loss curve."""
    match run:
        case OwnRun():
            return _own(run, most_frames, most_bytes)
        case FilmedRun():
            return {"training": None, "reel": _filmed(run, most_frames, most_bytes)}
    raise TypeError(f"no page shows a {type(run).__name__}")


def _own(run: OwnRun, most_frames: int, most_bytes: int) -> dict[str, Any]:
    limits = (most_frames, most_bytes)
    if kind_of(run.dataset) == "curve":
        return {"training": training_data(run.dataset, run.history, FIRST, *limits), "reel": None}
    reel = reel_data(run.dataset, run.history, FIRST, *limits, MOST_ROWS)
    return {"training": None, "reel": reel}


def _filmed(run: FilmedRun, most_frames: int, most_bytes: int) -> dict[str, Any]:
    # Of one frame: how many of them fit follows from its size on the grid of a page.
    probes = on_page_grid(run.reel.recording(1)).probes
    most = min(most_frames, affordable_frames(run.dataset, probes, most_bytes))
    recording = on_page_grid(run.reel.recording(most))
    return recording_data(recording, run.losses[FIRST], len(run.steps))
