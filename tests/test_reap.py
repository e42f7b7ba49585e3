"""Runs that nobody can close are found by `fitreel reap`; never one that still lives."""

import os
import signal
import socket
import sqlite3
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from fitreel import Tracker
from fitreel.tracking import examine, reap
from fitreel.tracking.process import (
    HEARTBEAT_TAG,
    PROCESS_TAG,
    process_tags,
)
from tests import processes
from tests.conftest import ROOT, environment
from tests.faults import SPOOL, client, journals, losses, runs, wait_until

HOUR = 3600
LONG = ("run", "--epochs", "10000000", "--frame-every", "1000")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with nothing in it."""
    path = tmp_path_factory.mktemp("first")
    Tracker(f"sqlite:///{path}/mlflow.db")
    return (path / "mlflow.db").read_bytes()


@pytest.fixture
def directory(tmp_path: Path, first: bytes) -> Path:
    """A directory with a database in it."""
    (tmp_path / "mlflow.db").write_bytes(first)
    return tmp_path


def spool(directory: Path) -> dict[str, str]:
    return {SPOOL: str(directory / "spool")}


def told(directory: Path, *options: str) -> dict[str, str]:
    """Run `fitreel reap`; give what it says of each run."""
    code, output, errors = processes.run("reap", *options, directory=directory, **spool(directory))
    assert (code, output) == (0, ""), errors
    lines = [line.partition(" ") for line in errors.splitlines()]
    return {run_id: rest.partition(": ")[2] for run_id, _, rest in lines if len(run_id) == 32}


def statuses(directory: Path) -> dict[str, str]:
    return {run.info.run_id: run.info.status for run in runs(client(directory))}


def begun(directory: Path, number: int) -> list[str]:
    """Wait until so many runs have losses in the store; give their ids."""

    def found() -> list[str]:
        return [run.info.run_id for run in runs(client(directory)) if "loss" in run.data.metrics]

    wait_until(lambda: len(found()) == number, "no training")
    return found()


def test_killed_runs_are_told_from_living_ones(directory: Path, torture: bool) -> None:
    many = 4 if torture else 2
    started = [
        processes.start(*LONG, directory=directory, **spool(directory)) for _ in range(2 * many)
    ]
    begun(directory, 2 * many)
    of_process = {
        run.data.tags[PROCESS_TAG].partition(" ")[0]: run.info.run_id
        for run in runs(client(directory))
    }
    for process in started[:many]:
        process.kill()
        process.join()
    dead = {of_process[str(process.pid)]: str(process.pid) for process in started[:many]}
    living = {of_process[str(process.pid)]: str(process.pid) for process in started[many:]}

    where = f"on {socket.gethostname()}"
    expected = {run_id: f"left: process {pid} {where} lives" for run_id, pid in living.items()}
    reason = "process {} {} is dead; fitreel resume {} goes on with it"
    reasons = {run_id: reason.format(pid, where, run_id) for run_id, pid in dead.items()}
    before = statuses(directory)
    assert told(directory) == expected | {
        run_id: f"would be KILLED: {text}" for run_id, text in reasons.items()
    }
    assert statuses(directory) == before
    assert told(directory, "--close", "--older-than", "0") == expected | {
        run_id: f"now KILLED: {text}" for run_id, text in reasons.items()
    }
    assert statuses(directory) == {
        run_id: "KILLED" if run_id in dead else "RUNNING" for run_id in before
    }
    for run_id in dead:
        assert client(directory).get_run(run_id).data.tags["fitreel.reaped"] == reasons[run_id]
        assert losses(client(directory), run_id)
    assert told(directory, "--close") == expected

    for process in started[many:]:
        assert process.pid
        os.kill(process.pid, signal.SIGTERM)
        process.join()
        assert process.exitcode == 143
    assert set(statuses(directory).values()) == {"KILLED"}
    assert told(directory, "--close") == {}


def test_a_reaped_run_goes_on(directory: Path) -> None:
    process = processes.start(
        *("run", "--epochs", "6000", "--frame-every", "1000"),
        directory=directory,
        **spool(directory),
    )
    (run_id,) = begun(directory, 1)
    process.kill()
    process.join()
    told(directory, "--close")
    code, output, errors = processes.run("resume", run_id, directory=directory, **spool(directory))
    assert (code, output) == (0, f"{run_id}\n"), errors
    found = client(directory).get_run(run_id)
    assert found.info.status == "FINISHED"
    assert len(losses(client(directory), run_id)) == 6000
    assert told(directory) == {}


def made(store: MlflowClient, **tags: str) -> str:
    """Make a run that says RUNNING, with the tags of this very process but for some."""
    named = {f"fitreel.{name}": text for name, text in tags.items()}
    return str(store.create_run("0", tags=process_tags() | named).info.run_id)


def test_a_run_is_judged_by_its_machine_process_and_heartbeat(directory: Path) -> None:
    store = client(directory)
    mine, now = psutil.Process(), time.time()
    other = {"host": "far", "machine": "another boot_id 4026531836"}
    living = {
        made(store): "of this process",
        made(store, heartbeat=f"{now - 10 * HOUR:.0f}"): "silent, but it lives here",
        made(store, heartbeat="nonsense"): "silent, but it lives here",
        made(store, **other): "another machine, heard of just now",
        made(store, **other, heartbeat=f"{now - HOUR + 60:.0f}"): "nearly an hour ago",
        made(store, **other, process="1 started 1.00"): "no process id of ours",
        made(store, **other, heartbeat=f"{now + HOUR:.0f}"): "whose clock is wrong",
    }
    recycled = f"{mine.pid} started {mine.create_time() - 60:.2f}"
    dead = {
        made(store, process=recycled): "its process id is another process by now",
        made(store, process="nonsense"): "whose process cannot be read",
        made(store, **other, heartbeat=f"{now - HOUR - 60:.0f}"): "silent for an hour",
        made(store, **other, heartbeat="nonsense"): "never heard of",
        # After a restart, or in another container, process ids begin anew.
        made(store, machine="another boot_id 1", heartbeat=f"{now - HOUR - 60:.0f}"): "rebooted",
    }
    finished = made(store)
    store.set_terminated(finished)
    foreign = {
        store.create_run("0").info.run_id,
        store.create_run("0", tags={"mlflow.project.entryPoint": "main"}).info.run_id,
        store.create_run("0", tags={"mlflow.project.entryPoint": "train"}).info.run_id,
    }
    for run_id in foreign:
        store.log_param(run_id, "epochs", "9")
    before = statuses(directory)
    verdicts = told(directory)
    assert verdicts.keys() == living.keys() | dead.keys()
    for run_id, why in living.items():
        assert verdicts[run_id].startswith("left: "), why
    for run_id, why in dead.items():
        assert verdicts[run_id].startswith("would be KILLED: "), why
    assert statuses(directory) == before

    told(directory, "--close")
    after = statuses(directory)
    assert {run_id for run_id in after if after[run_id] == "KILLED"} == dead.keys()
    assert {run_id for run_id in after if after[run_id] == "RUNNING"} == living.keys() | foreign
    # An hour is a choice; on this machine it is none.
    told(directory, "--close", "--older-than", "0.5")
    after = statuses(directory)
    assert {why for run_id, why in living.items() if after[run_id] == "KILLED"} == {
        "nearly an hour ago",
    }


def test_what_changed_since_it_was_judged_stays(directory: Path) -> None:
    store = client(directory)
    ended, taken = made(store, process="nonsense"), made(store, process="nonsense")
    tracker = Tracker(f"sqlite:///{directory}/mlflow.db")
    verdicts = list(examine(tracker, HOUR))
    assert [verdict.status for verdict in verdicts] == ["KILLED", "KILLED"]
    store.set_terminated(ended, "FINISHED")
    store.set_tag(taken, PROCESS_TAG, process_tags()[PROCESS_TAG])  # as fitreel resume does
    for verdict in verdicts:
        reap(tracker, verdict)
    assert statuses(directory) == {ended: "FINISHED", taken: "RUNNING"}


def test_all_dead_runs_are_found_however_many(directory: Path, torture: bool) -> None:
    store, many = client(directory), 2500 if torture else 30
    for _ in range(many):
        made(store, process="nonsense")
    tracker = Tracker(f"sqlite:///{directory}/mlflow.db")
    for verdict in examine(tracker, HOUR):
        reap(tracker, verdict)
    assert list(examine(tracker, HOUR)) == []


def test_a_run_that_only_waits_for_delivery_is_left_to_sync(directory: Path) -> None:
    process = processes.start(
        *("run", "--epochs", "4000", "--frame-every", "100", "--patience", "1"),
        directory=directory,
        **spool(directory),
    )
    (run_id,) = begun(directory, 1)
    with sqlite3.connect(directory / "mlflow.db", isolation_level=None) as store:
        store.execute("BEGIN EXCLUSIVE")
        process.join()
        store.execute("ROLLBACK")
    store.close()
    assert process.exitcode == 75, (directory / "err").read_text()
    where = f"process {process.pid} on {socket.gethostname()}"
    verdict = f"left: {where} is over, but not delivered: fitreel sync"
    assert told(directory, "--close", "--older-than", "0") == {run_id: verdict}
    assert statuses(directory) == {run_id: "RUNNING"}
    code, _, errors = processes.run("sync", directory=directory, **spool(directory))
    assert (code, errors) == (0, f"run {run_id}: delivered, FINISHED\n")
    assert statuses(directory) == {run_id: "FINISHED"}
    assert journals(directory / "spool") == []
    assert told(directory) == {}


def test_mlflow_run_without_conda_leaves_a_run_to_reap(directory: Path) -> None:
    nowhere = environment(MLFLOW_CONDA_HOME=str(directory / "no conda"))
    done = subprocess.run(
        ["mlflow", "run", str(ROOT), "-P", "lr=0.2"],
        cwd=directory,
        env=nowhere | {"MLFLOW_TRACKING_URI": f"sqlite:///{directory}/mlflow.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "conda" in done.stderr
    (run,) = runs(client(directory))
    assert run.info.status == "RUNNING"
    assert PROCESS_TAG not in run.data.tags
    run_id = run.info.run_id
    # As young as this it could be one whose environment is being made.
    assert told(directory, "--close") == {run_id: "left: not begun yet; given up when 60 min old"}
    time.sleep(2)
    (text,) = told(directory, "--older-than", "0.01").values()
    assert text.startswith("would be FAILED: never began, in ")
    told(directory, "--close", "--older-than", "0.01")
    assert statuses(directory) == {run_id: "FAILED"}


def test_a_living_process_is_heard_of(
    directory: Path, monkeypatch: pytest.MonkeyPatch, torture: bool
) -> None:
    """As it is, every 30 seconds; in the short version every tenth of one."""
    if not torture:
        monkeypatch.setattr("fitreel.tracking.courier.BEAT", 0.1)
    monkeypatch.setenv(SPOOL, str(directory / "spool"))
    tracker = Tracker(f"sqlite:///{directory}/mlflow.db")

    def heard() -> float:
        return float(tracker.client.get_run(run.run_id).data.tags[HEARTBEAT_TAG])

    def heard_after(before: float) -> bool:
        return heard() > before

    with tracker.run() as run:
        for _ in range(2):
            before = heard()
            wait_until(partial(heard_after, before), "no heartbeat")
            assert abs(heard() - time.time()) < 5


def test_a_trial_is_as_alive_as_its_sweep(directory: Path) -> None:
    """A server's nested run whose sweep died between its calls."""
    store = client(directory)
    living = process_tags()
    dead = living | {PROCESS_TAG: "999999999 started 1.00"}
    trials = {}
    for name, tags in (("living", living), ("dead", dead)):
        sweep = store.create_run("0", tags=tags | {"fitreel.kind": "sweep"}).info.run_id
        below = {"mlflow.parentRunId": sweep, "fitreel.trial": "3"}
        trials[name] = store.create_run("0", tags=below).info.run_id
    lost = store.create_run("0", tags={"mlflow.parentRunId": "0" * 32, "fitreel.trial": "4"})
    said = told(directory, "--close")
    after = statuses(directory)
    assert (after[trials["living"]], after[trials["dead"]]) == ("RUNNING", "KILLED")
    assert after[lost.info.run_id] == "RUNNING"  # its sweep is deleted; too young to give up
    assert "is dead" in said[trials["dead"]]
