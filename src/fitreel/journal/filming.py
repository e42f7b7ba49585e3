"""The film in a journal: the points and the frames of a reel, written in groups, and read back."""

import threading
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from fitreel.journal.checkpoints import pack, unpack
from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.reel.listener import Frame
from fitreel.reel.reel import Reel

GAP = 0.1  # seconds until what was kept is written: what a kill may lose
CURVE, SHOTS = "curve", "shots"  # kinds of records


class FilmWriter:
    """A listener of a reel that writes into a journal, in groups and from a thread of its own.

    A thread, not the next call: the next step of a training may be an hour away, and an
    interruption of the main thread never falls between a record and the note that it is written.
    """

    def __init__(self, journal: Journal, prefix: str = "") -> None:
        self._journal = journal
        self._prefix = prefix  # of the names that the store gets
        self._lock = threading.Lock()
        self._points: dict[str, list[tuple[int, float]]] = {}
        self._frames: list[Frame] = []
        self._timer: threading.Timer | None = None  # if one will write soon
        self._error: Exception | None = None  # of a group that could not be written
        self._last = now()

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the values of a step for the next group; OSError if the last one failed."""
        with self._lock:
            for name, value in values.items():
                self._points.setdefault(name, []).append((step, value))
        self._write_soon()

    def on_frame(self, frame: Frame) -> None:
        """Keep a frame for the next group; OSError if the last one failed."""
        with self._lock:
            self._frames.append(frame)
        self._write_soon()

    def _write_soon(self) -> None:
        error, self._error = self._error, None
        if error:
            raise error
        if self._timer is None:
            self._timer = threading.Timer(GAP, self._write)
            self._timer.daemon = True
            self._timer.start()

    def _write(self) -> None:
        self._timer = None  # first: what is kept from now on may come too late for this group
        try:
            self.flush()
        except Exception as error:
            self._error = error  # for the training, which goes on meanwhile

    def flush(self) -> None:
        """Write what was kept, the points first; OSError if the disk takes no more."""
        with self._lock:
            start, self._last = self._last, max(self._last, now())
            for name in list(self._points):
                steps, values = zip(*self._points[name], strict=True)
                self._journal.append(
                    CURVE,
                    name=name,
                    metric=f"{self._prefix}{name}",
                    count=len(steps),
                    steps=pack(np.array(steps, np.int64)),
                    values=pack(np.array(values, np.float64)),
                    start=start,
                    end=self._last,
                )
                del self._points[name]
            if self._frames:
                self._journal.append(
                    SHOTS,
                    steps=pack(np.array([frame.step for frame in self._frames], np.int64)),
                    losses=pack(np.array([frame.loss for frame in self._frames], np.float64)),
                    numbers=pack(np.stack([frame.predictions for frame in self._frames])),
                )
                self._frames.clear()


def points_of(record: Record) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the steps and the values of a record of a curve."""
    return unpack(record["steps"], np.int64), unpack(record["values"], np.float64)


def frames_of(record: Record, shape: tuple[int, ...]) -> list[Frame]:
    """Return the frames of a record of shots, each of a shape."""
    steps = unpack(record["steps"], np.int64)
    losses = unpack(record["losses"], np.float64)
    numbers = unpack(record["numbers"], np.float32).reshape(len(steps), *shape)
    return [
        Frame(step, loss, frame)
        for step, loss, frame in zip(steps.tolist(), losses.tolist(), numbers, strict=True)
    ]


def add_records(reel: Reel, records: Iterable[Record]) -> None:
    """Add the points and the frames of records to a reel, which drops frames if there are many."""
    for record in records:
        if record["kind"] == CURVE:
            reel.extend(record["name"], *points_of(record))
        elif record["kind"] == SHOTS:
            for frame in frames_of(record, reel.shape_of_frame):
                reel.add(frame)
