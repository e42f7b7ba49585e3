"""A run is found by what people type: tracking.lookup."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.tracking import Tracker
from fitreel.tracking.names import KIND_TAG, TRIAL_TAG, VERSION_TAG


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}")


def create(tracker: Tracker, name: str, experiment: str = "0", **tags: str) -> str:
    """Create a run of fitreel, a second later than the last one."""
    client: MlflowClient = tracker.client
    newest = client.search_runs(["0", experiment], order_by=["attributes.start_time DESC"])
    start = (newest[0].info.start_time if newest else 0) + 1000
    run = client.create_run(experiment, start, {VERSION_TAG: "1"} | tags, name)
    return str(run.info.run_id)


def test_a_run_is_found_by_id_start_of_id_and_name(tracker: Tracker) -> None:
    run_id = create(tracker, "a slow one")
    create(tracker, "a fast one")
    for text in (run_id, run_id[:20], "a slow one"):
        assert tracker.source(text).run_id == run_id
    with pytest.raises(ValueError, match=f"no run '{run_id[:3]}' in sqlite.*; fitreel list shows"):
        tracker.source(run_id[:3])  # too short to be typed on purpose


def test_a_name_in_another_experiment_is_found(tracker: Tracker) -> None:
    create(tracker, "here")
    there = create(tracker, "there", tracker.client.create_experiment("rates"))
    assert tracker.source("there").run_id == there


def test_a_text_that_names_several_runs_is_refused_with_all_of_them(tracker: Tracker) -> None:
    runs = [create(tracker, "twice") for _ in range(2)]
    with pytest.raises(ValueError, match="'twice' names several runs: ") as raised:
        tracker.source("twice")
    assert all(run in str(raised.value) for run in runs)


def test_a_name_that_is_unique_in_the_experiment_of_new_runs_is_enough(tracker: Tracker) -> None:
    rates = tracker.client.create_experiment("rates")
    there, here = create(tracker, "twice", rates), create(tracker, "twice")
    assert tracker.source("twice").run_id == here
    in_rates = Tracker(tracker.client.tracking_uri, "rates")
    assert in_rates.source("twice").run_id == there
    create(tracker, "twice", rates)
    with pytest.raises(ValueError, match="'twice' names several runs: ") as raised:
        in_rates.source("twice")
    assert here not in str(raised.value)


def test_latest_is_the_newest_experiment_or_sweep(tracker: Tracker) -> None:
    with pytest.raises(ValueError, match="no run 'latest'"):
        tracker.source("latest")
    create(tracker, "first")
    last = create(tracker, "last", **{KIND_TAG: "sweep"})
    create(tracker, "a trial", **{TRIAL_TAG: "0"})
    create(tracker, "a comparison", **{KIND_TAG: "comparison"})
    tracker.client.create_run("0", run_name="not of fitreel")
    assert tracker.source("latest").run_id == last


def test_latest_is_not_the_run_that_mlflow_run_created_for_this_command(tracker: Tracker) -> None:
    trained = create(tracker, "trained")
    tracker.active_run_id = create(tracker, "of mlflow run")
    assert tracker.source("latest").run_id == trained


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "____", "50%", "a'b", 'a"b', "a'\"b", "../x"])
def test_no_text_changes_the_search(tracker: Tracker, text: str) -> None:
    create(tracker, "a name")
    with pytest.raises(ValueError, match="there is no run"):
        tracker.source(text)


def test_names_with_quotes_are_found(tracker: Tracker) -> None:
    for name in ("a'b", 'a"b', "50%", "x_y"):
        run_id = create(tracker, name)
        assert tracker.source(name).run_id == run_id
