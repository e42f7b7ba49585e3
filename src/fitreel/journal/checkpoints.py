"""The checkpoints in a journal: written during a training, read to resume it.

Losses and frames are lines of the journal, once each; the checkpoint is the state alone. So its
size does not grow with the epochs: 0.6 ms for the default network.
"""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.settings import TrainingSettings
from fitreel.training.history import frames_before
from fitreel.training.state import Checkpoint, Training

LONGEST_GAP = 10  # seconds between two checkpoints, however slow an epoch is
# Seconds between two that survive a power cut. Each waits for the disk, some milliseconds, where
# fast epochs have forty checkpoints in a second.
SAFE_GAP = 5


class Checkpoints:
    """The checkpoints of one training: it appends losses and frames, and replaces the state."""

    def __init__(
        self,
        journal: Journal,
        settings: TrainingSettings,
        every: int,
        on_loss: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Write one every so many epochs, and one every 10 seconds.

        ``on_loss`` is called with the last loss whenever losses are written.
        """
        self._on_loss = on_loss
        self._journal = journal
        self._settings = settings
        self._every = every
        self._training: Training | None = None
        self._count()
        self._saved_at = self._safe_at = time.monotonic()

    def _count(self) -> None:
        """Count the losses and frames that the journal has."""
        self._losses = self._frames = 0
        self._last = now()
        for _, record in self._journal.records():
            if record["kind"] == "losses":
                self._losses, self._last = record["first"] + record["count"], record["end"]
            elif record["kind"] == "frames":
                self._frames += record["count"]

    def start(self) -> Checkpoint | None:
        """Return the last checkpoint; None if the training has to start from epoch 0."""
        # A checkpoint is useless without all losses before it: a power cut may have kept the one
        # and not the others.
        found = (self._journal.kept(name) for name in ("checkpoint", "safe"))
        usable = [each for each in found if each and each["epoch"] <= self._losses]
        if not usable:
            return None
        kept = max(usable, key=lambda each: each["epoch"])
        losses, frames = [], []
        for _, record in self._journal.records():
            if record["kind"] == "losses":
                losses.append(unpack(record["numbers"]))
            elif record["kind"] == "frames":
                frames.append(unpack(record["numbers"]).reshape(record["count"], -1))
        count = frames_before(kept["epoch"], self._settings.frame_every)
        return Checkpoint(
            kept["epoch"],
            # The journal may have more than the checkpoint: losses up to the end of the process.
            np.concatenate(losses)[: kept["epoch"]].astype(np.float64),
            np.concatenate(frames)[:count],
            unpack(kept["numbers"]),
        )

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Write the losses since the last checkpoint as well, however the block ends."""
        try:
            yield
        except BaseException:
            # An interruption may have come between a record and our count of it.
            self._count()
            raise
        finally:
            self._append()

    def on_epoch(self, epoch: int, training: Training) -> None:
        """Write a checkpoint if one is due; call it before the update."""
        self._training = training
        if (epoch and epoch % self._every == 0) or time.monotonic() - self._saved_at > LONGEST_GAP:
            # Losses and frames first: a death between the two leaves the older checkpoint, which
            # has all of its losses.
            self._append()
            state = {"epoch": epoch, "numbers": pack(training.state())}
            self._journal.keep("checkpoint", state)
            self._saved_at = time.monotonic()
            if self._saved_at - self._safe_at >= SAFE_GAP:
                self._journal.keep("safe", state, durable=True)
                self._safe_at = time.monotonic()

    def _append(self) -> None:
        training = self._training
        if training is None or training.epoch <= self._losses:
            return
        # Frames before losses: the count of losses decides above whether there is anything to
        # append. If only losses were written, a later checkpoint would lack its frames.
        count = frames_before(training.epoch, self._settings.frame_every)
        frames = training.frames[self._frames : count]
        if len(frames):
            self._journal.append("frames", count=len(frames), numbers=pack(frames.numpy()))
            self._frames += len(frames)
        losses = training.losses[self._losses : training.epoch]
        # The clock of an interrupted process may have been ahead; the store sorts by time.
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
        self._on_loss(float(losses[-1]))


def pack(numbers: NDArray[Any]) -> str:
    """Encode numbers as text, their bytes: printing 500 losses takes as long as all else."""
    return base64.b64encode(numbers.tobytes()).decode()


def unpack(text: str, kind: type[Any] = np.float32) -> NDArray[Any]:
    """Decode numbers of a type that ``pack`` encoded."""
    return np.frombuffer(base64.b64decode(text), kind)
