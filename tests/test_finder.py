"""Finding runs to compare in a real store: our own runs and those of other programs."""

from collections.abc import Callable

import pytest

from fitreel.data.dataset import Dataset
from fitreel.data.files import save_dataset
from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker, best
from fitreel.tracking.best import best_runs
from fitreel.tracking.finder import Found, named_runs
from fitreel.tracking.names import TRIAL_TAG
from fitreel.training.files import save_frames
from fitreel.training.loop import Fit
from fitreel.training.loss_file import save_losses
from tests.stored import change_facts

Make = Callable[..., str]


@pytest.fixture
def experiment(tracker: Tracker, request: pytest.FixtureRequest) -> str:
    """Return the id of an empty experiment."""
    return str(tracker.client.create_experiment(request.node.name))


@pytest.fixture
def make(tracker: Tracker, experiment: str, dataset: Dataset, trained: Fit) -> Make:
    """Return a function that creates a trained run with these metrics and returns its id."""

    def make(**metrics: float) -> str:
        with tracker.run(experiment_id=experiment) as run:
            run.log_settings(TrainingSettings(epochs=60))
            run.log_metrics(metrics)
            with run.artifacts("data") as folder:
                save_dataset(dataset, folder / "dataset.csv")
            with run.artifacts("training") as folder:
                save_losses(trained.history.losses, folder / "history.csv")
                save_frames(trained.history, folder / "frames.safetensors")
        return str(run.run_id)

    return make


def foreign(tracker: Tracker, experiment: str, name: str, **metrics: float) -> str:
    """Create a run as another program does, without a history."""
    made = tracker.client.create_run(experiment, run_name=name)
    for metric, value in metrics.items():
        tracker.client.log_metric(made.info.run_id, metric, value)
    return str(made.info.run_id)


def ids(found: Found) -> list[str]:
    return [run.run_id for run in found.runs]


def test_the_best_runs_come_first(tracker: Tracker, experiment: str, make: Make) -> None:
    runs = [make(test_rmse=mse, test_r2=1 - mse) for mse in (0.3, 0.1, 0.2)]
    lowest = best_runs(tracker, experiment, 6, "test_rmse")
    highest = best_runs(tracker, experiment, 2, "test_r2")
    assert ids(lowest) == [runs[1], runs[2], runs[0]]
    assert ids(highest) == [runs[1], runs[2]]
    assert lowest.experiments == dict.fromkeys(runs, experiment)
    assert lowest.left_out == ()


@pytest.mark.parametrize("page", [1, 2, 200])
def test_unusable_runs_are_named_and_replaced_by_the_next_best(
    tracker: Tracker,
    experiment: str,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    page: int,
) -> None:
    monkeypatch.setattr(best, "PAGE", page)
    runs = [make(test_rmse=mse) for mse in (0.1, 0.2, 0.3)]
    for number in range(3):
        foreign(tracker, experiment, f"foreign {number}", test_rmse=0.05 * number)
    foreign(tracker, experiment, "not reached", test_rmse=0.25)
    foreign(tracker, experiment, "without the metric", loss=0)
    found = best_runs(tracker, experiment, 2, "test_rmse")
    assert ids(found) == runs[:2]
    assert [each.name for each in found.left_out] == [f"foreign {number}" for number in range(3)]
    assert "has no data/dataset.csv" in found.left_out[0].why


def test_some_runs_are_never_found(tracker: Tracker, experiment: str, make: Make) -> None:
    runs = [make(test_rmse=0.1), make(test_rmse=0.2)]
    for value in (float("nan"), float("-inf"), float("inf")):
        make(test_rmse=value)
    tracker.client.delete_run(make(test_rmse=0.0))
    tracker.client.set_tag(make(test_rmse=0.0), "fitreel.kind", "comparison")
    make(loss=0.0)
    found = best_runs(tracker, experiment, 60, "test_rmse")
    assert ids(found) == runs
    assert found.left_out == ()


def test_trials_without_a_film_are_counted(tracker: Tracker, experiment: str, make: Make) -> None:
    """A sweep films only its best nine trials, so unfilmed ones are among the best runs."""
    filmed = [make(test_rmse=mse) for mse in (0.1, 0.3, 0.6)]
    for run_id in filmed[:2]:
        tracker.client.set_tag(run_id, TRIAL_TAG, "1")
        change_facts(tracker.client, run_id, filmed="yes")
    others = [foreign(tracker, experiment, "trial", test_rmse=mse) for mse in (0.2, 0.4, 0.5, 0.7)]
    for run_id in others:
        tracker.client.set_tag(run_id, TRIAL_TAG, "2")
    for count, lost in ((2, "1 of the best 2"), (4, "2 of the best 4"), (20, "4 of the best 20")):
        found = best_runs(tracker, experiment, count, "test_rmse", with_trials=True)
        assert ids(found) == filmed[:count]
        (one,) = found.left_out
        assert one.name == lost
        assert "a sweep, which films the best 9 that finish;" in one.why
    with pytest.raises(ValueError, match=r"only one .*; left out: 1 of the best 2: a trial"):
        best_runs(tracker, experiment, 2, "test_rmse", "metrics.test_rmse > 0.5", with_trials=True)


