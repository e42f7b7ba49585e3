"""The check of the live window: it is opened in a process of its own."""

import os
import signal
import subprocess
import sys

from fitreel.doctor.finding import SOURCES, Finding

LIMIT = 50  # seconds for a window and all the imports before it
WINDOW = """
import sys
from fitreel.live.window import LiveWindow
try:
    LiveWindow()
except OSError as error:
    sys.exit(str(error))
"""


def check_window() -> Finding:
    """Open a live window; a toolkit without a display may abort the process."""
    try:
        done = _open_window()
    except subprocess.TimeoutExpired:
        return Finding(False, f"no window opened within {LIMIT} s")
    # Of an exception the last line says why, of a toolkit that aborts the first.
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no error message"]
    if done.returncode == 0:
        return Finding(True, "a window opens")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Finding(False, f"opening a window ends in {name}: {lines[0]}")
    return Finding(False, lines[-1])


def _open_window() -> subprocess.CompletedProcess[str]:
    # fitreel need not be installed: a clone imports it from its sources.
    path = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", WINDOW],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=LIMIT,
        check=False,
    )
