"""Sweeps that were killed or interrupted are resumed; no trial is lost or stored twice."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests import processes
from tests.faults import client, runs, wait_until
from tests.servers import Server
from tests.test_sweep import SPACE, split, stored_study


def outcome(store: MlflowClient, trials: dict[int, Run]) -> dict[int, Any]:
    """Return what must be equal after any number of interruptions."""
    return {
        number: (
            run.info.run_name,
            run.info.status,
            run.data.params,
            run.data.metrics,
            [(p.step, p.value) for p in store.get_metric_history(run.info.run_id, "loss")],
            sorted(each.path for each in store.list_artifacts(run.info.run_id)),
        )
        for number, run in sorted(trials.items())
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


LONG = ("sweep", "--epochs", "300", "--trials", "72", "--round-size", "12", *SPACE, "--prune", "on")


@pytest.mark.parametrize(
    ("where", "sampler"), [("database", "random"), ("database", "tpe"), ("server", "cmaes")]
)
def test_a_killed_sweep_is_resumed_to_the_same_end(
    tmp_path: Path, server: Server, where: str, sampler: str, torture: bool
) -> None:
    arguments = (*LONG, "--sampler", sampler, "--experiment")
    uri = {"MLFLOW_TRACKING_URI": server.url} if where == "server" else {}
    store = MlflowClient(server.url) if where == "server" else client(tmp_path)

    def found(name: str) -> list[Run]:
        experiment = store.get_experiment_by_name(name)
        return list(store.search_runs([experiment.experiment_id])) if experiment else []

    def run(*words: str) -> tuple[int, str, str]:
        return processes.run(*words, directory=tmp_path, FITREEL_SPOOL=f"{tmp_path}/spool", **uri)

    started = time.monotonic()
    code, _, errors = run(*arguments, f"{tmp_path.name} whole")
    assert code == 0, errors
    takes = time.monotonic() - started
    whole = outcome(store, split(found(f"{tmp_path.name} whole"))[1])
    assert list(whole) == list(range(72))

    seed = random.randrange(2**32)
    chance = random.Random(seed)
    name, kills = f"{tmp_path.name} killed", 0
    while not found(name):  # killed before the run exists: start again
        process = processes.start(
            *arguments, name, directory=tmp_path, FITREEL_SPOOL=f"{tmp_path}/spool", **uri
        )
        time.sleep(chance.uniform(0.2, takes))
        process.kill()
        process.join()
    # Killed so early, the run may lack the tag of a sweep.
    (parent,) = [run.info.run_id for run in found(name) if "fitreel.trial" not in run.data.tags]
    for _ in range(12 if torture else 2):
        process = processes.start(
            "sweep",
            "--resume",
            parent,
            directory=tmp_path,
            FITREEL_SPOOL=f"{tmp_path}/spool",
            **uri,
        )
        time.sleep(chance.uniform(0.05, takes))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    code, output, errors = run("sweep", "--resume", parent)
    assert code == 0, f"seed {seed}: {errors}"
    assert output == f"{parent}\n"
    again, trials = split(found(name))
    assert again.info.status == "FINISHED"
    assert outcome(store, trials) == whole, f"seed {seed}"
    study = stored_study(tmp_path, again)
    assert [trial.number for trial in study.trials] == list(range(72))
    code, _, errors = run("sync")
    assert code == 0, errors
    assert not list(tmp_path.glob("spool/*/journal"))
    print(f"{sampler} on a {where}: {kills} kills of resumed sweeps, seed {seed}")


@pytest.mark.parametrize("resume", [("resume",), ("sweep", "--resume")])
def test_ctrl_c_ends_a_sweep_that_can_be_resumed(tmp_path: Path, resume: tuple[str, ...]) -> None:
    spool = {"FITREEL_SPOOL": f"{tmp_path}/spool"}
    process = processes.start(*LONG, directory=tmp_path, **spool)

    def has_trials() -> bool:
        database = tmp_path / "mlflow.db"
        return database.exists() and any(
            "fitreel.trial" in run.data.tags for run in runs(client(tmp_path))
        )

    wait_until(has_trials, "a trial is tracked")
    assert process.pid
    psutil.Process(process.pid).send_signal(signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    errors = (tmp_path / "err").read_text()
    parent, _ = split(runs(client(tmp_path)))
    assert parent.info.status == "KILLED"
    assert f"resume with: fitreel resume {parent.info.run_id}\n" in errors
    code, output, errors = processes.run(*resume, parent.info.run_id, directory=tmp_path, **spool)
    assert (code, output) == (0, f"{parent.info.run_id}\n"), errors
    again, trials = split(runs(client(tmp_path)))
    assert again.info.status == "FINISHED"
    assert sorted(trials) == list(range(72))
    code, output, errors = processes.run(*resume, parent.info.run_id, directory=tmp_path, **spool)
    assert (code, output) == (0, f"{parent.info.run_id}\n")
    assert errors == f"run {parent.info.run_id} is finished\n"