def test_trials_are_left_out_unless_asked_for(
    tracker: Tracker, experiment: str, make: Make
) -> None:
    runs = [make(test_rmse=error) for error in (0.1, 0.2, 0.3, 0.4)]
    for run_id in runs[:2]:
        tracker.client.set_tag(run_id, TRIAL_TAG, "1")
        change_facts(tracker.client, run_id, filmed="yes")
    found = best_runs(tracker, experiment, 2, "test_rmse")
    assert ids(found) == runs[2:]
    (one,) = found.left_out
    assert one.name == "2 of the best 2"
    assert one.why == "trials of sweeps are compared with --with-trials on"
    assert ids(best_runs(tracker, experiment, 3, "test_rmse", with_trials=True)) == runs[:3]


def test_of_runs_with_equal_settings_and_points_the_best_is_taken(
    tracker: Tracker, experiment: str, make: Make
) -> None:
    runs = [make(test_rmse=error) for error in (0.1, 0.2, 0.3, 0.4, 0.5)]
    for run_id, points in zip(runs, ("a", "a", "b", "b", "b"), strict=True):
        change_facts(tracker.client, run_id, dataset_sha256=points)
    tracker.client.set_tag(runs[3], "fitreel.override.seed", "1")
    tracker.client.set_tag(runs[4], "fitreel.override.frame_every", "1")  # only how it is shown
    found = best_runs(tracker, experiment, 6, "test_rmse")
    assert ids(found) == [runs[0], runs[2], runs[3]]
    assert [one.why.partition(" of ")[0] for one in found.left_out] == [
        "it has the settings and the points"
    ] * 2


def test_a_run_that_is_named_twice_counts_once(tracker: Tracker, make: Make) -> None:
    one, other = make(), make()
    tracker.client.update_run(one, name="the first")
    found = named_runs(tracker, [one, other, "the first", one])
    assert ids(found) == [one, other]


def test_a_filter_is_in_mlflows_language(tracker: Tracker, experiment: str, make: Make) -> None:
    runs = [make(test_rmse=mse) for mse in (0.1, 0.2, 0.3)]
    for run in runs[1:]:
        tracker.client.set_tag(run, "for", "it's")
    words = 'tags.for = "it\'s" AND metrics.test_rmse < 1'
    assert ids(best_runs(tracker, experiment, 6, "test_rmse", words)) == runs[1:]
    with pytest.raises(ValueError, match=r"the filter does not work: Invalid clause"):
        best_runs(tracker, experiment, 6, "test_rmse", "nonsense")


def test_named_runs_keep_their_order(tracker: Tracker, make: Make) -> None:
    runs = [make(), make()]
    done = list[int]()
    found = named_runs(tracker, [runs[1], "nowhere", runs[0]], done.append)
    assert ids(found) == [runs[1], runs[0]]
    assert [each.name for each in found.left_out] == ["nowhere"]
    assert done == [1, 1, 2]


def test_a_run_with_unreachable_files_is_left_out(tracker: Tracker, make: Make) -> None:
    runs = [make(), make()]
    for address in ("s3://bucket/x", "ftp://127.0.0.1:1/x", "evil://x", "http://127.0.0.1:1/x"):
        home = tracker.client.create_experiment(f"in {address}", artifact_location=address)
        away = foreign(tracker, home, address)
        found = named_runs(tracker, [away, *runs])
        assert ids(found) == runs
        assert [each.name for each in found.left_out] == [address]


def test_fewer_than_two_runs_are_an_error(tracker: Tracker, experiment: str, make: Make) -> None:
    (run,) = [make(test_rmse=0.1)]
    with pytest.raises(ValueError, match=r"only one of the runs whose test_rmse is a finite"):
        best_runs(tracker, experiment, 6, "test_rmse")
    with pytest.raises(
        ValueError,
        match=r"only one of the runs named .*left out: nowhere: there is no",
    ):
        named_runs(tracker, [run, "nowhere"])
    with pytest.raises(ValueError, match=r"none of the runs whose no such is a finite"):
        best_runs(tracker, experiment, 6, "no such")


def test_params_are_those_in_force(tracker: Tracker) -> None:
    with tracker.run() as run:
        pass
    logged = {
        "lr": "0.20",
        "epochs": "0100",
        "noise": "none",
        "optimizer": "sgd",
        "note": "1e1",
        "name": "a",
    }
    for name, text in logged.items():
        tracker.client.log_param(run.run_id, name, text)
    tracker.client.set_tag(run.run_id, "fitreel.override.hidden", "7")
    tracker.client.set_tag(run.run_id, "fitreel.override.epochs", "50")
    assert tracker.source(run.run_id).all_settings() == {
        "lr": "0.2",
        "epochs": "50",
        "noise": "none",
        "optimizer": "sgd",
        "note": "1e1",
        "hidden": "7",
    }


def test_an_experiment_is_found_and_never_created(tracker: Tracker) -> None:
    made = tracker.client.create_experiment("rates")
    gone = tracker.client.create_experiment("gone")
    tracker.client.delete_experiment(gone)
    assert tracker.find_experiment("rates") == made
    assert tracker.find_experiment(None) == "0"
    for name in ("gone", "never"):
        with pytest.raises(ValueError, match=f"there is no experiment '{name}'"):
            tracker.find_experiment(name)
    assert tracker.client.get_experiment_by_name("never") is None
