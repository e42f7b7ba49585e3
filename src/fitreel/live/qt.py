"""The libraries of the system that Qt needs: which one is missing, and its package."""

import os
import re
import signal
import subprocess
import sys

from fitreel.checks.text import shown
from fitreel.live.graphics import TOOLKITS, has_display, has_qt

LIMIT = 60  # seconds for the imports, the first time after an installation
# In a process of its own: Qt aborts the process if it finds no display that it can use.
PROGRAM = f"""
import importlib, importlib.util, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
name = next(filter(importlib.util.find_spec, {TOOLKITS}))
importlib.import_module(name + ".QtWidgets").QApplication([])
"""
MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")
# By Debian's rule for names this would be another one.
EXCEPTIONS = {"libglib-2.0.so.0": "libglib2.0-0", "libgthread-2.0.so.0": "libglib2.0-0"}


def trouble_of_qt() -> str:
    """Return why Qt cannot open a window here, in one line; nothing if it can, or is not asked."""
    toolkit = os.environ.get("MPLBACKEND", "qt").lower()
    if not (sys.platform == "linux" and toolkit.startswith("qt") and has_display() and has_qt()):
        return ""
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"QT_DEBUG_PLUGINS": "1"},  # so that Qt names what is missing
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"Qt does not start within {LIMIT} s"
    return explained(done.returncode, done.stderr)


def explained(code: int, errors: str) -> str:
    """Return in one line why Qt ended with an exit code and these errors."""
    if code == 0:
        return ""
    if found := MISSING.search(errors):
        library = found[1]
        return f"Qt needs {library}; on Debian and Ubuntu: apt-get install {package_of(library)}"
    for line in errors.splitlines():
        if "could not connect" in line:
            return shown(line.strip())
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    ending = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return shown(f"Qt ends with {ending}: {lines[-1] if lines else 'no message'}", 200)


def package_of(library: str) -> str:
    """Return the Debian package of a library: libxcb-cursor0 of libxcb-cursor.so.0."""
    name, _, version = library.partition(".so.")
    between = "-" if name[-1].isdigit() else ""
    return EXCEPTIONS.get(library, f"{name}{between}{version.partition('.')[0]}".lower())
