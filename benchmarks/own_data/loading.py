"""Measure how long a large table takes to load: python -m benchmarks.own_data.loading."""

import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.own_data.page import PAGE, page
from benchmarks.own_data.results import Loading, load, save_loading

ROWS, FEW_ROWS, COLUMNS = 10**6, 1000, 20
TIMES = 3
OURS = "fitreel.data.read_table(path, TableSettings(data='-', target='c0'), 0)"
# What is measured, by the suffix of the file: ours, and pandas' reader of the same file.
STEPS = {
    ".csv": {"ours": OURS, "pandas": "pandas.read_csv(path)"},
    ".parquet": {"ours": OURS, "pandas": "pandas.read_parquet(path)"},
}
IMPORTS = {
    "ours": "import fitreel.data; from fitreel.settings import TableSettings",
    "pandas": "import pandas",
}
MEASURED = """
import sys, time
from pathlib import Path
{imports}
def memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(name)[2].split()[0]) * 1024
def load(path):
    {step}
load(Path(sys.argv[1]))  # a small file: torch, pyarrow and pandas load their code
# 5 sets the peak back: a new process has that of the one that started it.
Path("/proc/self/clear_refs").write_text("5")
before, started = memory("VmRSS:"), time.perf_counter()
load(Path(sys.argv[2]))
print(time.perf_counter() - started, memory("VmHWM:") - before)
"""


def write(folder: Path, rows: int) -> dict[str, Path]:
    """Write the same random numbers as CSV and as Parquet; return the files by suffix."""
    numbers = np.random.default_rng(0).normal(size=(rows, COLUMNS)).round(4)
    frame = pd.DataFrame(numbers, columns=[f"c{place}" for place in range(COLUMNS)])
    files = {suffix: folder / f"{rows}{suffix}" for suffix in STEPS}
    frame.to_csv(files[".csv"], index=False)
    frame.to_parquet(files[".parquet"], index=False)
    return files


def measure(side: str, step: str, small: Path, file: Path) -> Loading:
    """Load a file in new processes; return the median of the seconds and of the peak memory."""
    code = MEASURED.format(imports=IMPORTS[side], step=step)
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, str(small), str(file)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(TIMES)
    ]
    seconds, peaks = zip(*outputs, strict=True)
    return Loading(
        side,
        file.suffix,
        file.stat().st_size,
        statistics.median(map(float, seconds)),
        statistics.median(map(int, peaks)),
    )


def main() -> None:
    """Measure our loading and pandas', and write docs/own-data-benchmarks.md again."""
    with TemporaryDirectory() as folder:
        small, large = (write(Path(folder), rows) for rows in (FEW_ROWS, ROWS))
        found = [
            measure(side, step, small[suffix], large[suffix])
            for suffix, steps in STEPS.items()
            for side, step in steps.items()
        ]
    save_loading(found)
    PAGE.write_text(page(load()), encoding="utf-8")


if __name__ == "__main__":
    main()
