"""doctor: test what the other commands need."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import typer

import fitreel.doctor
import fitreel.tracking
from pipeline.shared import console
from pipeline.shared.options import ALL_STORES, JSON, TRACKING_URI
from pipeline.shared.progress import progress
from pipeline.shared.result import print_json

if TYPE_CHECKING:
    from fitreel.doctor.finding import Finding

LIMIT = 10.0  # seconds for a check
MAKING = 30.0  # to create a store; a server gets 4
IMPORTS = 60.0  # for a check that imports much: the first time after an installation is slow


@dataclass(frozen=True)
class Check:
    """A check, and whether fitreel needs what it checks."""

    name: str
    find: "Callable[[], Finding]"
    needed: bool = True
    limit: float = LIMIT
    early: bool = False  # starts first, because it waits for another process


def doctor(
    every: ALL_STORES = False, as_json: JSON = False, tracking_uri: TRACKING_URI = None
) -> None:
    """Check versions, tracking store, films, display, spool and environment managers.

    Exit code 1 if something that fitreel needs is missing; a note is harmless.
    Example: fitreel doctor
    """
    rows, missing = [], False
    attempts = [Attempt(check) for check in checks(tracking_uri, every=every)]
    with progress("doctor", len(attempts)) as show:
        for done, attempt in enumerate(attempts, start=1):
            check, (fine, text) = attempt.check, attempt.finish()
            missing |= check.needed and not fine
            outcome = "ok" if fine else "missing" if check.needed else "note"
            rows.append((check.name, outcome, text))
            show(done)
    console.show_checkup(rows)
    if as_json:
        names = ("name", "outcome", "found")
        print_json({"checks": [dict(zip(names, row, strict=True)) for row in rows]})
    if missing:
        console.say("something that fitreel needs is missing")
        raise typer.Exit(1)


def checks(tracking_uri: str | None, *, every: bool = False) -> list[Check]:
    """Return all checks, in the order of the table."""
    # Each name of fitreel is looked up in its check only: what it imports may be missing.
    # One object for all of its checks: each continues what the one before did.
    store = cache(lambda: fitreel.tracking.StoreCheckup(tracking_uri))
    return [
        Check("python", lambda: fitreel.doctor.check_python()),
        Check("fitreel", lambda: fitreel.doctor.check_fitreel()),
        Check(
            "torch",
            lambda: fitreel.doctor.check_package("torch", "fitreel.training"),
            limit=IMPORTS,
        ),
        Check(
            "mlflow",
            lambda: fitreel.doctor.check_package("mlflow", "fitreel.tracking"),
            limit=IMPORTS,
        ),
        Check(
            "matplotlib",
            lambda: fitreel.doctor.check_package("matplotlib", "fitreel.pictures.film"),
            limit=IMPORTS,
        ),
        Check("all packages", lambda: fitreel.doctor.check_packages()),
        Check("tracking store", lambda: store().reach(), limit=MAKING),
        Check("a run in it", lambda: store().write()),
        Check("an artifact", lambda: store().artifact()),
        Check("run removed", lambda: store().remove(), needed=False),
        Check("gif", lambda: fitreel.doctor.check_film("gif"), limit=IMPORTS),
        Check("mp4", lambda: fitreel.doctor.check_film("mp4"), needed=False),
        Check("spool", lambda: fitreel.doctor.check_spool()),
        Check(
            "spool waiting",
            lambda: fitreel.doctor.check_waiting(
                None if every else fitreel.tracking.store_uri(tracking_uri)
            ),
            needed=False,
        ),
        Check("runs to reap", lambda: store().reap(), needed=False),
        Check(
            "display",
            lambda: fitreel.doctor.check_window(),
            needed=False,
            limit=IMPORTS,
            early=True,
        ),
        Check("terminal", lambda: fitreel.doctor.check_terminal(), needed=False),
        Check("env local", lambda: fitreel.tracking.check_local(), needed=False),
        Check("env uv", lambda: fitreel.tracking.check_uv(), needed=False),
        Check("env virtualenv", lambda: fitreel.tracking.check_virtualenv(), needed=False),
        Check("env conda", lambda: fitreel.tracking.check_conda(), needed=False),
    ]


class Attempt:
    """A running check, in a thread that is abandoned if a disk does not respond."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._found: list[tuple[bool, str]] = []
        self._thread = threading.Thread(target=self._work, name=check.name, daemon=True)
        if check.early:
            self._thread.start()

    def _work(self) -> None:
        try:
            self._found.append(self.check.find())
        except Exception as error:  # whatever a broken package raises is a finding
            self._found.append((False, _line(error)))

    def finish(self) -> tuple[bool, str]:
        """Return what it finds within its limit."""
        if not self.check.early:
            self._thread.start()
        self._thread.join(self.check.limit)
        limit = f"no answer within {self.check.limit:.0f} s"
        return self._found[0] if self._found else (False, limit)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, (OSError, ValueError)) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
