"""The checkpoints of a training: what the journal keeps of it, and going on from there."""

import base64
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.settings import TrainingSettings
from fitreel.training.state import Checkpoint, Training

LONGEST = 10  # seconds without one, however slow an epoch is


class Checkpoints:
    """Keep a training in a journal as it goes: losses and frames once each, the state anew."""

    def __init__(self, journal: Journal, settings: TrainingSettings, every: int) -> None:
        """Take one every so many epochs, and one every 10 seconds."""
        self._journal = journal
        self._settings = settings
        self._every = every
        self._training: Training | None = None
        self._count()
        self._saved_at = time.monotonic()

    def _count(self) -> None:
        """Count what the journal has of the training."""
        self._losses = self._frames = 0
        self._last = now()
        for _, record in self._journal.records():
            if record["kind"] == "losses":
                self._losses, self._last = record["first"] + record["count"], record["end"]
            elif record["kind"] == "frames":
                self._frames += record["count"]

    def start(self) -> Checkpoint | None:
        """Give the last checkpoint; None where the training has to begin anew."""
        kept = self._journal.kept("checkpoint")
        if kept is None or kept["epoch"] > self._losses:
            return None
        losses, frames = [], []
        for _, record in self._journal.records():
            if record["kind"] == "losses":
                losses.append(unpack(record["numbers"]))
            elif record["kind"] == "frames":
                frames.append(unpack(record["numbers"]).reshape(record["count"], -1))
        count = math.ceil(kept["epoch"] / self._settings.frame_every)
        return Checkpoint(
            kept["epoch"],
            np.concatenate(losses)[: kept["epoch"]].astype(np.float64),
            np.concatenate(frames)[:count],
            unpack(kept["numbers"]),
        )

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep the losses since the last checkpoint too, whatever ends the training."""
        try:
            yield
        except BaseException:
            # It may have come between a record and our count of it.
            self._count()
            raise
        finally:
            self._append()

    def on_epoch(self, epoch: int, training: Training) -> None:
        """Take a checkpoint if it is time for one; call it before the update."""
        self._training = training
        if (epoch and epoch % self._every == 0) or time.monotonic() - self._saved_at > LONGEST:
            self._append()
            numbers = pack(training.state())
            self._journal.keep("checkpoint", {"epoch": epoch, "numbers": numbers})
            self._saved_at = time.monotonic()

    def _append(self) -> None:
        training = self._training
        if training is None or training.epoch <= self._losses:
            return
        frames = training.frames[
            self._frames : math.ceil(training.epoch / self._settings.frame_every)
        ]
        if len(frames):
            self._journal.append("frames", count=len(frames), numbers=pack(frames.numpy()))
            self._frames += len(frames)
        losses = training.losses[self._losses : training.epoch]
        # Whoever was interrupted may have had a clock that was ahead; the store sorts by time.
        start, self._last = self._last, max(self._last, now())
        self._journal.append(
            "losses",
            first=self._losses,
            count=len(losses),
            start=start,
            end=self._last,
            numbers=pack(losses.astype(np.float32)),  # exact: torch's losses are such
        )
        self._losses += len(losses)


def pack(numbers: NDArray[np.float32]) -> str:
    """Write numbers as text, four bytes each: to print 500 losses takes as long as all else."""
    return base64.b64encode(numbers.tobytes()).decode()


def unpack(text: str) -> NDArray[np.float32]:
    """Read them back."""
    return np.frombuffer(base64.b64decode(text), np.float32)
