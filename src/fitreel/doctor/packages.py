"""Checks of Python and of packages: their versions against what fitreel needs."""

import importlib
import platform
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from fitreel import __version__
from fitreel.doctor.finding import SOURCES, Finding


def check_python() -> Finding:
    """Compare this Python with what fitreel needs."""
    needed = _read_needs().python
    now = platform.python_version()
    text = f"{now} ({sys.executable})"
    return _compared(text, now, SpecifierSet(needed))


def check_fitreel() -> Finding:
    """Return the version of fitreel, and where its clone is if it is not installed."""
    try:
        version("fitreel")
    except PackageNotFoundError:
        return Finding(True, f"{__version__}, not installed: the clone in {SOURCES.parent}")
    return Finding(True, __version__)


def check_package(name: str, user: str) -> Finding:
    """Compare a package with what fitreel needs, and import the module of ours that uses it."""
    needed = _read_needs().packages[name]
    finding = _compared(version(name), version(name), needed.specifier)
    # Its metadata may be fine and the package broken: only the import shows that.
    importlib.import_module(user)
    return finding


def check_packages() -> Finding:
    """Compare all installed packages that fitreel or one of its extras needs."""
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
        # prereleases: they are installed on purpose, and by default no range contains them.
        if not requirement.specifier.contains(now, prereleases=True):
            wrong.append(f"{name} {now} is not {requirement.specifier}")
    return Finding(not wrong, "; ".join(wrong) or f"all {count} are as needed")


class _Needs(NamedTuple):
    python: str
    packages: dict[str, Requirement]
    extras: dict[str, Requirement]


def _read_needs() -> _Needs:
    """Read which Python and which packages fitreel needs."""
    python, lines = _read_metadata()
    packages, extras = dict[str, Requirement](), dict[str, Requirement]()
    for each in map(Requirement, lines):
        # With no extra chosen: what is needed then is needed always.
        needed = each.marker is None or each.marker.evaluate({"extra": ""})
        (packages if needed else extras)[canonicalize_name(each.name)] = each
    return _Needs(python, packages, extras)


def _read_metadata() -> tuple[str, list[str]]:
    """Read them from the package, or from the clone if fitreel is not installed."""
    try:
        return metadata("fitreel")["Requires-Python"], requires("fitreel") or []
    except PackageNotFoundError:
        text = (SOURCES.parent / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    lines: list[str] = project["dependencies"]
    for extra, more in project["optional-dependencies"].items():
        lines += [f'{line}; extra == "{extra}"' for line in more]
    return project["requires-python"], lines


def _compared(text: str, now: str, needed: SpecifierSet) -> Finding:
    fine = needed.contains(now, prereleases=True)
    return Finding(fine, text if fine else f"{text}, but fitreel needs {needed}")
