"""The feed of a viewer: all that a training has when the page opens, and then what is new."""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.live.watched import Shown, State, Watched
from fitreel.pages.data import plain_texts
from fitreel.pages.predictions import predictions_data
from fitreel.pages.reels import recording_data
from fitreel.reel.listener import Frame
from fitreel.reel.probes import shape_of_frame
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import curve_places

MOST_POINTS = 200  # of a curve in one message
MOST_POINTS_AT_FIRST = 2000


class Feed:
    """What is new to one viewer since it asked last."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._shown: Shown | None = None
        self._state: State | None = None
        self._places: dict[str, int] = {}  # of the curves, up to which they were sent
        self._step = -math.inf  # of the last frame

    def news(self) -> dict[str, Any]:
        """Return what the viewer does not have yet; empty if that is nothing.

        If it asks rarely, it gets the newest frame alone, and curves in fewer points.
        """
        found: dict[str, Any] = {}
        # First: what a state says of the end is true of all that comes with it.
        state = self._watched.state()
        if self._shown is None and (training := self._watched.shown):
            self._shown = training
            found["start"] = _start(training)
        if self._shown:
            found |= {"points": self._points(), "frames": self._frames(self._shown)}
        if state != self._state:
            self._state = state
            found["state"] = state.as_dict()
        return {name: value for name, value in found.items() if value}

    def _points(self) -> dict[str, Any]:
        found = {}
        for name, curve in self._watched.curves.items():
            place = self._places.get(name, 0)
            steps, values = curve.since(place)
            if not len(steps):
                continue
            self._places[name] = place + len(steps)
            kept = curve_places(values, MOST_POINTS if place else MOST_POINTS_AT_FIRST)
            found[shown(name)] = [steps[kept].tolist(), _finite(values[kept])]
        return found

    def _frames(self, training: Shown) -> list[dict[str, Any]]:
        new = [frame for frame in self._watched.frames if frame.step > self._step]
        if self._step >= 0:  # the viewer has those before
            new = new[-1:]
        if new:
            self._step = new[-1].step
        return [_frame(training, frame) for frame in new]


def _start(training: Shown) -> dict[str, Any]:
    """Return what stays the same: the rows, and the limits of the picture."""
    found = recording_data(_recording(training), np.zeros(0), 0)
    return plain_texts({**found, "steps": training.steps, "name": shown(training.name)})  # type: ignore[no-any-return]


def _frame(training: Shown, frame: Frame) -> dict[str, Any]:
    found = predictions_data(_recording(training, frame))
    moving: dict[str, Any] = {
        name: found[name] for name in ("values", "predicted") if name in found
    }
    return {"step": frame.step, "loss": frame.loss, **moving}


def _recording(training: Shown, *frames: Frame) -> Recording:
    shape = shape_of_frame(training.dataset, training.probes)
    return Recording(
        training.dataset,
        training.probes,
        np.array([frame.predictions for frame in frames], np.float32).reshape(-1, *shape),
        np.array([frame.step for frame in frames], np.int64),
        np.array([frame.loss for frame in frames], np.float64),
    )


def _finite(values: NDArray[np.float64]) -> list[float | None]:
    # JSON has no NaN: the page shows a gap.
    return [value if math.isfinite(value) else None for value in values.tolist()]


def as_event(news: dict[str, Any]) -> bytes:
    """Return a message of server-sent events."""
    return b"data: " + json.dumps(news, separators=(",", ":"), allow_nan=False).encode() + b"\n\n"
