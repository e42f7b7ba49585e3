"""The courier of a run that its store refuses: it reports that once, at once; the run goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fitreel.tracking import Patience, Run, Tracker
from fitreel.tracking.names import HEARTBEAT_TAG
from tests.faults import SPOOL, wait_until


@pytest.fixture
def said() -> list[str]:
    """Return the lines that were reported."""
    return []


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Iterator[Tracker]:
    import mlflow

    monkeypatch.setattr("fitreel.tracking.delivery.courier.BEAT", 0.1)  # in place of 30 seconds
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    yield Tracker(f"sqlite:///{tmp_path}/mlflow.db", patience=Patience(report=said.append))
    mlflow.set_tracking_uri("")


def heard(tracker: Tracker, run: Run) -> float:
    return float(tracker.client.get_run(run.run_id).data.tags[HEARTBEAT_TAG])


def test_a_run_that_is_refused_half_way_is_reported_once_and_keeps_its_heartbeat(
    tracker: Tracker, said: list[str]
) -> None:

    def refused() -> None:
        with tracker.run() as run:
            tracker.client.log_param(run.run_id, "epochs", "2")
            run.log_params({"epochs": "1"})
            wait_until(lambda: bool(said), "not a word")
            before = time.time() + 1
            wait_until(lambda: heard(tracker, run) > before, "no heartbeat")

    with pytest.raises(ValueError, match="Changing param"):
        refused()
    (line,) = said
    assert "Changing param" in line
    assert "goes on, its results wait in" in line


def test_a_run_that_is_deleted_meanwhile_and_restored_is_whole(
    tracker: Tracker, said: list[str]
) -> None:
    with tracker.run() as run:
        tracker.client.delete_run(run.run_id)
        run.log_metrics({"loss": 1.0})
        wait_until(lambda: bool(said), "not a word")
        tracker.client.restore_run(run.run_id)
        run.log_metrics({"loss": 0.5})
    found = tracker.source(run.run_id)
    assert (found.status, found.metrics) == ("FINISHED", {"loss": 0.5})
    assert len(said) == 1
