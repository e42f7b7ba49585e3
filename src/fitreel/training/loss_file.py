"""The file of a training's losses: columns epoch and loss as CSV."""

import threading
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.files import check_lines, check_size
from fitreel.settings import MOST_EPOCHS

LOSS_SIZE = 32  # bytes of a row at most; ours have 24
LARGEST_LOSSES = LOSS_SIZE * MOST_EPOCHS
QUIET = threading.Lock()  # ignored warnings are ignored in all threads, then restored


def save_losses(losses: NDArray[np.float64], path: Path) -> None:
    """Write epoch and loss as a CSV file, nine digits: exact for the float32 losses of torch."""
    rows = np.stack([np.arange(len(losses)), losses], axis=1)
    np.savetxt(path, rows, fmt=["%d", "%.9g"], delimiter=",", header="epoch,loss", comments="")


def load_losses(path: Path) -> NDArray[np.float64]:
    """Read the losses; ValueError if the epochs are not 0, 1, 2, … or a loss is missing."""
    check_size(path.name, path.stat().st_size, LARGEST_LOSSES)
    try:
        check_lines(path)
        rows = _read(path)
        if rows.shape[1] != 2 or not np.array_equal(rows[:, 0], np.arange(len(rows))):
            raise ValueError("its epochs are not 0, 1, 2, …")
        # Through float32: nine digits then give the bits of torch's loss, and a number that float32
        # lacks becomes infinite and is refused below.
        losses = np.asarray(rows[:, 1], dtype=np.float32)
        if not np.isfinite(losses).all():
            raise ValueError("a loss is not finite")
    except ValueError as error:
        raise ValueError(f"{path.name} is not a history: {error}") from None
    return losses.astype(np.float64)


def _read(path: Path) -> NDArray[np.float64]:
    with QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of empty lines, and of nothing else
        return np.loadtxt(
            path,
            delimiter=",",
            comments=None,  # by default a # would hide the rest of a line
            skiprows=1,
            ndmin=2,
            encoding="utf-8",
            max_rows=MOST_EPOCHS,
        )
