"""The peaks of memory of steps in a new process, as Linux counts them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import csv, parquet

from tests.conftest import ROOT

MEASURED = """
from pathlib import Path

def memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(name)[2].split()[0]) * 1024

def peak(step, *given):
    # 5 sets the peak to what is used now; getrusage has the peak of the starting process, too.
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS:")
    step(*given)
    return memory("VmHWM:") - before
"""


def peak_after_warming(code: str, small: Path, large: Path) -> int:
    """Return how many bytes more than before the step of a large file needed at most.

    ``code`` defines ``step(path)``. It gets the small file first, which loads the code, and makes
    room that the allocators keep.
    """
    files = f"Path({str(small)!r}), Path({str(large)!r})"
    whole = f"{MEASURED}\n{code}\nprint([peak(step, file) for file in ({files})][-1])"
    command = [sys.executable, "-c", whole]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


def write(columns: dict[str, NDArray[np.float64]], file: Path) -> None:
    """Write a table, as CSV or as Parquet in groups of few rows, of which one is read at once."""
    table = pyarrow.table(columns)
    if file.suffix == ".csv":
        csv.write_csv(table, file)
    else:
        parquet.write_table(table, file, row_group_size=5000)
