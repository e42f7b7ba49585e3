"""Tracking with a real MLflow store, a database in the directory of the test."""

from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.entities import LoggedModelStatus

from fitreel.checks.files import sha256
from fitreel.data.dataset import Dataset
from fitreel.data.files import save_dataset
from fitreel.settings import ActivationName, DataSettings, FilmSettings, TrainingSettings
from fitreel.tracking import Run, Tracker
from fitreel.training.files import save_weights
from fitreel.training.loop import Fit, fit
from fitreel.training.network import Network
from fitreel.training.state import Training


def status(tracker: Tracker, run: Run) -> str:
    return str(tracker.client.get_run(run.run_id).info.status)


def test_the_status_of_a_run_depends_on_its_error(tracker: Tracker) -> None:
    with tracker.run() as finished:
        assert status(tracker, finished) == "RUNNING"
    with pytest.raises(ZeroDivisionError), tracker.run() as failed:
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), tracker.run() as killed:
        raise KeyboardInterrupt
    found = [status(tracker, run) for run in (finished, failed, killed)]
    assert found == ["FINISHED", "FAILED", "KILLED"]


def train(run: Run, dataset: Dataset, epochs: int, fails_at: int | None = None) -> Fit:
    settings = TrainingSettings(epochs=epochs)
    checkpoints = run.checkpoints(settings, every=500)

    def on_epoch(epoch: int, _: float, training: Training) -> None:
        checkpoints.on_epoch(epoch, training)
        if epoch == fails_at:
            raise OSError("no display")

    with checkpoints.keeping():
        return fit(dataset, settings, on_epoch)


def test_every_loss_is_there_once_and_in_order(tracker: Tracker, dataset: Dataset) -> None:
    with tracker.run() as run:
        losses = train(run, dataset, epochs=2345).history.losses
    points = tracker.client.get_metric_history(run.run_id, "loss")
    assert [point.step for point in points] == list(range(2345))
    assert [point.value for point in points] == losses.tolist()


def test_a_run_has_its_last_loss_as_soon_as_the_journal_has_it(
    tracker: Tracker, dataset: Dataset
) -> None:
    with tracker.run() as run:
        losses = train(run, dataset, epochs=30).history.losses
        assert run.metrics == {"loss": losses[-1]}


def test_what_is_written_to_a_run_changes_nothing_that_was_read_before(tracker: Tracker) -> None:
    with tracker.run() as run:
        run.log_params({"epochs": "7"})
    source = tracker.source(run.run_id)
    before = dict(source.params), dict(source.metrics), dict(source.tags)
    with tracker.run(source) as run:
        run.log_params({"lr": "0.1"})
        run.log_metrics({"loss": 1.0})
        run.set_tags({"mine": "yes"})
        assert run.params == source.params | {"lr": "0.1"}
    assert (source.params, source.metrics, source.tags) == before


def test_losses_before_a_failure_are_kept(tracker: Tracker, dataset: Dataset) -> None:
    with pytest.raises(OSError, match="display"), tracker.run() as run:
        train(run, dataset, epochs=100, fails_at=30)
    points = tracker.client.get_metric_history(run.run_id, "loss")
    assert [point.step for point in points] == list(range(30))


def test_params_that_were_logged_before_stay(tracker: Tracker) -> None:
    # As `mlflow run -P fps=2e1 -P max_frames=10` logs them before fitreel starts.
    with tracker.run() as run:
        pass
    tracker.client.log_param(run.run_id, "fps", "020")
    tracker.client.log_param(run.run_id, "max_frames", "10")
    with tracker.run(tracker.source(run.run_id)) as run:
        run.log_settings(FilmSettings(fps=20, max_frames=30))
    found = tracker.source(run.run_id)
    assert found.params == {"fps": "020", "format": "gif", "max_frames": "10"}
    assert "fitreel.override.fps" not in found.tags
    assert found.tags["fitreel.override.max_frames"] == "30"


def test_an_automatic_name_never_replaces_a_chosen_one(tracker: Tracker) -> None:
    with tracker.run() as run:
        run.set_name("quadratic100")
        run.set_name("relu20")
        assert run.name == "relu20"
    tracker.client.set_tag(run.run_id, "mlflow.runName", "lr-test-1")
    with tracker.run(tracker.source(run.run_id)) as run:
        run.set_name("tanh20")
    assert tracker.source(run.run_id).name == "lr-test-1"
    with tracker.run(name="mine") as run:
        run.set_name("relu20")
    assert tracker.source(run.run_id).name == "mine"


