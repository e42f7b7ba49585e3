"""What a server confirms and never does is noticed at the end of the run, and delivered again."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run as MlflowRun

from fitreel.data.dataset import Dataset
from fitreel.data.files import save_dataset
from fitreel.journal.checkpoints import pack
from fitreel.journal.records import Record
from fitreel.journal.spool import new_journal
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Trial
from fitreel.tracking import Tracker
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.training.files import save_weights
from fitreel.training.network import Network
from tests.faults import SPOOL
from tests.proxy import Proxy, empty
from tests.servers import Server

LOG = ("POST", "/runs/log-batch$")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Start a proxy in front of the server, with a spool for the test."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    with Proxy(server.url) as proxy:
        yield proxy
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def runs_of(proxy: Proxy, experiment: str) -> list[MlflowRun]:
    direct = Client(proxy.target)
    found = direct.get_experiment_by_name(experiment)
    assert found
    return list(direct.search_runs([found.experiment_id]))


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_lost_points_and_params_are_delivered_again_and_no_other_twice(
    proxy: Proxy, lost: int
) -> None:
    tracker = Tracker(proxy.url, f"lost {lost}")
    with tracker.run() as run:
        pass
    journal = new_journal()
    delivery = Delivery(tracker.client.without_patience(), journal, run.run_id)
    numbers = pack(np.array([0.5, 0.25], np.float32))
    records: list[Record] = [
        {"kind": "losses", "first": 0, "count": 2, "start": 1, "end": 2, "numbers": numbers},
        {"kind": "losses", "first": 2, "count": 2, "start": 3, "end": 4, "numbers": numbers},
        {"kind": "values", "time": 5, "metrics": {"rmse": 1.0}, "params": {"epochs": "4"}},
    ]
    for place, record in enumerate(records):
        journal.append(**record)
        if place == lost:
            proxy.rules.append(empty(*LOG))
        assert delivery.step()
        proxy.rules.clear()
    journal.append("status", status="FINISHED", time=6)
    while delivery.step():
        pass
    journal.remove()
    (found,) = runs_of(proxy, f"lost {lost}")
    assert (found.info.status, found.data.params) == ("FINISHED", {"epochs": "4"})
    for name, steps in {"loss": [0, 1, 2, 3], "rmse": [0]}.items():
        points = tracker.client.get_metric_history(run.run_id, name)
        assert [point.step for point in points] == steps


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/runs/log-inputs$"),
        ("POST", "/runs/outputs$"),
        ("PATCH", "/logged-models/"),
        ("PUT", "/artifacts/data/dataset.csv$"),
        ("PUT", "/weights.safetensors$"),
        ("POST", "/runs/update$"),
        ("GET", "/mlflow-artifacts/artifacts[?]path="),
    ],
)
def test_files_inputs_models_and_the_end_are_delivered_again(
    proxy: Proxy, dataset: Dataset, method: str, path: str
) -> None:
    rule = empty(method, path, times=1)
    proxy.rules.append(rule)
    with Tracker(proxy.url, f"lost {path}").run() as run:
        with run.artifacts("data") as folder:
            save_dataset(dataset, folder / "dataset.csv")
            run.log_dataset(folder / "dataset.csv", "points")
        with run.artifacts() as folder:
            save_weights(Network(TrainingSettings()).weights(), folder / "weights.safetensors")
            run.log_model(folder / "weights.safetensors")
    assert rule.met
    direct = Client(proxy.target)
    (found,) = runs_of(proxy, f"lost {path}")
    assert found.info.status == "FINISHED"
    assert found.inputs
    assert found.outputs
    assert len(found.inputs.dataset_inputs) == len(found.outputs.model_outputs) == 1
    (model,) = direct.search_logged_models([run.experiment_id])
    assert model.status == "READY"
    for address, place, name in [
        (found.info.artifact_uri, "data", "data/dataset.csv"),
        (found.info.artifact_uri, None, "weights.safetensors"),
        (model.artifact_location, "artifacts", "artifacts/weights.safetensors"),
    ]:
        listed = direct.repository(address).list_artifacts(place)
        assert name in [each.path for each in listed]


@pytest.mark.parametrize(
    "path", ["/runs/log-batch$", "/runs/update$", "/weights.safetensors$", "/runs/search$"]
)
def test_trials_are_delivered_again(proxy: Proxy, dataset: Dataset, path: str) -> None:
    trials = [Trial(number, TrainingSettings(epochs=20), 10) for number in range(3)]
    outcomes = Round(dataset, DataSettings(), EvaluationSettings(50), trials, prune=False).train()
    tracker = Tracker(proxy.url, f"trials {path}")
    with tracker.run() as run:
        pass
    journal = new_journal()
    delivery = Delivery(tracker.client.without_patience(), journal, run.run_id)
    for outcome in outcomes:
        shared = {"name": "t", "params": {"epochs": "20"}, "tags": {}}
        journal.append("trial", **shared, **outcome.to_record())
    if path == "/runs/search$":  # the one that looks for the trial of the film
        assert delivery.step()
    folder = journal.folder()
    (folder / "film.txt").write_text("a film")
    journal.append_files("trial_artifacts", folder, number=1, to="training")
    journal.append("status", status="FINISHED", time=0)
    proxy.rules.append(empty("", path, times=1))
    with suppress(WrongAnswer):  # an upload is noticed at once
        while delivery.step():
            pass
    while delivery.step():
        pass
    journal.remove()
    found = [each for each in runs_of(proxy, f"trials {path}") if each.info.run_id != run.run_id]
    assert len(found) == 3
    for each in found:
        assert (each.info.status, each.data.params) == ("FINISHED", {"epochs": "20"})
        assert each.data.metrics
        is_filmed = each.data.tags["fitreel.trial"] == "1"
        names = ["training", "weights.safetensors"] if is_filmed else ["weights.safetensors"]
        listed = tracker.client.repository(each.info.artifact_uri).list_artifacts()
        assert [file.path for file in listed] == names
