"""The predictions of a page: whole numbers, fine enough for half a pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.pages.page import packed
from fitreel.pictures.views.cell import target_range
from fitreel.pictures.views.colours import CLASS_COLOURS, band_colours
from fitreel.pictures.views.curve import line_range, value_range
from fitreel.pictures.views.field import levels_of
from fitreel.pictures.views.rows import shown_rows
from fitreel.reel.probes import Probes, kind_of, padded_range
from fitreel.reel.recording import Recording

STEPS = 2**16 - 1  # of a quantised number
MARGIN = 0.05  # around the targets
MOST_SMALL = 256  # classes whose places fit into a byte
# Heights of the picture that a curve may leave it by: a line that leaves it steeply stays where it
# is within half a pixel, and a step of its numbers is a fifth of a pixel.
BEYOND = 10


def frame_bytes(dataset: Dataset, probes: Probes) -> int:
    """Return how many bytes the predictions of a frame are."""
    rows, classes = len(probes.training) + len(probes.test), len(dataset.classes)
    numbers = probes.places * (classes if classes > 2 else 1) or rows
    return 2 * numbers + (0 if not classes else rows if classes <= MOST_SMALL else 2 * rows)


def predictions_data(recording: Recording) -> dict[str, Any]:
    """Return the quantised predictions of all frames, and what it takes to draw them."""
    probes, classes = recording.probes, recording.dataset.classes
    if classes:
        return _classes(recording)
    if kind_of(recording.dataset) == "curve":
        return _curve(recording)
    low, high = target_range(recording.dataset)
    if probes.grid:
        levels = levels_of(low, high)
        low, high = float(levels[0]), float(levels[-1])
        values = quantised(recording.predictions[:, : probes.places], low, high)
        bands = {"levels": levels.tolist(), "colours": band_colours(len(levels) - 1)}
        return {"low": low, "high": high, "values": values} | bands | _limits(recording)
    margin = MARGIN * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    return {"low": low, "high": high, "values": quantised(recording.predictions, low, high)}


def _curve(recording: Recording) -> dict[str, Any]:
    bottom, top = value_range(recording.dataset)
    room = BEYOND * (top - bottom)
    low, high = bottom - room, top + room
    return {
        "line": packed(recording.probes.x, np.float32),
        "x_range": line_range(recording),
        "y_range": (bottom, top),
        "low": low,
        "high": high,
        "values": quantised(recording.predictions, low, high),
    }


def _classes(recording: Recording) -> dict[str, Any]:
    probes, classes = recording.probes, len(recording.dataset.classes)
    on_rows = recording.predictions[:, probes.places :]
    found: dict[str, Any] = {
        "colours": list(CLASS_COLOURS),
        "low": 0.0,
        "high": 1.0,
        "predicted": packed(
            on_rows.argmax(axis=-1), np.uint8 if classes <= MOST_SMALL else np.uint16
        ),
    }
    if not probes.grid:
        truth = np.concatenate([part.targets for part in shown_rows(recording)])
        mine = np.take_along_axis(on_rows, truth[None, :, None], axis=-1)[..., 0]
        return found | {"values": quantised(mine, 0, 1)}
    # (frames, classes, places); of two classes the first is what the second leaves.
    channels = np.moveaxis(recording.predictions[:, : probes.places], -1, 1)
    if classes == 2:
        channels = channels[:, 1:]
    return found | _limits(recording) | {"values": quantised(channels, 0, 1)}


def _limits(recording: Recording) -> dict[str, Any]:
    return {
        "grid": recording.probes.grid,
        "x_range": padded_range(recording.dataset, 0),
        "y_range": padded_range(recording.dataset, 1),
    }


def quantised(values: NDArray[np.floating], low: float, high: float) -> str:
    """Return numbers as whole steps from ``low`` to ``high``; what is beyond is at an end."""
    share = (np.clip(values, low, high) - low) / (high - low)
    return packed(np.round(share * STEPS), np.uint16)