def test_the_dataset_is_an_input_of_the_run(tracker: Tracker, dataset: Dataset) -> None:
    with tracker.run() as run, run.artifacts("data") as folder:
        save_dataset(dataset, folder / "dataset.csv")
        run.log_dataset(folder / "dataset.csv", "quadratic")
    inputs = tracker.client.get_run(run.run_id).inputs
    assert inputs is not None
    (entry,) = inputs.dataset_inputs
    assert entry.tags[0].value == "training"
    file = Path(mlflow.data.get_source(entry.dataset).load())
    assert sha256(file) == run.tags["fitreel.dataset_sha256"]
    assert entry.dataset.digest == sha256(file)[:8]
    assert torch.equal(tracker.source(run.run_id).dataset().y, dataset.y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_the_model_predicts_the_same_as_the_network(
    tracker: Tracker, activation: ActivationName
) -> None:
    network = Network(TrainingSettings(activation=activation))
    with tracker.run() as run, run.artifacts() as folder:
        save_weights(network.weights(), folder / "weights.safetensors")
        run.log_model(folder / "weights.safetensors")
    model = mlflow.pyfunc.load_model(f"runs:/{run.run_id}/model")
    x = np.linspace(-3, 3, 50)
    prediction = model.predict(pd.DataFrame({"x": x}))
    expected = network(torch.tensor(x, dtype=torch.float32)[:, None])[:, 0]
    assert prediction.shape == (50,)
    assert prediction == pytest.approx(expected.detach().numpy(), abs=1e-6)
    assert str(model.metadata.signature.inputs) == "['x': Any (required)]"


def test_the_model_has_the_status_ready(tracker: Tracker) -> None:
    with tracker.run() as run, run.artifacts() as folder:
        save_weights(Network(TrainingSettings()).weights(), folder / "weights.safetensors")
        run.log_model(folder / "weights.safetensors")
    of_run = f"source_run_id = '{run.run_id}'"
    (model,) = tracker.client.search_logged_models(["0"], of_run)
    assert (model.name, model.status) == ("model", LoggedModelStatus.READY)


def test_no_artifact_of_the_model_is_a_pickle(tracker: Tracker) -> None:
    with tracker.run() as run, run.artifacts() as folder:
        save_weights(Network(TrainingSettings()).weights(), folder / "weights.safetensors")
        run.log_model(folder / "weights.safetensors")
    folder = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.run_id}/model"))
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files - {"registered_model_meta"} == {  # MLflow adds this file in a download
        "MLmodel",
        "artifacts/weights.safetensors",
        "conda.yaml",
        "input_example.json",
        "python_env.yaml",
        "requirements.txt",
        "served_model.py",
        "serving_input_example.json",
    }
    pins = (folder / "requirements.txt").read_text().split()
    assert [pin.partition("==")[0] for pin in pins] == ["mlflow", "numpy", "safetensors"]
    assert all("==" in pin for pin in pins)


def test_an_error_about_a_missing_artifact_names_its_stage(tracker: Tracker) -> None:
    with tracker.run() as run:
        pass
    source = tracker.source(run.run_id)
    with pytest.raises(FileNotFoundError, match=r"has no data/dataset.csv; .* fitreel generate"):
        source.dataset()
    with pytest.raises(FileNotFoundError, match=r"has no weights.safetensors; .* fitreel train"):
        source.weights()
    assert source.data_settings() is None


def test_frames_that_are_too_large_are_not_read(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of the run, a fixed limit and the available memory limit their size."""
    with tracker.run() as run, run.artifacts("training") as folder:
        (folder / "history.csv").write_text("epoch,loss\n0,1\n")
        (folder / "frames.safetensors").write_text("placeholder")
    root = tracker.client.get_run(run.run_id).info.artifact_uri
    with Path(root, "training/frames.safetensors").open("wb") as file:
        file.truncate(2**30)  # a sparse file
    with pytest.raises(ValueError, match=r"1,073,741,824 bytes; at most 268,435,456 are allowed"):
        tracker.source(run.run_id).history()
    with tracker.run(tracker.source(run.run_id)) as run:
        run.log_settings(TrainingSettings(epochs=10_000))
    with pytest.raises(ValueError, match=r"1,073,741,824 bytes; at most 604,252 are allowed"):
        tracker.source(run.run_id).history()
    # Settings with which the frames may have this size.
    tags = {
        "fitreel.override.epochs": "10000000",
        "fitreel.override.frame_every": "1",
        "fitreel.override.hidden": "4096",
    }
    with tracker.run(tracker.source(run.run_id)) as run:
        run.set_tags(tags)
    memory = SimpleNamespace(available=10**9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    with pytest.raises(ValueError, match=r"1,073,741,824 bytes; at most 1,000,000,000 are allowed"):
        tracker.source(run.run_id).history()


def test_a_run_reads_from_its_source_and_logs_to_it(tracker: Tracker) -> None:
    with tracker.run() as first:
        first.log_settings(DataSettings())
    source = tracker.source(first.run_id)
    assert source.data_settings() == DataSettings()
    with tracker.run(source) as second:
        pass
    assert second.run_id == first.run_id


def test_the_active_run_of_mlflow_comes_before_the_source(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker.run() as first:
        pass
    active = tracker.client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", active)
    inside = Tracker(str(mlflow.get_tracking_uri()))
    source = inside.source(first.run_id)
    assert not inside.writes_to(source)
    with inside.run(source) as second:
        pass
    assert second.run_id == active
    assert second.tags["fitreel.source_run"] == first.run_id
    assert inside.source(None).run_id == active


def test_deleted_and_unknown_runs_are_refused(tracker: Tracker) -> None:
    with tracker.run() as run:
        pass
    tracker.client.delete_run(run.run_id)
    with pytest.raises(ValueError, match="is deleted"):
        tracker.source(run.run_id)
    with pytest.raises(ValueError, match="there is no run 'nowhere'"):
        tracker.source("nowhere")
    with pytest.raises(ValueError, match="no run to read from"):
        tracker.source(None)


def test_a_missing_experiment_is_created(tracker: Tracker) -> None:
    uri = tracker.client.tracking_uri
    named = Tracker(uri, "learning rates")
    with named.run() as run:
        pass
    assert Tracker(uri, "learning rates").experiment_id == run.experiment_id
    with (
        pytest.raises(ValueError, match="is in another experiment"),
        Tracker(uri, "other").run(named.source(run.run_id)),
    ):
        pass


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text(
        "a shopping list, long enough to be read as a database\n" * 9
    )
    before = mlflow.get_tracking_uri()
    with pytest.raises(ConnectionError, match=r"cannot be opened .*not a database"):
        Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(before)
