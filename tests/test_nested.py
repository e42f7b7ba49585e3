"""Nested runs: whole, equal whichever way they were written, and once."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from fitreel.data.dataset import Dataset
from fitreel.journal.journal import Journal, Record
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Outcome, Trial
from fitreel.tracking.bulk import ROWS, Database, FinishedRun
from fitreel.tracking.client import Client
from fitreel.tracking.delivery import Delivery
from fitreel.tracking.names import DIGESTS_TAG
from fitreel.tracking.nested import NestedRuns
from fitreel.tracking.source import Source
from fitreel.tracking.tracker import Tracker
from fitreel.training.files import load_weights
from tests.servers import Server

TABLES = ("runs", "params", "tags", "metrics", "latest_metrics")


@pytest.fixture(scope="module")
def records(dataset: Dataset) -> list[Record]:
    """Five trials, one of which diverged, as a journal holds them."""
    rates = (0.1, 0.05, 1e6, 0.02, 0.2)
    trials = [
        Trial(number, TrainingSettings(epochs=25, lr=lr), 10) for number, lr in enumerate(rates)
    ]
    outcomes = Round(dataset, DataSettings(), EvaluationSettings(50), trials, prune=False).train()
    assert [outcome.end for outcome in outcomes].count("diverged") == 1
    return [
        {
            "kind": "trial",
            "name": trial.name,
            "params": {"lr": str(trial.settings.lr), "epochs": "25"},
            "tags": {"fitreel.dataset_sha256": "0" * 64},
        }
        | outcome.to_record()
        for trial, outcome in zip(trials, outcomes, strict=True)
    ]


def parent(client: MlflowClient) -> str:
    return str(client.create_run("0").info.run_id)


def rows(database: Path, parent_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """Give what the tables have of a parent's nested runs, with their numbers for their ids."""
    with sqlite3.connect(database) as connection:
        numbers = dict(
            connection.execute(
                "SELECT run_uuid, value FROM tags WHERE key = 'fitreel.trial' AND run_uuid IN "
                "(SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?)",
                [parent_id],
            )
        )
        found = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            place = names.index("run_uuid")
            found[table] = sorted(
                tuple(
                    str(value)
                    .replace(row[place], "RUN" + numbers[row[place]])
                    .replace(parent_id, "")
                    for value in row
                )
                for row in cursor
                if row[place] in numbers
            )
    connection.close()
    return found


