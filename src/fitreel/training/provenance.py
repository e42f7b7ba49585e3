"""The provenance: what decides the last bit of a loss besides the settings and the points."""

import hashlib
import itertools
import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

from fitreel import __version__
from fitreel.checks.text import plain

PACKAGE = Path(__file__).resolve().parents[1]
KEYS = (
    *("code_version", "code_sha256", "commit", "uncommitted", "python", "torch", "numpy"),
    *("threads", "processor", "system"),
)
MOST_BYTES = 100_000  # of a file
GIT_TIMEOUT = 5  # seconds; a run never waits longer for a slow disk


def read_provenance() -> dict[str, str]:
    """Return versions, threads, processor and code of this process, as text by name.

    ``commit`` and ``uncommitted`` are added if a git checkout tracks the code. That takes 4 ms.
    """
    return {
        "code_version": __version__,
        "code_sha256": _code_sha256(),
        **_checkout(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "threads": str(torch.get_num_threads()),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def save_provenance(started: dict[str, str], resumed: dict[str, str], path: Path) -> None:
    """Write what a training started with, and what had changed when it was resumed, as JSON."""
    content = started | ({"resumed": resumed} if resumed else {})
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_provenance(path: Path) -> dict[str, str]:
    """Read what a training started with; ValueError if the file is not what was written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: plain(found[key]) for key in KEYS if isinstance(found.get(key), str)}
    except (ValueError, AttributeError, RecursionError):
        raise ValueError(f"{path.name} is not a JSON object") from None


# A wheel has no commit, and git does not know the code of an installed package: this hash does.
def _code_sha256() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        _add(digest, path.relative_to(PACKAGE).as_posix(), path)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", name: str, path: Path) -> None:
    content = path.read_bytes() if path.is_file() else b""  # deleted
    digest.update(f"{name}\0{len(content)}\0".encode() + content)


def _checkout() -> dict[str, str]:
    """Return the commit of the code and what was changed since, as git reports them."""
    try:
        # The last argument fails unless the commit has this package: a virtual environment may lie
        # in somebody else's repository, whose state says nothing about this code.
        found = _git("rev-parse", "--show-toplevel", "HEAD", "HEAD:./__init__.py")
        top, commit, _ = found.splitlines()
        changes = _git(
            # -z: names with special characters are not quoted. --no-renames: one path in every
            # line.
            *("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames"),
            *("--ignore-submodules=all", "--", "*.py", ":(top)pipeline/*.py"),
        )
        return {"commit": commit, "uncommitted": _uncommitted(Path(top), changes)}
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}  # git or a repository is missing, or git refuses it; code_sha256 remains


def _git(*arguments: str) -> str:
    # Whatever the user configured: no locks, no file system monitor, no other repository.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(  # noqa: S603
        ["git", "--no-pager", "-c", "core.fsmonitor=false", *arguments],  # noqa: S607
        cwd=PACKAGE,
        env=kept | {"GIT_OPTIONAL_LOCKS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=GIT_TIMEOUT,
    ).stdout


def _uncommitted(top: Path, changes: str) -> str:
    """Return the names of the changed files of a porcelain status, with a digest of them."""
    fields = {"1": 8, "u": 10, "?": 1}  # before the path, by the kind of a line
    names = sorted(line.split(" ", fields[line[0]])[-1] for line in changes.split("\0") if line)
    if not names:
        return "none"
    digest = hashlib.sha256()
    for name in names:
        _add(digest, name, top / name)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{digest.hexdigest()[:12]} in {', '.join(names[:3])}{more}"


def _processor() -> str:
    """Return the processor and the instructions that torch uses; names of virtual ones repeat."""
    known: dict[str, str] = {}
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in itertools.takewhile(str.strip, file):  # the first core
                name, _, value = line.partition(":")
                known[name.strip()] = value.strip()
    except OSError:
        pass
    name = known.get("model name") or platform.processor() or platform.machine()
    details = ("cpu family", "model", "CPU implementer", "CPU part")
    parts = [f"{each} {known[each]}" for each in details if each in known]
    return ", ".join([name, *parts, torch.backends.cpu.get_cpu_capability()])
