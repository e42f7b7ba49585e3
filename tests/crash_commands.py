"""What breaks off the commands of test_crash_states.py: functions that are called before them."""

import os
import signal
from typing import Any

from fitreel.journal import checkpoints
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.run import Run
from tests.file_calls import trace
from tests.test_crash import die_at


def begin(broken_by: str, trace_to: str) -> None:
    """Call one of the functions below, if one is named, and record this process in a file."""
    if trace_to:
        trace(trace_to)
    if broken_by:
        globals()[broken_by]()


def interrupt() -> None:
    """Interrupt the training of this process after a checkpoint that survives a power cut."""
    write = checkpoints.Checkpoints.on_epoch

    def on_epoch(self: checkpoints.Checkpoints, epoch: int, training: Any) -> None:
        write(self, epoch, training)
        if epoch == 12:
            signal.raise_signal(signal.SIGINT)

    checkpoints.SAFE_GAP = 0
    checkpoints.Checkpoints.on_epoch = on_epoch  # type: ignore[method-assign]


def die_undelivered() -> None:
    """Kill this process when all is computed and nothing of it delivered."""
    Courier.run = lambda _: None  # type: ignore[assignment, method-assign]
    write = Run.end

    def end(self: Run, status: str, *, resumable: bool = False) -> None:
        write(self, status, resumable=resumable)
        os.kill(os.getpid(), signal.SIGKILL)

    Run.end = end  # type: ignore[method-assign]


def die_delivering() -> None:
    """Kill this process when it delivers its model."""
    die_at("mlflow.models.Model", "save")
