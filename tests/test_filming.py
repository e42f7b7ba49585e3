"""`fitreel.film`: any training leaves its losses, its film and its end in an MLflow run."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from PIL import Image

import fitreel
from fitreel.journal.filming import FilmWriter
from fitreel.reel.files import load_reel, load_rows
from fitreel.tracking import sync
from fitreel.tracking.names import KIND_TAG, PLAYER, PREDICTIONS, REEL, ROWS
from tests.conftest import environment
from tests.faults import SPOOL, client, losses, runs, wait_until
from tests.servers import Server

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2


@pytest.fixture(autouse=True)
def store(
    tmp_path: Path, film_store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> MlflowClient:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    return film_store


def train(reel: fitreel.Reel, steps: int = 12, error: BaseException | None = None) -> None:
    for step in range(steps):
        reel.frame(step, 1 / (step + 1), lambda x: x[:, 0] ** 2, metrics={"val": step})
    if error:
        raise error


def artifacts(store: MlflowClient, run: Run, path: str = "") -> set[str]:
    """Return the paths of all files of a run."""
    found = set[str]()
    for each in store.list_artifacts(run.info.run_id, path):
        found |= artifacts(store, run, each.path) if each.is_dir else {each.path}
    return found


def only_run(store: MlflowClient) -> Run:
    (run,) = runs(store)
    return run


FILES = {ROWS, REEL, PLAYER, PREDICTIONS, "rst.gif"}


def test_one_line_leaves_a_tracked_run(store: MlflowClient, tmp_path: Path) -> None:
    with fitreel.film(X, Y, experiment="moons", name="first", lr=0.1, kind="tree") as reel:
        train(reel)
    run = only_run(store)
    assert store.get_experiment(run.info.experiment_id).name == "moons"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert run.data.params == {"lr": "0.1", "kind": "tree"}
    assert run.data.tags[KIND_TAG] == "film"
    assert losses(store, run.info.run_id) == [1 / (step + 1) for step in range(12)]
    values = store.get_metric_history(run.info.run_id, "val")
    assert [(point.step, point.value) for point in values] == [(step, step) for step in range(12)]
    assert artifacts(store, run) == FILES
    assert run.inputs
    (entry,) = run.inputs.dataset_inputs
    assert entry.dataset.name == "first"
    with Image.open(store.download_artifacts(run.info.run_id, "rst.gif")) as film:
        assert getattr(film, "n_frames", 1) == 4  # 0, 5, 10 and the last, 11
    rows = load_rows(Path(store.download_artifacts(run.info.run_id, ROWS)))
    again = load_reel(Path(store.download_artifacts(run.info.run_id, REEL)), *rows)
    assert np.array_equal(again.recording().predictions, reel.recording().predictions)
    table = Path(store.download_artifacts(run.info.run_id, PREDICTIONS)).read_text().splitlines()
    assert table[0] == "x,prediction"
    assert table[1] == "-1,1"
    assert len(table) == 201
    assert not list((tmp_path / "spool").glob("2*"))


class Stop(Exception):
    """What a training may raise."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Stop, "FAILED"),
        (ValueError, "FAILED"),
        (KeyboardInterrupt, "KILLED"),
        (SystemExit, "KILLED"),
    ],
)
def test_an_exception_ends_the_run_with_what_there_is(
    store: MlflowClient, error: type[BaseException], status: str
) -> None:
    with pytest.raises(error, match="mine"), fitreel.film(X, Y) as reel:
        train(reel, error=error("mine"))
    run = only_run(store)
    assert run.info.status == status
    assert len(losses(store, run.info.run_id)) == 12
    assert artifacts(store, run) == FILES


def test_without_a_frame_there_is_no_film(store: MlflowClient) -> None:
    with fitreel.film(X, Y):
        pass
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert artifacts(store, run) == {ROWS, REEL}


