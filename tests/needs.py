"""What the tests need on a machine besides Python, make and bash.

A test declares ``@pytest.mark.needs("browser")``, a fixture calls ``require("browser")``. If a
need is not met, they are skipped, and the last lines of the test run name what was not tried and
how to try it. ``python -m tests.needs`` prints the missing Debian packages, for .ci/run.
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
from tests.disks import KINDS, Disk

QT = """
libdbus-1-3 libegl1 libfontconfig1 libgl1 libglib2.0-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0
libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 libxkbcommon-x11-0
"""

CONDA = Path(__file__).parents[1] / "conda.yaml"
PYTHON = CONDA.read_text(encoding="utf-8").partition("python=")[2].split()[0]


class Need(NamedTuple):
    """A need: how to check it, what is not tried without it, and how to install it."""

    is_met: Callable[[], bool]
    untried: str
    packages: str = ""  # Debian packages that provide it
    advice: str = ""  # if no package provides it
    may_be_missing: bool = False  # also with --no-skips: only another machine has it

    @property
    def reason(self) -> str:
        """Return the line that reports what was not tried, and how to try it."""
        return f"{self.untried}. To try: {self.advice or f'apt-get install {self.packages}'}"


def programs(*names: str) -> Callable[[], bool]:
    """Return a function that checks whether all these programs are on the PATH."""
    return lambda: all(map(shutil.which, names))


def qt_loads() -> bool:
    """Check, in a separate process, whether Qt's plugin for X finds all its libraries."""
    found = importlib.util.find_spec("PySide6")
    if found is None or found.origin is None:
        return False
    plugin = Path(found.origin).parent / "Qt/plugins/platforms/libqxcb.so"
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    command = [sys.executable, "-c", code, str(plugin)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def postgresql_programs() -> Path | None:
    """Return the directory of the server's programs; Debian has it outside the PATH."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = (
        path for path in (*places, *map(Path, os.get_exec_path())) if (path / "initdb").exists()
    )
    return next(found, None)


def may_trace() -> bool:
    """Check whether strace works: some machines have it but forbid tracing."""
    command = ["strace", "--output", os.devnull, sys.executable, "-c", ""]
    return bool(shutil.which("strace")) and subprocess.run(command, check=False).returncode == 0


def may_mount() -> bool:
    """Check whether a tmpfs can be mounted: root may do so, but not in every container."""
    if os.getuid() or not programs("mount", "umount")():
        return False
    with TemporaryDirectory() as place:
        command = ["mount", "-t", "tmpfs", "tmpfs", place]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", place], check=True)
    return True


def may_cut_power() -> bool:
    """Check whether file systems in images can be made, mounted, shut down and unmounted."""
    if os.getuid() or not NEEDS["file systems"].is_met():
        return False
    with TemporaryDirectory() as directory:
        place = Path(directory, "place")
        place.mkdir()
        for kind in KINDS:
            disk = Disk(kind, Path(directory, kind), place)
            try:
                disk.format()
                disk.cut()
            except (OSError, subprocess.CalledProcessError):
                return False
            finally:
                disk.unmount()
    return True


def pinned_python_is_installed() -> bool:
    """Check whether uv finds the Python that conda.yaml names, without downloading it."""
    # System: the environment of the tests, which uv would find here, makes no other environment.
    command = [sys.executable, "-m", "uv", "python", "find", "--system", "--no-python-downloads"]
    command.append(PYTHON)
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
    "nohup": Need(programs("nohup"), "commands that outlive their terminal", "coreutils"),
    "git": Need(programs("git"), "what git reports about the code", "git"),
    "compiler": Need(
        lambda: any(map(shutil.which, COMPILERS)),
        "the benchmark's loops in C",
        "gcc libc6-dev",
    ),
    "postgresql": Need(
        lambda: postgresql_programs() is not None and programs("setpriv")(),
        "runs in a PostgreSQL database",
        "postgresql util-linux",
    ),
    "peaks": Need(
        lambda: os.access("/proc/self/clear_refs", os.W_OK),
        "how much memory a table needs",
        advice="run the tests on Linux, which can set the peak of a process back",
    ),
    "strace": Need(may_trace, "the order of system calls", "strace"),
    "mount": Need(
        may_mount,
        "full disks and disks that became read-only",
        advice="run the tests as root, who may mount a disk",
    ),
    "file systems": Need(
        programs("mkfs.ext4", "mkfs.xfs", "mount", "umount", "sync"),
        "power cuts on ext4 and XFS",
        "xfsprogs e2fsprogs mount",
    ),
    "disks": Need(
        may_cut_power,
        "power cuts on ext4 and XFS",
        advice="run the tests as root, on a kernel with loop devices, ext4 and XFS",
        may_be_missing=True,
    ),
    "hidden processes": Need(
        lambda: os.getuid() == 0 and programs("unshare", "mount")(),
        "processes that cannot be seen",
        advice="run the tests as root, with unshare and mount (util-linux)",
    ),
    "pinned python": Need(
        pinned_python_is_installed,
        "mlflow run --env-manager uv",
        advice=f"uv python install {PYTHON}",
    ),
    "onnx": Need(
        lambda: all(map(importlib.util.find_spec, ("onnx", "onnxruntime"))),
        "networks as ONNX files",
        advice="pip install --constraint constraints.txt onnx onnxruntime",
    ),
    "pyenv": Need(
        programs("pyenv"),
        "mlflow run --env-manager virtualenv",
        advice="install pyenv (https://github.com/pyenv/pyenv)",
    ),
}


@cache
def is_met(name: str) -> bool:
    """Return whether a need is met; each is checked once per session."""
    return NEEDS[name].is_met()


def require(name: str) -> None:
    """Skip the test, or all tests that use the fixture, if a need is not met."""
    if not is_met(name):
        pytest.skip(NEEDS[name].reason)


if __name__ == "__main__":
    print(*(need.packages for need in NEEDS.values() if not need.is_met()))