def test_a_database_gets_row_for_row_what_a_client_would_write(
    tracker: Tracker, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tracker.client
    database = Path(client.tracking_uri.removeprefix("sqlite:///"))
    at_once, one_by_one = parent(client), parent(client)
    NestedRuns(client, at_once).deliver(records)
    monkeypatch.setattr(NestedRuns, "_database", None)
    for record in records:
        NestedRuns(client, one_by_one).deliver([record])
    expected = rows(database, one_by_one)
    assert len(expected["runs"]) == 5
    assert len(expected["metrics"]) > 50
    assert rows(database, at_once) == expected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield Client(server.url)


@pytest.fixture(params=["tracker", "server"])
def client(request: pytest.FixtureRequest) -> Client:
    """A database, and a server."""
    found: Tracker | Client = request.getfixturevalue(request.param)
    return found.client if isinstance(found, Tracker) else found


def test_trials_are_whole_runs_and_there_once(client: Client, records: list[Record]) -> None:
    parent_id = parent(client)
    NestedRuns(client, parent_id).deliver(records[:2])
    for _ in range(2):  # another process, which does not know what is there
        NestedRuns(client, parent_id).deliver(records)
    found = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    by_number = {int(run.data.tags["fitreel.trial"]): run for run in found}
    assert len(found) == len(by_number) == 5
    for record in records:
        run = by_number[record["number"]]
        diverged = record["end"] == "diverged"
        assert run.info.status == ("FAILED" if diverged else "FINISHED")
        assert run.info.run_name == run.data.tags["mlflow.runName"] == record["name"]
        assert run.info.end_time == record["times"][1]
        assert run.data.params == record["params"]
        points = client.get_metric_history(run.info.run_id, "loss")
        curve = np.array([point.value for point in sorted(points, key=lambda each: each.step)])
        if diverged:
            assert len(points) < 4
            assert DIGESTS_TAG not in run.data.tags
            continue
        assert [point.step for point in sorted(points, key=lambda each: each.step)] == [
            0,
            10,
            20,
            24,
        ]
        assert run.data.metrics == pytest.approx(record["metrics"] | {"loss": curve[-1]})
        source = Source(client, run.info.run_id)
        assert torch.isfinite(source.weights().bias).all()


def long_trial(number: int, points: int) -> Record:
    """Give the record of a trial with a point for every epoch."""
    curve = np.linspace(1, 0, points, dtype=np.float32)
    outcome = Outcome(number, "finished", points, 1, curve, {"test_mse": 0.5}, None, (0, 1000))
    return {"kind": "trial", "name": "long", "params": {}, "tags": {}} | outcome.to_record()


def test_a_long_curve_is_whole_and_never_in_memory_as_a_whole(client: Client) -> None:
    parent_id = parent(client)
    record = long_trial(0, 2500)
    NestedRuns(client, parent_id).deliver([record])
    (run,) = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    found = client.get_metric_history(run.info.run_id, "loss")
    assert sorted(point.step for point in found) == list(range(2500))
    assert run.data.metrics == {"loss": 0, "test_mse": 0.5}


def test_the_memory_of_a_delivery_does_not_grow_with_the_curve(tracker: Tracker) -> None:
    nested = NestedRuns(tracker.client, parent(tracker.client))
    nested.deliver([long_trial(0, 10)])
    record = long_trial(1, 60_000)
    tracemalloc.start()
    nested.deliver([record])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 400 * 60_000  # bytes: an object for every point has more


@pytest.mark.parametrize(("points", "steps"), [(20, 1), (5000, 3)])
def test_a_transaction_counts_points_not_trials(
    tracker: Tracker, tmp_path: Path, points: int, steps: int
) -> None:
    journal = Journal(tmp_path, create=True)
    for number in range(6):
        journal.append(**long_trial(number, points))
    delivery = Delivery(tracker.client, journal, parent(tracker.client))
    assert [delivery.step() for _ in range(steps + 1)] == [True] * steps + [False]
    journal.close()


def test_a_curve_that_breaks_off_leaves_nothing(tracker: Tracker) -> None:
    above = tracker.client.get_run(parent(tracker.client)).info
    experiment = tracker.client.get_experiment("0")
    database = Database(tracker.client.tracking_uri, above, experiment.artifact_location)

    def broken() -> Iterator[Metric]:
        yield from (Metric("loss", 0.5, epoch, epoch) for epoch in range(2 * ROWS))
        raise KeyboardInterrupt

    run = FinishedRun("f" * 32, "broken", "FINISHED", 0, 1, {}, broken(), {})
    with pytest.raises(KeyboardInterrupt):
        database.write([run])
    assert database.known(["f" * 32]) == set()


def test_a_run_that_was_begun_on_a_server_is_finished(
    server: Client, records: list[Record]
) -> None:
    """Its process died after the first of its calls."""
    parent_id = parent(server)
    tags = {"mlflow.parentRunId": parent_id, "fitreel.trial": "0"}
    begun = server.create_run("0", tags=tags).info.run_id
    NestedRuns(server, parent_id).deliver(records[:1])
    (found,) = server.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    assert (found.info.run_id, found.info.status) == (begun, "FINISHED")


def test_films_go_to_their_trials(client: Client, records: list[Record], tmp_path: Path) -> None:
    parent_id = parent(client)
    nested = NestedRuns(client, parent_id)
    nested.deliver(records)
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    nested.log_artifacts({"number": 3, "to": "training"}, tmp_path)
    nested.log_artifacts({"number": 77, "to": "training"}, tmp_path)  # deleted by somebody
    (run,) = client.search_runs(
        ["0"], f"tags.`fitreel.filmed` = 'yes' AND tags.`mlflow.parentRunId` = '{parent_id}'"
    )
    assert run.data.tags["fitreel.trial"] == "3"
    assert [each.path for each in client.list_artifacts(run.info.run_id, "training")] == [
        "training/history.csv"
    ]
    weights = client.download_artifacts(run.info.run_id, "weights.safetensors", str(tmp_path))
    assert load_weights(Path(weights)).activation == "relu"


def test_a_deleted_parent_is_told(client: Client, records: list[Record]) -> None:
    with pytest.raises(MlflowException):
        NestedRuns(client, "0" * 32).deliver(records)


@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_nothing_is_written_below_what_is_deleted(
    tracker: Tracker, records: list[Record], deleted: str
) -> None:
    """It was deleted while the sweep went on: MLflow's client refuses then, too."""
    client = tracker.client
    experiment_id = client.create_experiment(f"deleted {deleted}")
    parent_id = client.create_run(experiment_id).info.run_id
    nested = NestedRuns(client, parent_id)
    nested.deliver(records[:2])
    if deleted == "run":
        client.delete_run(parent_id)
    else:
        client.delete_experiment(experiment_id)
    before = rows(Path(client.tracking_uri.removeprefix("sqlite:///")), parent_id)
    for each in (nested, NestedRuns(client, parent_id)):
        with pytest.raises(MlflowException, match="is deleted") as refused:
            each.deliver(records[2:])
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert rows(Path(client.tracking_uri.removeprefix("sqlite:///")), parent_id) == before


def test_artifacts_of_trials_never_go_to_another_store_that_is_the_global_one(
    tmp_path: Path, server: MlflowClient, records: list[Record]
) -> None:
    """A server made this database; where that is now the address in it does not say."""
    client = Client(f"sqlite:///{tmp_path}/mlflow.db")
    experiment_id = client.create_experiment("served", artifact_location="mlflow-artifacts:/trials")
    parent_id = client.create_run(experiment_id).info.run_id
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server.tracking_uri)
    try:
        with pytest.raises(MlflowException, match="the tracking URI must be a valid http"):
            NestedRuns(client, parent_id).deliver(records[:1])
    finally:
        mlflow.set_tracking_uri(before)
    assert not client.search_runs([experiment_id], "tags.`fitreel.trial` = '0'")
