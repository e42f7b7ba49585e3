"""What the tests need of a machine besides Python, make and bash.

A test says ``@pytest.mark.needs("browser")``, a fixture ``require("browser")``. Where it is
missing they are skipped, and the last lines of the test run say what was not tried and how to try
it. ``python -m tests.needs`` prints the Debian packages that are missing, for .ci/run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from benchmarks.limit import COMPILERS

QT = """
libdbus-1-3 libegl1 libfontconfig1 libgl1 libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0
libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libxkbcommon-x11-0
"""

CONDA = Path(__file__).parents[1] / "conda.yaml"
PYTHON = CONDA.read_text(encoding="utf-8").partition("python=")[2].split()[0]


class Need(NamedTuple):
    """Hold one thing: how to see that it is here, what is not tried without it, what brings it."""

    is_met: Callable[[], bool]
    untried: str
    packages: str = ""  # of Debian
    advice: str = ""  # where no package brings it

    @property
    def reason(self) -> str:
        """Return the line about what was not tried."""
        return f"{self.untried}. To try: {self.advice or f'apt-get install {self.packages}'}"


def programs(*names: str) -> Callable[[], bool]:
    """Return a question: are all these programs on the PATH?"""
    return lambda: all(map(shutil.which, names))


def qt_loads() -> bool:
    """Load Qt's part for X in a process of its own: it names the libraries that are missing."""
    found = importlib.util.find_spec("PySide6")
    if found is None or found.origin is None:
        return False
    plugin = Path(found.origin).parent / "Qt/plugins/platforms/libqxcb.so"
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    command = [sys.executable, "-c", code, str(plugin)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def postgresql_programs() -> Path | None:
    """Find the directory of the server's programs: Debian has it outside of the PATH."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = (
        path for path in (*places, *map(Path, os.get_exec_path())) if (path / "initdb").exists()
    )
    return next(found, None)


def may_trace() -> bool:
    """Trace a process: some machines have strace and forbid it."""
    command = ["strace", "--output", os.devnull, sys.executable, "-c", ""]
    return bool(shutil.which("strace")) and subprocess.run(command, check=False).returncode == 0


def may_mount() -> bool:
    """Mount a disk of memory: root may, though not in every container."""
    if os.getuid() or not programs("mount", "umount")():
        return False
    with TemporaryDirectory() as place:
        command = ["mount", "-t", "tmpfs", "tmpfs", place]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", place], check=True)
    return True


def pinned_python_is_installed() -> bool:
    """Ask uv for the Python that conda.yaml names; it would download one from another site."""
    command = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", PYTHON]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


NEEDS = {
    "browser": Need(
        programs("chromium"),
        "the pages and MLflow's UI in a browser",
        "chromium fonts-liberation",
    ),
    "display": Need(
        lambda: programs("Xvfb", "import", "xdotool")() and qt_loads(),
        "the live window on a screen",
        " ".join(["xvfb imagemagick xdotool", *QT.split()]),
    ),
    "terminal": Need(programs("script"), "the progress bars on a terminal", "bsdutils"),
    "git": Need(programs("git"), "what git says of the code", "git"),
    "compiler": Need(
        lambda: any(map(shutil.which, COMPILERS)),
        "the benchmark's loops in C",
        "gcc libc6-dev",
    ),
    "postgresql": Need(
        lambda: postgresql_programs() is not None, "runs in a PostgreSQL database", "postgresql"
    ),
    "strace": Need(may_trace, "the order of system calls", "strace"),
    "mount": Need(
        may_mount,
        "full disks and disks that became read-only",
        advice="run the tests as root, who may mount a disk",
    ),
    "pinned python": Need(
        pinned_python_is_installed,
        "mlflow run --env-manager uv",
        advice=f"uv python install {PYTHON}",
    ),
    "pyenv": Need(
        programs("pyenv"),
        "mlflow run --env-manager virtualenv",
        advice="install pyenv (https://github.com/pyenv/pyenv)",
    ),
}


@cache
def is_met(name: str) -> bool:
    """Tell whether a thing is here; seen once a session."""
    return NEEDS[name].is_met()


def require(name: str) -> None:
    """Skip the test, or all that use the fixture, where a thing is not here."""
    if not is_met(name):
        pytest.skip(NEEDS[name].reason)


if __name__ == "__main__":
    print(*(need.packages for need in NEEDS.values() if not need.is_met()))
