"""What a server confirms and never does is noticed at the end of the run, and delivered again."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

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
from fitreel.tracking.delivery import delivery as delivery_module, nested, receipt
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.delivery.receipt import lacks
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import WrongAnswer
from fitreel.tracking.store.database import is_database
from fitreel.training.files import save_weights
from fitreel.training.network import Network
from tests.faults import SPOOL
from tests.proxy import Proxy, empty
from tests.servers import Server
from tests.stores import new_store

LOG = ("POST", "/runs/log-batch$")
NUMBERS = pack(np.array([0.5, 0.25], np.float32))
FIRST: Record = {"kind": "losses", "first": 0, "count": 2, "start": 1, "end": 2, "numbers": NUMBERS}
RECORDS: list[Record] = [
    FIRST,
    FIRST | {"first": 2, "start": 3, "end": 4},
    {"kind": "values", "time": 5, "metrics": {"rmse": 1.0}, "params": {"epochs": "4"}},
]


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
    for place, record in enumerate(RECORDS):
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


# ---- one process: a database in the place of a server ------------------------------------------


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    """Open a database whose answers are not trusted, as those of a server."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    monkeypatch.setattr(delivery_module, "is_database", lambda _: False)
    yield Tracker(f"sqlite:///{new_store(tmp_path)}")
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.fixture
def run_id(tracker: Tracker) -> str:
    return str(tracker.client.create_run("0").info.run_id)


