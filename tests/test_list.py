"""The newest runs: pipeline.list, tracking.listing."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.tracking import Tracker, newest_runs
from fitreel.tracking.names import TRIAL_TAG
from pipeline.list import age, list_runs


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}")


def create(client: MlflowClient, name: str, started: int, experiment: str = "0") -> str:
    """Create a finished run that started at a second."""
    run = client.create_run(experiment, started * 1000, run_name=name)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def test_the_newest_runs_come_first_and_trials_not_at_all(tracker: Tracker) -> None:
    client = tracker.client
    rates = client.create_experiment("rates")
    old, new = create(client, "old", 1), create(client, "new", 3, rates)
    middle = create(client, "middle", 2)
    client.set_tag(create(client, "trial", 4), TRIAL_TAG, "0")
    client.log_metric(old, "loss", 0.5)
    client.log_metric(old, "test_rmse", 0.25)
    client.log_metric(middle, "best_test_rmse", 0.125)
    found = newest_runs(tracker, None, 10)
    assert [run.run_id for run in found] == [new, middle, old]
    assert [run.experiment for run in found] == ["rates", "Default", "Default"]
    numbers = [(run.loss, run.test_rmse) for run in found]
    assert numbers == [(None, None), (None, 0.125), (0.5, 0.25)]
    assert [run.run_id for run in newest_runs(tracker, None, 1)] == [new]
    assert [run.run_id for run in newest_runs(tracker, "Default", 10)] == [middle, old]
    with pytest.raises(ValueError, match="there is no experiment 'other'"):
        newest_runs(tracker, "other", 10)


def test_json_has_numbers_that_any_reader_takes(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = create(tracker.client, "a\x1b[2Jb", 5)
    tracker.client.log_metric(run_id, "loss", float("nan"))
    list_runs(as_json=True, tracking_uri=tracker.client.tracking_uri)
    assert json.loads(capsys.readouterr().out) == {
        "runs": [
            {
                "run_id": run_id,
                "name": r"a\x1b[2Jb",
                "experiment": "Default",
                "status": "FINISHED",
                "started": 5.0,
                "loss": None,
                "test_rmse": None,
            }
        ]
    }


def test_in_a_pipe_a_run_is_a_line(tracker: Tracker, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = create(tracker.client, "a long name " * 5, 5)
    list_runs(tracking_uri=tracker.client.tracking_uri)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if run_id in line]
    assert ("a long name " * 5).strip() in line
    assert "FINISHED" in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7300, "2 h"), (86_400 * 400, "400 d")],
)
def test_an_age_is_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text
