"""Commands killed at random moments: once resumed, they end the same to the last bit."""

import hashlib
import os
import pkgutil
import random
import signal
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from mlflow.entities import Run

from fitreel.journal import spool as spool_module
from fitreel.settings import OptimizerName
from tests import processes
from tests.faults import ARTIFACTS, SPOOL, client, journals, runs

EPOCHS = 2000
Outcome = tuple[str, str, list[tuple[int, float]], dict[str, str], int, int]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory with a database that has a run."""
    path = tmp_path_factory.mktemp("killed")
    short = ("run", "--epochs", "10")
    code, _, errors = processes.run(*short, directory=path, FITREEL_SPOOL=str(path / "spool"))
    assert code == 0, errors
    return path


def arguments(optimizer: str, name: str) -> list[str]:
    every = ["--epochs", str(EPOCHS), "--checkpoint-every", "40", "--max-frames", "40"]
    return ["run", "--optimizer", optimizer, "--lr", "0.02", "--experiment", name, *every]


def created_run(directory: Path, name: str) -> Run | None:
    """Return the only run of an experiment, if it was created."""
    experiment = client(directory).get_experiment_by_name(name)
    found = client(directory).search_runs([experiment.experiment_id]) if experiment else []
    assert len(found) <= 1
    return found[0] if found else None


def loss_points(directory: Path, run: Run) -> list[tuple[int, float]]:
    """Return the points of the loss curve in the store, duplicates included."""
    points = client(directory).get_metric_history(run.info.run_id, "loss")
    return [(point.step, point.value) for point in points]


def outcome(directory: Path, run: Run) -> Outcome:
    """Return what must be equal however often a run was interrupted."""
    store = client(directory)
    run_id = run.info.run_id
    files = {
        path: hashlib.sha256(Path(store.download_artifacts(run_id, path)).read_bytes()).hexdigest()
        for path in ARTIFACTS
    }
    models = store.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    assert [str(model.status) for model in models] == ["READY"]
    found = store.get_run(run_id)
    assert found.inputs is not None
    assert found.outputs is not None
    note = found.data.tags["mlflow.note.content"]
    return (
        found.info.status,
        note.replace(f"/{run.info.experiment_id}/", "/EXPERIMENT/").replace(run_id, "RUN"),
        loss_points(directory, run),
        files,
        len(found.inputs.dataset_inputs),
        len(found.outputs.model_outputs),
    )


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_a_killed_run_is_resumed_to_the_same_end(
    directory: Path, optimizer: str, torture: bool
) -> None:
    started = time.monotonic()
    code, _, errors = processes.run(
        *arguments(optimizer, f"{optimizer}-whole"),
        directory=directory,
        FITREEL_SPOOL=str(directory / "spool"),
    )
    assert code == 0, errors
    takes = time.monotonic() - started
    whole = created_run(directory, f"{optimizer}-whole")
    assert whole is not None
    expected = outcome(directory, whole)
    assert expected[0] == "FINISHED"
    assert [step for step, _ in expected[2]] == list(range(EPOCHS))

    seed = random.randrange(2**32)
    chance = random.Random(seed)
    kills = resumed = attempts = 0
    while kills < (80 if torture else 6):
        attempts += 1
        name = f"{optimizer}-{attempts}"
        process = processes.start(
            *arguments(optimizer, name), directory=directory, FITREEL_SPOOL=str(directory / "spool")
        )
        while kills < 1000:
            time.sleep(chance.uniform(0.05, takes))
            process.kill()
            process.join()
            kills += process.exitcode == -signal.SIGKILL
            run = created_run(directory, name)
            if run is None or run.info.status == "FINISHED" or chance.random() < 0.5:
                break
            process = processes.start(
                "resume",
                run.info.run_id,
                directory=directory,
                FITREEL_SPOOL=str(directory / "spool"),
            )
        if run is None:  # killed before the run existed: start it again
            continue
        code, output, errors = processes.run(
            "resume", run.info.run_id, directory=directory, FITREEL_SPOOL=str(directory / "spool")
        )
        assert code == 0, f"seed {seed}, run {name}: {errors}"
        assert output == f"{run.info.run_id}\n"
        assert outcome(directory, run) == expected, f"seed {seed}, run {name}"
        resumed += 1
    assert resumed
    # Only journals of commands that were killed before they created a run are left.
    code, _, errors = processes.run(
        "sync", directory=directory, FITREEL_SPOOL=str(directory / "spool")
    )
    assert code == 0, errors
    assert not list((directory / "spool").glob("*/journal"))
    print(f"{optimizer}: {kills} kills, {resumed} runs resumed, seed {seed}")


# ---- what a killed process leaves -------------------------------------------------------------


SWEEP = "sweep --trials 2 --epochs 10 --experiment other"
IN_THE_MIDDLE = {  # when a command has scratch files: the command, and a function it calls then
    "a copied artifact": ("evaluate --run {run}", "fitreel.tracking.source", "load_dataset"),
    "points drawn again": ("reproduce {run}", "fitreel.data", "save_dataset"),
    "the doctor's artifact": ("doctor", "fitreel.tracking.store.client.Client", "log_artifact"),
    "the doctor's film": ("doctor", "fitreel.doctor.film", "render"),
    "the model": ("run --epochs 10", "mlflow.pyfunc", "add_to_model"),
    "the model in MLflow": ("run --epochs 10", "mlflow.models.Model", "save"),
    "the weights of trials": (SWEEP, "fitreel.tracking.delivery.bulk.Database", "write"),
}


def die_at(owner: str, name: str) -> None:
    """Kill this process when it calls a function of a module or a class."""
    tempfile.tempdir = None  # of this process, not of the one that forked it
    setattr(pkgutil.resolve_name(owner), name, lambda *_, **__: os.kill(os.getpid(), 9))


@pytest.mark.parametrize("what", IN_THE_MIDDLE)
def test_the_next_sync_removes_what_a_kill_left(
    directory: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, owner, name = IN_THE_MIDDLE[what]
    run = runs(client(directory))[-1]
    spool, temporary = tmp_path / "spool", tmp_path / "temporary"
    temporary.mkdir()
    where = {SPOOL: str(spool), "TMPDIR": str(temporary)}
    process = processes.start_after(
        partial(die_at, owner, name),
        *command.format(run=run.info.run_id).split(),
        directory=directory,
        output_to=tmp_path,
        **where,
    )
    process.join()
    assert process.exitcode == -signal.SIGKILL, (tmp_path / "err").read_text()
    files = [*spool.rglob("*"), *temporary.rglob("*")]
    left = [path for path in files if path.is_file() and path.name != spool_module.MARKER]
    assert left, "the command was not killed"
    # Sync keeps the journal of a command that can be resumed. If a run has computed all its results
    # but MLflow lacks the model, it needs no resume, only delivery.
    monkeypatch.setenv(SPOOL, str(spool))
    resumable = [entry.directory for entry in spool_module.entries() if not entry.is_over]
    assert not resumable or command.split()[0] in ("run", "sweep")
    code, _, errors = processes.run("sync", directory=directory, output_to=tmp_path, **where)
    assert code == 0, errors
    assert list(temporary.iterdir()) == []
    kept = [path for path in spool.iterdir() if path.name != spool_module.MARKER]
    assert kept == journals(spool) == resumable
