"""The courier reports at once, and once, that the store refuses a run; the run continues."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fitreel.tracking import Patience, Run, Tracker
from fitreel.tracking.names import HEARTBEAT_TAG
from tests.faults import SPOOL, wait_until
from tests.stored import tags_of


@pytest.fixture
def reported() -> list[str]:
    """Return the lines that were reported."""
    return []


@pytest.fixture
def tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: list[str]
) -> Iterator[Tracker]:
    import mlflow

    monkeypatch.setattr("fitreel.tracking.delivery.courier.BEAT", 0.1)  # instead of 30 seconds
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    yield Tracker(f"sqlite:///{tmp_path}/mlflow.db", patience=Patience(report=reported.append))
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def heartbeat(tracker: Tracker, run: Run) -> float:
    return float(tags_of(tracker.client.get_run(run.run_id))[HEARTBEAT_TAG])


def test_a_run_that_is_refused_half_way_is_reported_once_and_keeps_its_heartbeat(
    tracker: Tracker, reported: list[str]
) -> None:

    def refused() -> None:
        with tracker.run() as run:
            tracker.client.log_param(run.run_id, "epochs", "2")
            run.log_params({"epochs": "1"})
            wait_until(lambda: bool(reported), "nothing was reported")
            before = time.time() + 1
            wait_until(lambda: heartbeat(tracker, run) > before, "no heartbeat")

    with pytest.raises(ValueError, match="Changing param"):
        refused()
    (line,) = reported
    assert "Changing param" in line
    assert "continues; its results wait in" in line


def test_a_run_that_is_deleted_and_restored_meanwhile_is_complete(
    tracker: Tracker, reported: list[str]
) -> None:
    with tracker.run() as run:
        tracker.client.delete_run(run.run_id)
        run.log_metrics({"loss": 1.0})
        wait_until(lambda: bool(reported), "nothing was reported")
        tracker.client.restore_run(run.run_id)
        run.log_metrics({"loss": 0.5})
    found = tracker.source(run.run_id)
    assert (found.status, found.metrics) == ("FINISHED", {"loss": 0.5})
    assert len(reported) == 1
