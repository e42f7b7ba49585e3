"""The contents of a store in a directory, read without MLflow, which keeps its files open.

What differs from one run to the next of the same settings is left out: ids, times and durations.
"""

import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

CHANGING = (  # in files and notes
    rb"m-[0-9a-f]{32}|[0-9a-f]{32}(?![0-9a-f])",
    rb"utc_time_created: '[^']*'",
    rb"experiments/\d+",
)
READY = 2  # the status of a logged model
Rows = list[tuple[object, ...]]


class Content(NamedTuple):
    """What a store has of a run."""

    run_id: str
    name: str
    status: str
    parent: str | None
    params: Rows
    points: (
        Rows  # of all metrics but durations, by metric and step; one stored twice is there twice
    )
    note: str
    models: Rows
    files: dict[str, str]  # SHA-256 of artifacts and of the files of models

    @property
    def lasting(self) -> tuple[object, ...]:
        """What is the same however often the run was interrupted."""
        names = self.name, self.status, self.parent is None
        return *names, self.params, self.points, self.note, self.models, self.files


def contents(directory: Path) -> list[Content]:
    """Return the runs of a store, by name; none if it was not created.

    Asserts that the database is intact, and that all artifacts are in the directory.
    """
    path = directory / "mlflow.db"
    if not path.exists() or not path.stat().st_size:
        return []
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in database.execute("select name from sqlite_master")}
        if "runs" not in tables or "logged_models" not in tables:  # its creation was broken off
            return []
        found = database.execute(
            "select run_uuid, artifact_uri from runs where lifecycle_stage = 'active'"
        ).fetchall()
        assert all(Path(place).is_relative_to(directory) for _, place in found)
        runs = [_content(database, run_id) for run_id, _ in found]
    return sorted(runs, key=lambda run: (run.name, run.status, run.run_id))


def _content(database: sqlite3.Connection, run_id: str) -> Content:
    def rows(query: str) -> Rows:
        return database.execute(query, (run_id,)).fetchall()

    ((name, status, place),) = rows(
        "select name, status, artifact_uri from runs where run_uuid = ?"
    )
    tags = {
        str(key): value for key, value in rows("select key, value from tags where run_uuid = ?")
    }
    models = rows(
        "select model_id, status, artifact_location from logged_models"
        " where source_run_id = ? and lifecycle_stage = 'active'"
    )
    files = _files(Path(str(place)))
    for _, _, place in models:
        files |= {f"model/{path}": sums for path, sums in _files(Path(str(place))).items()}
    parent = tags.get("mlflow.parentRunId")
    return Content(
        run_id,
        str(name),
        str(status),
        str(parent) if parent else None,
        rows("select key, value from params where run_uuid = ? order by key"),
        rows(
            "select key, step, value from metrics where run_uuid = ?"
            " and key not like 'system/%' order by key, step"
        ),
        _lasting(str(tags.get("mlflow.note.content")).encode()).decode(),
        [(status,) for _, status, _ in models],
        files,
    )


def _files(place: Path) -> dict[str, str]:
    return {
        path.relative_to(place).as_posix(): sha256(_lasting(path.read_bytes())).hexdigest()
        for path in place.rglob("*")
        if path.is_file()
    }


def _lasting(content: bytes) -> bytes:
    for pattern in CHANGING:
        content = re.sub(pattern, b"*", content)
    return content
