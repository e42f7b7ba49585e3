"""The cases of calls that fail: a command that starts from what is kept, and its completed end."""

import hashlib
import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fitreel.journal.lock import Lock
from fitreel.journal.spool import MARKER
from tests.failing import AFTER, DEATH, FILE_ERRORS, PART, SQL_ERRORS
from tests.faults import SPOOL
from tests.forked import Before, Done, Forks

SMALL = ["--epochs", "20", "--samples", "20"]
RUN = ["run", *SMALL, "--max-frames", "4", "--checkpoint-every", "5"]
SWEEP = ["sweep", *SMALL, "--trials", "3"]
Call = tuple[str, int]  # what it is about, and which of its kind
Rows = list[tuple[Any, ...]]


@dataclass
class Place:
    """A directory with a spool, and a store in it or elsewhere."""

    commands: Forks
    here: Path
    store: Path  # the directory of the database
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, before: Before | None = None) -> Done:
        """Run a command, in whose process a function is called first."""
        # Without git: somebody may commit meanwhile, which a resumed run reports.
        variables = {SPOOL: str(self.here / "spool"), "GIT_DIR": os.devnull} | self.variables
        return self.commands.run_after(before, list(arguments), self.here, **variables)

    def run_failing(self, *arguments: str, call: Call = ("", 0), error: str = "") -> Done:
        """Run a command, in which a call fails, or none; all are written to the trace."""
        values = [str(self.here), str(self.trace), *call, error]
        return self.run(*arguments, before=("tests.failing.install", values))

    @property
    def trace(self) -> Path:
        """What the last command called, a line each."""
        return self.here.parent / "trace"

    def keep(self) -> None:
        """Keep it as it is now."""
        shutil.copytree(self.here, self.here.parent / "kept")

    def bring_back(self) -> None:
        """Bring it back to how it was kept."""
        shutil.rmtree(self.here)
        shutil.copytree(self.here.parent / "kept", self.here)

    def ask(self, question: str, *values: str) -> Rows:
        """Ask the database; one that is not there has nothing."""
        if not (self.store / "mlflow.db").exists():
            return []
        with closing(sqlite3.connect(self.store / "mlflow.db", timeout=30)) as database, database:
            return database.execute(question, values).fetchall()

    def runs(self, known: set[str]) -> dict[str, str]:
        """Return the statuses of the runs that are not known and not trials, by id."""
        found = self.ask(
            "SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active' AND run_uuid NOT "
            "IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId')"
        )
        return {run_id: status for run_id, status in found if run_id not in known}

    def left(self) -> list[Path]:
        """Return what is in the spool."""
        return [each for each in (self.here / "spool").glob("*") if each.name != MARKER]


def prepare_run(_: Place, *options: str) -> list[str]:
    """Return the command that runs an experiment."""
    return [*RUN, *options]


def prepare_sweep(_: Place, *options: str) -> list[str]:
    """Return the command that sweeps."""
    return [*SWEEP, *options]


def prepare_generate(place: Place, *options: str) -> list[str]:
    """Remove the store; return a command that creates it, which others do as well."""
    (place.store / "mlflow.db").unlink()
    return ["generate", "--samples", "20", *options]


def prepare_resume(place: Place, *options: str) -> list[str]:
    """Kill a run in its training, when it has three checkpoints; return how it is resumed."""
    known = set(place.runs(set()))
    checkpoint = ("rename spool/JOURNAL/checkpoint", 3)
    done = place.run_failing(*RUN, *options, call=checkpoint, error=DEATH)
    assert done.code == -9, done
    (run_id,) = place.runs(known)
    return ["resume", run_id]


def prepare_sync(place: Place, *options: str) -> list[str]:
    """Compute all of a run, of which nothing is delivered; return how that is done."""
    nothing: Before = ("tests.failing.deliver_nothing", [])
    done = place.run(*RUN, *options, "--patience", "0", before=nothing)
    assert done.code == 75, done
    return ["sync"]


def prepare_compare(place: Place, *options: str) -> list[str]:
    """Run two experiments; return how they are compared."""
    ids = []
    for rate in ("0.1", "0.2"):
        done = place.run(*RUN, "--lr", rate, *options)
        assert done.code == 0, done
        ids.append(done.stdout.strip())
    return ["compare", *ids, *options]


PREPARATIONS: dict[str, Callable[..., list[str]]] = {
    "run": prepare_run,
    "resume": prepare_resume,
    "sync": prepare_sync,
    "sweep": prepare_sweep,
    "compare": prepare_compare,
}


def errors_of(call: Call) -> tuple[str, ...]:
    """Return the errors with which a call can fail."""
    if call[0] == "sql COMMIT":
        return (*SQL_ERRORS, AFTER)
    if call[0].startswith("sql "):
        return SQL_ERRORS
    return (*FILE_ERRORS, PART) if call[0].startswith("write ") else FILE_ERRORS


