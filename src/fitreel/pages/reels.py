"""The data of a reel in a page: predictions in whole numbers, fine enough for half a pixel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shortened
from fitreel.data.dataset import Dataset
from fitreel.pages.page import packed
from fitreel.pictures.views.cell import target_range
from fitreel.pictures.views.colours import CLASS_COLOURS, band_colours
from fitreel.pictures.views.field import levels_of
from fitreel.pictures.views.rows import shown_rows
from fitreel.reel.of_history import record_frames
from fitreel.reel.probes import Probes, kind_of, padded_range, probes_of
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import thinned
from fitreel.training.history import History

GRID, GRID_OF_CLASSES = (60, 45), (48, 36)  # places across and up; more than two classes
STEPS = 2**16 - 1  # of a quantised number
LONGEST = 60  # letters of a name
MARGIN = 0.05  # around the targets


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
    grid = GRID_OF_CLASSES if len(dataset.classes) > 2 else GRID
    probes = probes_of(dataset, grid, most_rows)
    affordable = max(2, most_bytes // _frame_bytes(dataset, probes))
    kept = thinned(len(history.frame_epochs), min(most_frames, affordable))
    reel = record_frames(dataset, history, kept, probes)
    return {
        "kind": kind_of(dataset),
        "features": _names(dataset.features) if probes.grid else [],
        "target": shortened(dataset.target, LONGEST),
        "classes": _names(dataset.classes),
        "epoch_count": len(history.losses),
        "losses": packed(history.curve[epochs], np.float32),
        "frame_epochs": packed(reel.epochs, np.int32),
        "frame_losses": packed(reel.losses, np.float32),
        "test_losses": None if reel.test_losses is None else packed(reel.test_losses, np.float32),
        **_rows(reel),
        **_predictions(reel),
    }


def _names(names: Sequence[str]) -> list[str]:
    return [shortened(name, LONGEST) for name in names]


def _frame_bytes(dataset: Dataset, probes: Probes) -> int:
    """Return how many bytes the predictions of a frame are."""
    rows, classes = len(probes.training) + len(probes.test), len(dataset.classes)
    if not probes.grid:
        return rows * (3 if classes else 2)
    if not classes:
        return 2 * probes.places
    return 2 * probes.places * (1 if classes == 2 else classes) + rows


def _rows(reel: Recording) -> dict[str, Any]:
    """Return the rows that are shown, the training rows first."""
    dataset, probes, targets = reel.dataset, reel.probes, _targets(reel)
    inputs = probes.inputs[probes.places :].numpy()
    return {
        "training_rows": len(probes.training),
        "targets": packed(targets, np.float32),
        "inputs": [packed(column, np.float32) for column in inputs.T] if probes.grid else [],
        "count": len(dataset),
        "test_count": len(dataset.test) if dataset.test else 0,
    }


def _predictions(reel: Recording) -> dict[str, Any]:
    dataset, probes = reel.dataset, reel.probes
    on_rows = reel.predictions[:, probes.places :]
    if not dataset.classes:
        return _numbers(reel, on_rows)
    # A page shows up to 255 classes apart; a network with more has too many for any picture.
    predicted = on_rows.argmax(axis=-1)
    found: dict[str, Any] = {
        "colours": list(CLASS_COLOURS),
        "low": 0.0,
        "high": 1.0,
        "predicted": packed(np.minimum(predicted, 255), np.uint8),
    }
    if not probes.grid:
        mine = np.take_along_axis(on_rows, _targets(reel)[None, :, None], axis=-1)[..., 0]
        return found | {"values": quantised(mine, 0, 1)}
    in_space = reel.predictions[:, : probes.places]
    # (frames, classes, places); of two classes the first is what the second leaves.
    channels = np.moveaxis(in_space, -1, 1)
    if len(dataset.classes) == 2:
        channels = channels[:, 1:]
    return found | _limits(reel) | {"values": quantised(channels, 0, 1)}


def _numbers(reel: Recording, on_rows: NDArray[np.float32]) -> dict[str, Any]:
    low, high = target_range(reel.dataset)
    if reel.probes.grid:
        levels = levels_of(low, high)
        low, high = float(levels[0]), float(levels[-1])
        values = quantised(reel.predictions[:, : reel.probes.places], low, high)
        bands = {"levels": levels.tolist(), "colours": band_colours(len(levels) - 1)}
        return {"low": low, "high": high, "values": values} | bands | _limits(reel)
    margin = MARGIN * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    return {"low": low, "high": high, "values": quantised(on_rows, low, high)}


def _limits(reel: Recording) -> dict[str, Any]:
    return {
        "grid": reel.probes.grid,
        "x_range": padded_range(reel.dataset, 0),
        "y_range": padded_range(reel.dataset, 1),
    }


def _targets(reel: Recording) -> NDArray[Any]:
    """Return the targets of the rows that are shown: numbers, or places of classes."""
    return np.concatenate([part.targets for part in shown_rows(reel)])


def quantised(values: NDArray[np.floating], low: float, high: float) -> str:
    """Return numbers as whole steps from ``low`` to ``high``; what is beyond is at an end."""
    share = (np.clip(values, low, high) - low) / (high - low)
    return packed(np.round(share * STEPS), np.uint16)
