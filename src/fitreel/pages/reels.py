"""The data of a reel in a page: its losses, its rows, and as many of its frames as fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.checks.text import shortened
from fitreel.data.dataset import Dataset, Rows
from fitreel.pages.coarse_grid import page_grid
from fitreel.pages.page import packed
from fitreel.pages.predictions import frame_bytes, predictions_data
from fitreel.pictures.views.rows import shown_rows
from fitreel.reel.of_history import record_frames
from fitreel.reel.probes import Probes, kind_of, probes_of
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import thinned
from fitreel.training.history import History

LONGEST = 60  # letters of a name
MOST_POINTS = 4000  # of a curve's training points, and as many of its test points


def reel_data(
    dataset: Dataset,
    history: History,
    epochs: NDArray[np.int64],
    most_frames: int,
    most_bytes: int,
    most_rows: int,
) -> dict[str, Any]:
    """Return the losses of ``epochs``, and as many frames as ``most_bytes`` of predictions allow.

    ``most_rows`` of the training rows are shown, and as many of the test rows.
    """
    probes = probes_of(dataset, page_grid(dataset), most_rows)
    most = min(most_frames, affordable_frames(dataset, probes, most_bytes))
    recording = record_frames(dataset, history, thinned(len(history.frame_epochs), most), probes)
    return recording_data(recording, history.curve[epochs], len(history.losses))


def recording_data(recording: Recording, losses: NDArray[np.float64], count: int) -> dict[str, Any]:
    """Return the frames of a recording, and the losses that are drawn, of a training of ``count``.

    A loss that is not finite is a gap in its curve.
    """
    dataset, tested = recording.dataset, recording.test_losses
    return {
        "kind": kind_of(dataset),
        "features": _names(dataset.features) if recording.probes.places else [],
        "target": shortened(dataset.target, LONGEST),
        "classes": _names(dataset.classes),
        "epoch_count": count,
        # Steps and losses of any model may be too large for smaller types.
        "losses": packed(losses, np.float64),
        "frame_epochs": packed(recording.epochs, np.float64),
        "frame_losses": packed(recording.losses, np.float64),
        "test_losses": None if tested is None else packed(tested, np.float64),
        **_rows(recording),
        **predictions_data(recording),
    }


def affordable_frames(dataset: Dataset, probes: Probes, most_bytes: int) -> int:
    """Return how many frames ``most_bytes`` allow: the first and the last at least."""
    return max(2, most_bytes // frame_bytes(dataset, probes))


def _names(names: Sequence[str]) -> list[str]:
    return [shortened(name, LONGEST) for name in names]


def _rows(recording: Recording) -> dict[str, Any]:
    """Return the rows that are shown, the training rows first."""
    dataset = recording.dataset
    if kind_of(dataset) == "curve":  # its probes are a line without rows
        parts = [_points(part) for part in (dataset, dataset.test) if part]
    else:
        parts = [(part.inputs, part.targets) for part in shown_rows(recording)]
    inputs, targets = (np.concatenate(each) for each in zip(*parts, strict=True))
    has_places = recording.probes.places > 0
    return {
        "training_rows": len(parts[0][1]),
        "targets": packed(targets, np.float32),
        "inputs": [packed(column, np.float32) for column in inputs.T] if has_places else [],
        "count": len(dataset),
        "test_count": len(dataset.test) if dataset.test else 0,
    }


def _points(rows: Dataset | Rows) -> tuple[NDArray[Any], NDArray[Any]]:
    kept = torch.from_numpy(thinned(len(rows), MOST_POINTS))
    return rows.inputs[kept].numpy(), rows.y[kept].numpy()
