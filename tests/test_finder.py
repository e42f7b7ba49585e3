"""Finding runs to compare in a real store: our own runs and those of other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fitreel
from fitreel.comparison.compared import FilmedRun, first_with_points
from fitreel.data.dataset import Dataset
from fitreel.data.files import save_dataset
from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker, best
from fitreel.tracking.best import best_runs, metric_of_runs
from fitreel.tracking.finder import Found, named_runs
from fitreel.tracking.names import TRIAL_TAG
from fitreel.training.files import save_frames
from fitreel.training.loop import Fit
from fitreel.training.loss_file import save_losses
from tests.faults import wait_until
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


@pytest.fixture
def film(tracker: Tracker, experiment: str, dataset: Dataset) -> Make:
    """Return a function that films a constant model in the experiment and returns its run's id."""
    home = tracker.client.get_experiment(experiment).name

    def film(loss: float = 0.5, **params: Any) -> str:
        rows = (dataset.x.numpy(), dataset.y.numpy())
        with fitreel.film(*rows, experiment=home, tracking_uri=tracker.uri, **params) as reel:
            for step in range(6):
                values = {"val_mae": loss / 2}
                reel.frame(step, loss, lambda x: np.full(len(x), 0.25), metrics=values)
        return newest(tracker, experiment)

    return film


def newest(tracker: Tracker, experiment: str) -> str:
    return str(tracker.client.search_runs([experiment], max_results=1)[0].info.run_id)


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


# ---- films of any model


def test_a_film_is_found_beside_our_own_run(tracker: Tracker, make: Make, film: Make) -> None:
    own, other = make(), film(lr="0.10", name="mine", max_depth="deep")
    found = named_runs(tracker, [own, other])
    assert ids(found) == [own, other]
    assert found.changed == ()
    one = found.runs[1]
    assert isinstance(one, FilmedRun)
    assert one.name == "mine"
    assert one.params == {"lr": "0.1", "max_depth": "deep"}
    assert (one.metrics["loss"], one.metrics["val_mae"]) == (0.5, 0.25)
    assert one.steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert one.frame_steps.tolist() == [0, 5]
    recording = one.record(np.array([1, 1, 0]))
    assert recording.epochs.tolist() == [5, 5, 0]
    assert (recording.predictions == 0.25).all()
    # The points of our run came from a file, those of the film were an array.
    assert first_with_points(found.runs) == [0, 0]


def test_films_are_ranked_and_counted(tracker: Tracker, experiment: str, film: Make) -> None:
    films = [film(loss) for loss in (0.3, 0.1, 0.2)]
    assert metric_of_runs(tracker, experiment, None) == "loss"
    found = best_runs(tracker, experiment, 2, "loss")
    assert (ids(found), found.left_out) == ([films[1], films[2]], ())
    assert ids(best_runs(tracker, experiment, 3, "val_mae")) == [films[1], films[2], films[0]]
    with pytest.raises(ValueError, match=r"left out: 3 of the runs: films of any model without te"):
        best_runs(tracker, experiment, 2, "test_rmse")
    words = f"attributes.run_id = '{films[0]}'"
    with pytest.raises(ValueError, match=r"left out: 1 of the runs: the film of any model without"):
        best_runs(tracker, experiment, 2, "test_rmse", words)


def test_equal_params_do_not_make_films_equal(
    tracker: Tracker, experiment: str, film: Make
) -> None:
    settings = {name: str(value) for name, value in vars(TrainingSettings()).items()}
    del settings["loss"]  # a name of the function below
    films = [film(loss, **settings) for loss in (0.1, 0.2)]
    found = best_runs(tracker, experiment, 6, "loss")
    assert (ids(found), found.left_out) == (films, ())


def test_a_film_that_cannot_be_read_is_left_out(
    tracker: Tracker, experiment: str, make: Make, film: Make
) -> None:
    runs = [make(), make()]
    changed, missing = (film() for _ in range(2))
    path = Path(tracker.client.get_run(changed).info.artifact_uri, "training/reel.safetensors")
    numbers = load_file(path)
    save_file(
        numbers | {"predictions": numbers["predictions"] + 1}, path, {"names": '{"curves": []}'}
    )
    Path(tracker.client.get_run(missing).info.artifact_uri, "training/reel.safetensors").unlink()
    home = tracker.client.get_experiment(experiment).name
    with fitreel.film([0, 1], [0, 1], experiment=home, tracking_uri=tracker.uri) as reel:
        reel.frame(0, float("nan"), lambda x: x)
        running = newest(tracker, experiment)
        wait_until(lambda: tracker.source(running).is_film, "the film has no tag")
        during = named_runs(tracker, [running, *runs])
    found = named_runs(tracker, [changed, missing, running, *runs])
    assert ids(during) == ids(found) == runs
    (why,) = [each.why for each in during.left_out]
    # Its rows may be on their way, too.
    assert why.startswith(f"run {running} is a film and has no ")
    assert "its training has not ended" in why
    whys = [each.why for each in found.left_out]
    assert whys[0].startswith("training/reel.safetensors is not what run")
    assert whys[1].startswith(f"run {missing} is a film and has no training/reel.safetensors")
    assert whys[2].startswith(f"run {running} is a film without a frame")