def numbered(calls: list[str]) -> list[Call]:
    """Return which of its kind each call is."""
    seen = Counter[str]()
    found = []
    for call in calls:
        seen[call] += 1
        found.append((call, seen[call]))
    return found


def plain(text: bytes) -> bytes:
    """Return text without the ids of its run and experiment."""
    return re.sub(rb"[0-9a-f]{32}", b"ID", re.sub(rb"experiments/\d+", b"experiments/N", text))


def outcome(place: Place, run_id: str) -> dict[str, Any]:
    """Return what a run has in the store, as it is whenever it is computed."""

    def read(question: str) -> Rows:
        return sorted(place.ask(question, run_id))

    ((address, status),) = read("SELECT artifact_uri, status FROM runs WHERE run_uuid = ?")
    home = Path(address.replace("mlflow-artifacts:", f"{place.store}/mlartifacts"))
    trials = read(
        "SELECT t.value, t.run_uuid FROM tags t JOIN tags p ON p.run_uuid = t.run_uuid "
        "JOIN runs r ON r.run_uuid = t.run_uuid WHERE r.lifecycle_stage = 'active' "
        "AND t.key = 'fitreel.trial' AND p.key = 'mlflow.parentRunId' AND p.value = ?"
    )
    return {
        "status": status,
        "files": {
            str(each.relative_to(home)): hashlib.sha256(plain(each.read_bytes())).hexdigest()
            for each in home.rglob("*")
            if each.is_file()
        },
        "points": read(
            "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? "
            "AND key NOT LIKE 'system/%'"
        ),
        "params": read("SELECT key, value FROM params WHERE run_uuid = ?"),
        "tags": read("SELECT key FROM tags WHERE run_uuid = ?"),
        "note": [
            plain(note.encode())
            for (note,) in read(
                "SELECT value FROM tags WHERE run_uuid = ? AND key = 'mlflow.note.content'"
            )
        ],
        "models": read(
            "SELECT status FROM logged_models "
            "WHERE source_run_id = ? AND lifecycle_stage = 'active'"
        ),
        "inputs": len(read("SELECT source_id FROM inputs WHERE destination_id = ?")),
        "trials": [(number, outcome(place, trial)) for number, trial in trials],
    }


def check(place: Place, command: list[str], known: set[str], done: Done) -> str:
    """Assert that a command ended as it should; return exit code and status."""
    assert "Traceback" not in done.stderr, "a traceback"
    assert done.code in (0, 2, 75), f"exit code {done.code}"
    if command[0] == "sync":
        assert done.stderr.count("\n") == 1, "not one line"
    else:
        # The last line is the error; those before are warnings, of which a store gives one or two.
        said = [line.startswith("fitreel: ") for line in done.stderr.splitlines()]
        assert (said and said[-1]) or not done.code, "no line of error"
        assert sum(said) <= 2, "too many lines"
    for directory in place.left():
        with suppress(FileNotFoundError):  # a lock that is not there is not held
            Lock(directory).release()
    runs = place.runs(known)
    assert len(runs) <= 1, "two runs"
    status = next(iter(runs.values()), "no run")
    if done.code == 0 and command[0] != "sync":
        assert status == "FINISHED", f"exit code 0, {status}"
    if done.code == 2 and command[0] != "sync":
        # One that could not even be opened again is as its death left it.
        wrong = {"FINISHED"} if command[0] == "resume" else {"FINISHED", "RUNNING"}
        assert status not in wrong, f"exit code 2, {status}"
    if done.code == 75:
        assert place.left(), "exit code 75, and nothing waits"
    return f"exit {done.code}, {status}"


def complete(
    place: Place, command: list[str], known: set[str], done: Done, expected: dict[str, Any]
) -> None:
    """Deliver, resume or repeat a command; assert that its run ends as the undisturbed did."""

    def run(*arguments: str) -> None:
        again = place.run(*arguments)
        assert again.code == 0, f"{arguments[0]}: {again.stderr}"

    if done.code == 75:
        run("sync")
    runs = place.runs(known)
    is_over = set(runs.values()) == {"FINISHED"}
    if runs and not is_over and command[0] != "compare":
        run("resume", *runs)
    run("sync")
    assert place.left() == [], "the spool is not empty"
    assert "RUNNING" not in place.runs(known).values(), "a run is left open"
    if not is_over and (not runs or command[0] == "compare"):
        known = known | set(runs)
        run(*command)
    (run_id,) = place.runs(known)
    completed = outcome(place, run_id)
    for name, value in expected.items():
        assert completed[name] == value, f"{name} differ: {differences(completed[name], value)}"


def differences(found: Any, expected: Any) -> list[str]:
    """Return in what two parts of outcomes differ."""
    one, other = (
        Counter(map(str, each.items() if isinstance(each, dict) else each))
        if isinstance(each, dict | list)
        else Counter([str(each)])
        for each in (found, expected)
    )
    return [
        *(f"too much: {each}" for each in one - other),
        *(f"lacks: {each}" for each in other - one),
    ]
