"""The client reads all pages of a store with more experiments than fit on one page."""

import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import sqlalchemy
from mlflow.store.tracking.dbmodels.models import SqlExperiment

from fitreel.journal.spool import new_journal
from fitreel.tracking import Tracker, examine, sync
from fitreel.tracking.names import JOURNAL_TAG, PROCESS_TAG
from fitreel.tracking.process import process_tags
from tests.faults import SPOOL

MANY = 1200  # a page has 1000


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    """Open a store with an old experiment and many that changed later."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", "first")
    later = time.time_ns() // 1_000_000 + 60_000
    rows = [
        {
            "experiment_id": 1000 + number,
            "name": f"later {number}",
            "artifact_location": f"{tmp_path}/mlruns/{number}",
            "lifecycle_stage": "active",
            "creation_time": later,
            "last_update_time": later,
        }
        for number in range(MANY)
    ]
    engine = sqlalchemy.create_engine(tracker.client.tracking_uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(SqlExperiment), rows)
    engine.dispose()
    yield tracker
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def test_all_experiments_are_found(tracker: Tracker) -> None:
    assert len(tracker.client.search_experiments()) == 1000
    found = tracker.client.experiment_ids()
    assert len(found) == len(set(found)) == MANY + 2


def test_a_dead_run_of_an_old_experiment_is_found(tracker: Tracker) -> None:
    dead = process_tags() | {PROCESS_TAG: "999999999 started 1.00"}
    run = tracker.client.create_run(tracker.experiment_id or "", tags=dead)
    (verdict,) = examine(tracker, 3600)
    assert (verdict.run_id, verdict.status) == (run.info.run_id, "KILLED")


def test_a_journal_finds_its_run_in_an_old_experiment(tracker: Tracker) -> None:
    """Its process was killed before it wrote the id of its run into the journal."""
    journal = new_journal()
    journal.append("plan", uri=tracker.client.tracking_uri, plan={"command": "run"})
    journal.close()
    tags = {JOURNAL_TAG: journal.directory.name}
    run = tracker.client.create_run(tracker.experiment_id or "", tags=tags)
    (delivered,) = sync()
    assert delivered.run_id == run.info.run_id
