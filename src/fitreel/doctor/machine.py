"""The checkup of a machine: versions, window, spool. Each check tries the thing itself."""

import importlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fitreel import __version__
from fitreel.journal import spool

SOURCES = Path(__file__).resolve().parents[2]
LIMIT = 8  # seconds for a program that was asked something
WINDOW_LIMIT = 50  # seconds for a window and all the imports before it
SHOWN = 3  # runs named in a line
WINDOW = """
import sys
from fitreel.pictures.live import LiveWindow
try:
    LiveWindow()
except OSError as error:
    sys.exit(str(error))
"""


class Finding(NamedTuple):
    """Hold what a check found: whether all is well, and a line about it."""

    fine: bool
    text: str


def check_python() -> Finding:
    """Compare this Python with what fitreel needs."""
    needed = _read_needs().python
    now = platform.python_version()
    text = f"{now} ({sys.executable})"
    return _compared(text, now, SpecifierSet(needed))


def check_fitreel() -> Finding:
    """Tell which fitreel this is."""
    try:
        version("fitreel")
    except PackageNotFoundError:
        return Finding(True, f"{__version__}, not installed: the clone in {SOURCES.parent}")
    return Finding(True, __version__)


def check_package(name: str, user: str) -> Finding:
    """Compare a package with what fitreel needs, and import the module of ours that uses it."""
    needed = _read_needs().packages[name]
    finding = _compared(version(name), version(name), needed.specifier)
    importlib.import_module(user)
    return finding


def check_packages() -> Finding:
    """Compare all that fitreel needs with what is there, and of its extras what is installed."""
    needs = _read_needs()
    count, wrong = 0, []
    for name, requirement in (needs.packages | needs.extras).items():
        try:
            now = version(name)
        except PackageNotFoundError:
            if name in needs.packages:
                wrong.append(f"{name}{requirement.specifier} is not installed")
            continue
        count += 1
        if not requirement.specifier.contains(now, prereleases=True):
            wrong.append(f"{name} {now} is not {requirement.specifier}")
    return Finding(not wrong, "; ".join(wrong) or f"all {count} are as needed")


class _Needs(NamedTuple):
    python: str
    packages: dict[str, Requirement]
    extras: dict[str, Requirement]


def _read_needs() -> _Needs:
    """Read which Python and which packages fitreel needs; from its clone if it is no package."""
    try:
        python, lines = metadata("fitreel")["Requires-Python"], requires("fitreel") or []
    except PackageNotFoundError:
        text = (SOURCES.parent / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        python, lines = project["requires-python"], project["dependencies"]
        for extra, more in project["optional-dependencies"].items():
            lines += [f'{line}; extra == "{extra}"' for line in more]
    packages, extras = dict[str, Requirement](), dict[str, Requirement]()
    for each in map(Requirement, lines):
        needed = each.marker is None or each.marker.evaluate({"extra": ""})
        (packages if needed else extras)[canonicalize_name(each.name)] = each
    return _Needs(python, packages, extras)


def _compared(text: str, now: str, needed: SpecifierSet) -> Finding:
    fine = needed.contains(now, prereleases=True)
    return Finding(fine, text if fine else f"{text}, but fitreel needs {needed}")


def check_window() -> Finding:
    """Open a live window in a process of its own: a toolkit without a display may abort."""
    path = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", WINDOW],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=WINDOW_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(False, f"no window opened within {WINDOW_LIMIT} s")
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing is told"]
    if done.returncode == 0:
        return Finding(True, "a window opens")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Finding(False, f"opening a window ends in {name}: {lines[0]}")
    return Finding(False, lines[-1])


def check_spool() -> Finding:
    """Write a journal into the spool and remove it."""
    journal = spool.new_journal()
    try:
        journal.append("checkup")
        journal.flush()
    finally:
        journal.remove()
    free = shutil.disk_usage(spool.directory()).free
    return Finding(True, f"{spool.directory()}: {free / 1e9:.1f} GB free")


def check_waiting() -> Finding:
    """Count the journals that wait to be delivered or gone on with."""
    found: dict[str, list[str]] = {"lives": [], "over": [], "interrupted": [], "unreadable": []}
    for listed in spool.entries():
        name = listed.run_id or listed.directory.name
        try:
            journal, entry = spool.opened(listed.directory)
        except FileNotFoundError:  # delivered meanwhile
            continue
        except BlockingIOError:
            found["lives"].append(name)
        except OSError:
            found["unreadable"].append(name)
        else:
            journal.close()
            found["over" if entry.is_over else "interrupted"].append(name)
    parts = []
    if runs := found["over"]:
        parts.append(f"{len(runs)} not delivered: fitreel sync")
    if runs := found["interrupted"]:
        named = ", ".join(runs[:SHOWN]) + (", …" if len(runs) > SHOWN else "")
        parts.append(f"{len(runs)} interrupted, to go on with by fitreel resume: {named}")
    if runs := found["unreadable"]:
        parts.append(f"{len(runs)} that cannot be read: fitreel sync says why")
    fine = not parts
    if runs := found["lives"]:
        parts.append(f"{len(runs)} of commands under way")
    return Finding(fine, "; ".join(parts) or "nothing waits")