def test_an_error_of_the_film_does_not_hide_that_of_the_training(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr("fitreel.tracking.filming.log_film", fail)
    with pytest.raises(Stop) as caught, fitreel.film(X, Y) as reel:
        train(reel, error=Stop())
    assert caught.value.__notes__ == ["and the film could not be made: no room"]
    assert only_run(store).info.status == "FAILED"


def test_inside_an_active_run_it_joins_that_and_leaves_its_end(store: MlflowClient) -> None:
    with mlflow.start_run(run_name="theirs") as active:
        mlflow.log_param("own", 1)
        with fitreel.film(X, Y, lr=0.1) as reel:
            train(reel)
        assert store.get_run(active.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("own", 2)
    run = only_run(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "theirs")
    assert run.data.params == {"own": "1", "lr": "0.1"}
    assert len(losses(store, run.info.run_id)) == 12
    assert run.data.metrics["own"] == 2
    assert artifacts(store, run) == FILES


def test_an_exception_in_an_active_run_leaves_its_status_to_its_owner(store: MlflowClient) -> None:
    with mlflow.start_run() as active:
        with pytest.raises(Stop), fitreel.film(X, Y) as reel:
            train(reel, error=Stop())
        assert store.get_run(active.info.run_id).info.status == "RUNNING"
    assert only_run(store).info.status == "FINISHED"
    assert artifacts(store, only_run(store)) == FILES


def test_a_run_may_be_named_by_its_id(store: MlflowClient) -> None:
    run = store.create_run("0")
    with fitreel.film(X, Y, run_id=run.info.run_id) as reel:
        train(reel)
    assert only_run(store).info.status == "RUNNING"
    assert artifacts(store, only_run(store)) == FILES
    with (
        pytest.raises(ValueError, match="leave yours out"),
        fitreel.film(X, Y, run_id=run.info.run_id, experiment="other"),
    ):
        pass


def test_bad_input_creates_nothing(store: MlflowClient, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as many x as y"), fitreel.film(X, Y[:3]):
        pass
    assert runs(store) == []
    assert not (tmp_path / "spool").exists()


def test_a_name_that_mlflow_refuses_is_refused_at_once(store: MlflowClient) -> None:
    with pytest.raises(ValueError, match="val"), fitreel.film(X, Y) as reel:
        reel.frame(0, 1.0, lambda x: x[:, 0], metrics={"val%": 1})
    assert only_run(store).info.status == "FAILED"


def test_losses_that_are_not_finite_are_logged(store: MlflowClient) -> None:
    with fitreel.film(X, Y, every=1) as reel:
        for step, loss in enumerate([1.0, np.nan, np.inf]):
            reel.frame(step, loss, lambda x: x[:, 0])
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert len(losses(store, run.info.run_id)) == 3
    assert artifacts(store, run) == FILES


def test_opening_and_closing_leave_the_process_as_it_was() -> None:
    loggers = [logging.getLogger(name) for name in ("mlflow", "sqlalchemy")]
    variables, levels = dict(os.environ), [each.level for each in loggers]
    uri, handlers = mlflow.get_tracking_uri(), [signal.getsignal(n) for n in (2, 15)]

    def draws() -> list[float]:
        return [random.random(), float(np.random.random()), torch.rand(1).item()]

    def seed() -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)

    threads = set(threading.enumerate())
    seed()
    wanted = [draws(), draws()]
    seed()
    with fitreel.film(X, Y, tracking_uri=f"{uri}2") as reel:
        inside = draws()
        assert dict(os.environ) == variables
        train(reel)
    assert [inside, draws()] == wanted
    assert dict(os.environ) == variables
    assert [each.level for each in loggers] == levels
    assert mlflow.get_tracking_uri() == uri
    assert [signal.getsignal(n) for n in (2, 15)] == handlers
    left = set(threading.enumerate()) - threads
    assert not {"courier", "heart"} & {each.name for each in left}


SCRIPT = """
import sys, time, numpy as np, fitreel
x = np.linspace(-1, 1, 20)
with fitreel.film(x, x ** 2) as reel:
    for step in range(100_000):
        reel.frame(step, 1 / (step + 1), lambda x: x)
        if step == 40:
            print("going", flush=True)
        if step > 40:
            time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_killed_run_with_its_film(
    store: MlflowClient, tmp_path: Path, number: signal.Signals
) -> None:
    mine = {SPOOL: str(tmp_path / "spool")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=environment(**mine),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A shell that runs something in the background has Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "going\n"
        process.send_signal(number)
        process.wait()
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert len(losses(store, run.info.run_id)) > 40
    assert artifacts(store, run) == FILES


def test_points_are_delivered_while_the_training_goes_on(store: MlflowClient) -> None:
    with fitreel.film(X, Y, every=1) as reel:
        train(reel)
        (writer,) = [each for each in reel.listeners if isinstance(each, FilmWriter)]
        writer.flush()
        run_id = only_run(store).info.run_id
        wait_until(lambda: len(losses(store, run_id)) == 12, "no losses were delivered")


def test_a_server_that_goes_away_costs_no_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # MLflow's own retries take minutes.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Server(tmp_path) as server:
        with fitreel.film(X, Y, tracking_uri=server.url, patience=0.5) as reel:
            train(reel, 3)
            server.stop()
            for step in range(3, 12):
                reel.frame(step, 1 / (step + 1), lambda x: x[:, 0])
        # No exception: what follows the block goes on.
        (line,) = [each.getMessage() for each in caplog.records if each.name == "fitreel"][-1:]
        assert "fitreel sync" in line
        server.start()
        (delivered,) = sync()
    assert delivered.trouble is None
    store = client(tmp_path)
    run = only_run(store)
    assert run.info.status == "FINISHED"
    assert losses(store, run.info.run_id) == [1 / (step + 1) for step in range(12)]


def test_a_server_that_is_not_there_is_named_at_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectionError),
        fitreel.film(X, Y, tracking_uri="http://127.0.0.1:9", patience=0.1),
    ):
        pass
    assert not list((tmp_path / "spool").glob("2*"))