def deliver(delivery: Delivery) -> int:
    """Deliver everything; return in how many steps."""
    return sum(1 for _ in iter(delivery.step, False))


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_what_is_lacking_at_the_end_is_delivered_once_more(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    journal = new_journal()
    delivery = Delivery(tracker.client, journal, run_id)
    for place, record in enumerate(RECORDS):
        journal.append(**record)
        with monkeypatch.context() as patch:
            if place == lost:
                patch.setattr(tracker.client, "log_batch", lambda *_, **__: None)
            assert delivery.step()
    assert not delivery.step()
    tracker.client.set_tag(run_id, "epochs", "no param")
    journal.append("status", status="FINISHED", time=6)
    looked = list[bool]()

    def look(*given: Any) -> bool:
        looked.append(lacks(*given))
        return looked[-1]

    monkeypatch.setattr(delivery_module, "lacks", look)
    assert deliver(delivery) > 2  # back to the start, all in one call, and the end
    assert looked == [True]  # once
    assert journal.kept("delivered") == {
        "position": (journal.directory / "journal").stat().st_size,
        "trials": 0,
        "doubt": True,
    }
    found = tracker.client.get_run(run_id)
    assert (found.info.status, found.data.params) == ("FINISHED", {"epochs": "4"})
    for name, steps in {"loss": [0, 1, 2, 3], "rmse": [0]}.items():
        points = tracker.client.get_metric_history(run_id, name)
        assert [point.step for point in points] == steps
    journal.remove()


def test_a_run_that_lacks_nothing_is_read_once_and_ended(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_journal()
    delivery = Delivery(tracker.client, journal, run_id)
    looked = list[list[Record]]()

    def look(client: Client, of: str, records: Iterable[Record]) -> bool:
        assert (client, of) == (tracker.client, run_id)
        looked.append(list(records))
        return False

    monkeypatch.setattr(delivery_module, "lacks", look)
    for record in (RECORDS[0], {"kind": "status", "status": "RUNNING", "time": 3}, RECORDS[1]):
        journal.append(**record)
    assert deliver(delivery) == 3
    assert looked == []
    journal.append("status", status="KILLED", time=6)
    assert deliver(delivery) == 1
    (records,) = looked
    assert [record["kind"] for record in records] == ["losses", "status", "losses"]
    assert journal.kept("delivered")["doubt"] is False  # type: ignore[index]
    assert tracker.client.get_run(run_id).info.status == "KILLED"
    journal.remove()


def test_an_end_that_was_confirmed_and_not_done_is_an_error(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_journal()
    delivery = Delivery(tracker.client, journal, run_id)
    journal.append("status", status="FINISHED", time=6)
    with monkeypatch.context() as patch:
        patch.setattr(delivery_module, "end", lambda *_: None)
        with pytest.raises(WrongAnswer, match=f"^run {run_id} has another status than the one"):
            delivery.step()
    assert deliver(delivery) == 1
    assert tracker.client.get_run(run_id).info.status == "FINISHED"
    journal.remove()


def test_a_database_is_trusted(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "is_database", is_database)
    monkeypatch.setattr(delivery_module, "lacks", pytest.fail)
    journal = new_journal()
    journal.append("status", status="FINISHED", time=6)
    with monkeypatch.context() as patch:
        patch.setattr(delivery_module, "end", lambda *_: None)
        assert deliver(Delivery(tracker.client, journal, run_id)) == 1
    assert tracker.client.get_run(run_id).info.status == "RUNNING"
    journal.remove()


@pytest.mark.parametrize(
    ("record", "is_lacking"),
    [
        (FIRST, False),
        (FIRST | {"first": 3}, True),  # of its epochs 3 and 4 the second
        (FIRST | {"first": 4}, True),
        ({"kind": "values", "params": {"epochs": "4"}}, False),
        ({"kind": "values", "params": {"epochs": "5"}}, False),  # another value is not missing
        ({"kind": "values", "params": {"lr": "4"}}, True),
        ({"kind": "values", "metrics": {"rmse": 1.0}}, False),
        ({"kind": "values", "metrics": {"rmse": 1.0, "mae": 1.0}}, True),
        ({"kind": "values", "tags": {"colour": "red"}}, False),
        ({"kind": "values", "tags": {"epochs": "4"}}, True),
        ({"kind": "dataset"}, True),
        ({"kind": "model"}, True),
        ({"kind": "register"}, False),  # a run does not show it
    ],
)
def test_a_run_lacks_what_it_does_not_show(
    tracker: Tracker, run_id: str, record: Record, is_lacking: bool
) -> None:
    journal = new_journal()
    for each in (*RECORDS, {"kind": "values", "time": 5, "tags": {"colour": "red"}}):
        journal.append(**each)
    deliver(Delivery(tracker.client, journal, run_id))
    journal.remove()
    assert lacks(tracker.client, run_id, [record]) is is_lacking
    assert lacks(tracker.client, run_id, [*RECORDS, record]) is is_lacking
    assert not lacks(tracker.client, run_id, [])


def test_a_dataset_and_a_model_are_shown_by_their_run(tracker: Tracker, dataset: Dataset) -> None:
    records: dict[str, Record] = {kind: {"kind": kind} for kind in ("dataset", "model")}
    with tracker.run() as one, one.artifacts("data") as folder:
        save_dataset(dataset, folder / "dataset.csv")
        one.log_dataset(folder / "dataset.csv", "points")
    with tracker.run() as other, other.artifacts() as folder:
        save_weights(Network(TrainingSettings()).weights(), folder / "weights.safetensors")
        other.log_model(folder / "weights.safetensors")
    for run, shown in ((one, "dataset"), (other, "model")):
        for kind, record in records.items():
            assert lacks(tracker.client, run.run_id, [record]) is (kind != shown)


def test_a_single_trial_that_lacks_something_is_delivered_once_more(
    tracker: Tracker, run_id: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested, "is_database", lambda _: False)
    trials = [Trial(0, TrainingSettings(epochs=20), 10)]
    rounds = Round(dataset, DataSettings(), EvaluationSettings(50), trials, prune=False)
    (outcome,) = rounds.train()
    journal = new_journal()
    delivery = Delivery(tracker.client, journal, run_id)
    journal.append("trial", name="t", params={"epochs": "20"}, tags={}, **outcome.to_record())
    with monkeypatch.context() as patch:
        patch.setattr(tracker.client, "log_batch", lambda *_, **__: None)
        assert deliver(delivery) == 1
    journal.append("status", status="FINISHED", time=0)
    deliver(delivery)
    journal.remove()
    (trial,) = (each for each in tracker.client.search_runs(["0"]) if each.info.run_id != run_id)
    assert (trial.info.status, trial.data.params) == ("FINISHED", {"epochs": "20"})
    assert "loss" in trial.data.metrics


def test_points_behind_the_first_are_not_compared(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt, "MOST_POINTS", 2)
    assert lacks(tracker.client, run_id, [FIRST])
    journal = new_journal()
    journal.append(**FIRST)
    deliver(Delivery(tracker.client, journal, run_id))
    journal.remove()
    assert not lacks(tracker.client, run_id, RECORDS[:2])
