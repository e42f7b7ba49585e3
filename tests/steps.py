"""The steps of a command: what it asks of the disk and of the store, where a test may act.

Files are watched at the system calls, so that nothing that the journal does is left out.
"""

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from filelock import lock_descriptor

from fitreel.journal import lock
from fitreel.tracking.delivery.bulk import Database
from fitreel.tracking.store.client import Client

# System calls that name a path.
BY_PATH = {
    "open": "open",
    "mkdir": "mkdir",
    "unlink": "unlink",
    "rmdir": "rmdir",
    "replace": "rename",
    "rename": "rename",
    "listdir": "list",
}
# Steps after which all is as before.
READS = {
    "read",
    "list",
    "lock",
    *(f"store: {name}" for name in ("get_run", "search_runs", "known")),
}
STORE = {
    Client: (
        *("create_run", "get_run", "search_runs", "log_batch", "log_artifacts"),
        *("update_run", "set_terminated", "set_tag", "delete_run"),
    ),
    Database: ("known", "write_artifacts", "write"),
}
Call = Callable[..., Any]


class Director(Protocol):
    """What a test does at the steps of commands."""

    def is_private(self, path: Path) -> bool:
        """Return whether nobody but the process that runs may change a path."""

    def before(self, step: str, tear: Callable[[], object] | None = None) -> None:
        """Act before a step; ``tear`` does half of it."""

    def after(self, step: str) -> None:
        """Act after a step that worked."""


def direct(director: Director, spool: Path, patch: pytest.MonkeyPatch) -> None:
    """Call a director at each step: in a spool, at its locks, and at the store."""
    place = f"{spool}{os.sep}"

    def is_in_spool(path: object) -> bool:
        return isinstance(path, (str, os.PathLike)) and f"{os.fspath(path)}/".startswith(place)

    def may_change(path: object) -> bool:
        return is_in_spool(path) and not director.is_private(Path(str(path)))

    def watched(call: Call, step: str, concerns: Callable[[object], bool]) -> Call:
        def stepped(*arguments: Any, **options: Any) -> Any:
            if not (arguments and concerns(arguments[0])):
                return call(*arguments, **options)
            director.before(step)
            answer = call(*arguments, **options)
            try:
                director.after(step)
            except BaseException:
                if step in ("open", "read"):  # the end of a process closes its files
                    answer.close() if hasattr(answer, "close") else os.close(answer)
                raise
            return answer

        return stepped

    def write(file: int, content: bytes) -> int:
        director.before("write", lambda: plain_write(file, content[: len(content) // 2]))
        written = plain_write(file, content)
        director.after("write")
        return written

    plain_write = os.write
    for name, step in BY_PATH.items():
        patch.setattr(os, name, watched(getattr(os, name), step, is_in_spool))
    patch.setattr(os, "ftruncate", watched(os.ftruncate, "ftruncate", lambda _: True))
    # Processes die here, machines do not: nothing has to wait for a disk.
    patch.setattr(os, "fsync", watched(lambda _: None, "fsync", lambda _: True))
    patch.setattr(os, "write", write)
    for module in (io, builtins):
        patch.setattr(module, "open", watched(open, "read", may_change))
    patch.setattr(lock, "lock_descriptor", watched(lock_descriptor, "lock", lambda _: True))
    for owner, names in STORE.items():
        for name in names:
            step = f"store: {name}"
            patch.setattr(owner, name, watched(getattr(owner, name), step, lambda _: True))
