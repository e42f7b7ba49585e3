"""Nested runs: complete, stored once, and equal whichever way they were written."""

import math
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pytest
import sqlalchemy
import torch
from mlflow.entities import Experiment, Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from fitreel.data.dataset import Dataset
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Outcome, Trial
from fitreel.tracking.delivery.bulk import Database
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.delivery.finished_run import ROWS, FinishedRun
from fitreel.tracking.delivery.nested import NestedRuns
from fitreel.tracking.names import DIGESTS_TAG
from fitreel.tracking.source import Source
from fitreel.tracking.store import internals
from fitreel.tracking.store.client import Client
from fitreel.tracking.tracker import Tracker
from fitreel.training.files import load_weights
from tests.needs import require
from tests.postgres import Postgres
from tests.servers import Server
from tests.stored import tags_of

ANOTHER = r"column metrics\.unit is new\): trials are logged one by one"
TABLES = ("runs", "params", "tags", "metrics", "latest_metrics")


@pytest.fixture(scope="module")
def records(dataset: Dataset) -> list[Record]:
    """Return the records of five trials, one of which diverged, as in a journal."""
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


def rows(uri: str, parent_id: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the rows about nested runs, with trial numbers instead of run ids."""
    engine = sqlalchemy.create_engine(uri)
    found = {}
    with engine.connect() as connection:
        below = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = :parent"
        numbers = dict[str, str](
            connection.execute(
                sqlalchemy.text(
                    "SELECT run_uuid, value FROM tags "
                    f"WHERE key = 'fitreel.trial' AND run_uuid IN ({below})"
                ),
                {"parent": parent_id},
            ).all()
        )
        for table in TABLES:
            found[table] = sorted(
                tuple(
                    f"{name}={value}".replace(row["run_uuid"], f"RUN{numbers[row['run_uuid']]}")
                    for name, value in sorted(row.items())
                    if value != parent_id
                )
                for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).mappings()
                if row["run_uuid"] in numbers
            )
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Create a PostgreSQL database."""
    require("postgresql")
    with Postgres() as server:
        yield server.make("runs")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Client:
    """Return the client of a store in a database."""
    if request.param == "sqlite":
        tracker: Tracker = request.getfixturevalue("tracker")
        return tracker.client
    return Client(request.getfixturevalue("postgres"))


@contextmanager
def with_another_column(uri: str) -> Iterator[None]:
    """Change a table as a new version of MLflow could."""
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE metrics ADD COLUMN unit VARCHAR(9)"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("ALTER TABLE metrics DROP COLUMN unit"))
        engine.dispose()


def with_special_values(records: list[Record]) -> list[Record]:
    """Return trials with metrics that a database cannot store unchanged."""
    values = {"test_rmse": math.inf, "train_rmse": -math.inf, "test_r2": math.nan}
    return [record | {"metrics": record["metrics"] | values} for record in records]


def deliver_each(nested: NestedRuns, records: list[Record]) -> None:
    for record in records:
        nested.deliver([record])


def test_trials_are_equal_written_to_the_tables_or_by_mlflows_client(
    database: Client, records: list[Record]
) -> None:
    given, uri = with_special_values(records), database.tracking_uri
    at_once, one_by_one = parent(database), parent(database)
    NestedRuns(database, at_once).deliver(given)
    with with_another_column(uri), pytest.warns(RuntimeWarning, match=ANOTHER) as caught:
        deliver_each(NestedRuns(database, one_by_one), given)
    assert len(caught) == 1
    expected = rows(uri, one_by_one)
    assert len(expected["runs"]) == 5
    assert len(expected["metrics"]) > 30
    assert rows(uri, at_once) == expected


def remove_the_engine(_: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(internals, "database_sessions", lambda _: None)
    return "its functions differ"


def remove_the_repository(_: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(internals, "artifact_repository", lambda *_: None)
    return "its functions differ"


def move_the_artifacts(client: Client, monkeypatch: pytest.MonkeyPatch) -> str:
    found = client.get_experiment("0")
    elsewhere = Experiment("0", found.name, f"{found.artifact_location}/of/others", "active")
    monkeypatch.setattr(client, "get_experiment", lambda _: elsewhere)
    return "its artifacts have other addresses"


@pytest.mark.parametrize("change", [remove_the_engine, remove_the_repository, move_the_artifacts])
def test_trials_in_another_mlflow_are_complete_after_one_warning(
    tracker: Tracker,
    records: list[Record],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Client, pytest.MonkeyPatch], str],
) -> None:
    client = tracker.client
    known, other = parent(client), parent(client)
    NestedRuns(client, known).deliver(records)
    reason = change(client, monkeypatch)
    with pytest.warns(RuntimeWarning, match=reason) as caught:
        deliver_each(NestedRuns(client, other), records)
    assert len(caught) == 1
    monkeypatch.undo()
    assert rows(client.tracking_uri, other) == rows(client.tracking_uri, known)
    for run in client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{other}'"):
        files = [each.path for each in client.list_artifacts(run.info.run_id)]
        assert files == (["weights.safetensors"] if DIGESTS_TAG in tags_of(run) else [])


def test_trials_written_in_both_ways_are_stored_once(
    database: Client, records: list[Record]
) -> None:
    """Resume a sweep after an update of MLflow, and again after a downgrade."""
    parent_id = parent(database)
    tags = {"mlflow.parentRunId": parent_id, "fitreel.trial": "1"}
    database.create_run("0", tags=tags)  # by a process that was killed
    with with_another_column(database.tracking_uri), pytest.warns(RuntimeWarning):
        NestedRuns(database, parent_id).deliver(records[:1])
    NestedRuns(database, parent_id).deliver(records[:3])
    below = f"tags.`mlflow.parentRunId` = '{parent_id}'"
    assert not database.search_runs(["0"], f"{below} AND attributes.status = 'RUNNING'")
    with with_another_column(database.tracking_uri), pytest.warns(RuntimeWarning):
        NestedRuns(database, parent_id).deliver(records)
    found = database.search_runs(["0"], below)
    assert sorted(tags_of(run)["fitreel.trial"] for run in found) == list("01234")
    assert {run.info.status for run in found} == {"FINISHED", "FAILED"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield Client(server.url)


@pytest.fixture(params=["tracker", "server"])
def client(request: pytest.FixtureRequest) -> Client:
    """Return the client of a database or of a server."""
    found: Tracker | Client = request.getfixturevalue(request.param)
    return found.client if isinstance(found, Tracker) else found


def test_trials_are_complete_runs_and_stored_once(client: Client, records: list[Record]) -> None:
    parent_id = parent(client)
    NestedRuns(client, parent_id).deliver(records[:2])
    for _ in range(2):  # another process, which does not know what is stored
        NestedRuns(client, parent_id).deliver(records)
    found = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    by_number = {int(tags_of(run)["fitreel.trial"]): run for run in found}
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
            assert DIGESTS_TAG not in tags_of(run)
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
    """Return the record of a trial with a point for every epoch."""
    curve = np.linspace(1, 0, points, dtype=np.float32)
    outcome = Outcome(number, "finished", points, 1, curve, {"test_rmse": 0.5}, None, (0, 1000))
    return {"kind": "trial", "name": "long", "params": {}, "tags": {}} | outcome.to_record()


def test_a_long_curve_is_complete_but_never_in_memory_at_once(client: Client) -> None:
    parent_id = parent(client)
    record = long_trial(0, 2500)
    NestedRuns(client, parent_id).deliver([record])
    (run,) = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    found = client.get_metric_history(run.info.run_id, "loss")
    assert sorted(point.step for point in found) == list(range(2500))
    assert run.data.metrics == {"loss": 0, "test_rmse": 0.5}


def test_the_memory_of_a_delivery_does_not_grow_with_the_curve(tracker: Tracker) -> None:
    nested = NestedRuns(tracker.client, parent(tracker.client))
    nested.deliver([long_trial(0, 10)])
    record = long_trial(1, 60_000)
    tracemalloc.start()
    nested.deliver([record])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 400 * 60_000  # bytes: one object per point would need more


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


def test_an_interrupted_curve_leaves_nothing(tracker: Tracker) -> None:
    above = tracker.client.get_run(parent(tracker.client)).info
    experiment = tracker.client.get_experiment("0")
    database = Database(tracker.client.tracking_uri, above, experiment.artifact_location)

    def broken() -> Iterator[Metric]:
        yield from (Metric("loss", 0.5, epoch, epoch) for epoch in range(2 * ROWS))
        raise KeyboardInterrupt

    run = FinishedRun("f" * 32, 7, "broken", "FINISHED", 0, 1, {}, broken(), {})
    with pytest.raises(KeyboardInterrupt):
        database.write([run])
    assert not tracker.client.search_runs(["0"], "attributes.run_name = 'broken'")


def test_a_run_that_was_created_on_a_server_is_completed(
    server: Client, records: list[Record]
) -> None:
    """Its process was killed after the first call."""
    parent_id = parent(server)
    tags = {"mlflow.parentRunId": parent_id, "fitreel.trial": "0"}
    started = server.create_run("0", tags=tags).info.run_id
    NestedRuns(server, parent_id).deliver(records[:1])
    (found,) = server.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    assert (found.info.run_id, found.info.status) == (started, "FINISHED")


def test_a_trial_never_ends_before_it_started(server: Client, records: list[Record]) -> None:
    """The clock of the process that created the run was ahead."""
    parent_id = parent(server)
    tags = {"mlflow.parentRunId": parent_id, "fitreel.trial": "0"}
    ahead = records[0]["times"][1] + 60_000
    server.create_run("0", start_time=ahead, tags=tags)
    NestedRuns(server, parent_id).deliver(records[:1])
    (found,) = server.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    assert found.info.end_time == found.info.start_time == ahead


def test_films_go_to_their_trials(client: Client, records: list[Record], tmp_path: Path) -> None:
    parent_id = parent(client)
    nested = NestedRuns(client, parent_id)
    nested.deliver(records)
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    nested.log_artifacts({"number": 3, "to": "training"}, tmp_path)
    nested.log_artifacts({"number": 77, "to": "training"}, tmp_path)  # a trial that was deleted
    below = client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{parent_id}'")
    (run,) = [run for run in below if "fitreel.filmed" in tags_of(run)]
    assert tags_of(run)["fitreel.trial"] == "3"
    assert DIGESTS_TAG in tags_of(run)  # its other facts stay
    assert [each.path for each in client.list_artifacts(run.info.run_id, "training")] == [
        "training/history.csv"
    ]
    weights = client.download_artifacts(run.info.run_id, "weights.safetensors", str(tmp_path))
    assert load_weights(Path(weights)).activation == "relu"


def test_a_missing_parent_is_reported(client: Client, records: list[Record]) -> None:
    with pytest.raises(MlflowException):
        NestedRuns(client, "0" * 32).deliver(records)


@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_trials_of_a_deleted_sweep_are_refused(
    tracker: Tracker, records: list[Record], deleted: str
) -> None:
    """The sweep was deleted while it ran; MLflow's client also refuses such runs."""
    client = tracker.client
    experiment_id = client.create_experiment(f"deleted {deleted}")
    parent_id = client.create_run(experiment_id).info.run_id
    nested = NestedRuns(client, parent_id)
    nested.deliver(records[:2])
    if deleted == "run":
        client.delete_run(parent_id)
    else:
        client.delete_experiment(experiment_id)
    before = rows(client.tracking_uri, parent_id)
    for each in (nested, NestedRuns(client, parent_id)):
        with pytest.raises(MlflowException, match="is deleted") as refused:
            each.deliver(records[2:])
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert rows(client.tracking_uri, parent_id) == before


def test_artifacts_of_trials_never_go_to_mlflows_global_store(
    tmp_path: Path, server: MlflowClient, records: list[Record]
) -> None:
    """A server created this database; its artifact address does not name the server."""
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
