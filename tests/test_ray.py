"""Sweeps on a real Ray cluster: the outcomes are the same if its nodes are killed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.data.drawing import generate
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    SamplerName,
    SweepSettings,
    TrainingSettings,
)
from fitreel.sweep.engines import LocalEngine
from fitreel.sweep.search import Search, open_study
from fitreel.sweep.trials import Outcome
from fitreel.tracking.names import TRIAL_TAG
from tests.clusters import Cluster
from tests.conftest import Command, environment, free_port
from tests.faults import client, runs, wait_until
from tests.servers import Server

SPACE = "lr=log:0.01:30 hidden=int:2:32"  # some of these diverge
TRIALS, ROUND_SIZE, EPOCHS = 24, 2, 1000
TRAININGS = (
    f"--trials {TRIALS} --round-size {ROUND_SIZE} --epochs {EPOCHS} --frame-every 200".split()
)
SWEEP = ["sweep", "--engine", "ray", *TRAININGS]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


def expected(sampler: SamplerName = "random", parallel: int = 1) -> dict[int, Outcome]:
    """Search in this process, with as many rounds at once as the Ray engine."""
    settings = SweepSettings(trials=TRIALS, space=SPACE, round_size=ROUND_SIZE, sampler=sampler)
    engine = LocalEngine()
    engine.parallel = parallel
    training = TrainingSettings(epochs=EPOCHS)
    search = Search(settings, generate(), DataSettings(), training, EvaluationSettings())
    found = search.run(open_study(settings), engine, {})
    return {trial.number: outcome for each in found for trial, outcome in each}


@contextmanager
def sweeping(directory: Path, *arguments: str, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """Start a sweep; kill it when the block ends."""
    process = subprocess.Popen(
        ["fitreel", *SWEEP, "--space", SPACE, *arguments],
        cwd=directory,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def trials(store: MlflowClient) -> list[Run]:
    """Return the runs of the trials."""
    return [run for run in runs(store) if TRIAL_TAG in run.data.tags]


def assert_complete(store: MlflowClient, outcomes: dict[int, Outcome]) -> None:
    """Assert that each trial is tracked once, with status and numbers of the local search."""
    found = trials(store)
    assert sorted(int(run.data.tags[TRIAL_TAG]) for run in found) == sorted(outcomes)
    for run in found:
        outcome = outcomes[int(run.data.tags[TRIAL_TAG])]
        assert run.info.status == ("FAILED" if outcome.end == "diverged" else "FINISHED")
        assert outcome.metrics.items() <= run.data.metrics.items()
    assert {outcome.end for outcome in outcomes.values()} == {"finished", "diverged"}


@pytest.mark.parametrize("kind", ["database", pytest.param("server", marks=pytest.mark.torture)])
def test_after_a_node_is_killed_every_trial_is_tracked_once(
    cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    second = cluster.add()
    with Server(tmp_path) if kind == "server" else nullcontext() as server:
        uri = server.url if server else f"sqlite:///{tmp_path}/mlflow.db"
        options = ["--address", cluster.address, "--tracking-uri", uri]
        with sweeping(tmp_path, *options, **cluster.environment) as process:
            wait_until((tmp_path / "mlflow.db").exists, "a store")
            store = MlflowClient(uri)
            wait_until(
                lambda: bool(trials(store)) and second.trains(),
                "a trial to be tracked while the second node trains",
                pause=0.2,
            )
            second.kill()
            assert len(trials(store)) < TRIALS
            output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert re.fullmatch(r"[0-9a-f]{32}\n", output)
        assert "ray" not in errors.lower()
        assert_complete(store, expected())


@pytest.mark.torture
def test_a_sweep_of_a_killed_cluster_is_resumed_on_another(tmp_path: Path) -> None:
    """The trials of a sampler that learns do not depend on the number of processors."""
    spool = str(tmp_path / "spool")
    options = ["--sampler", "tpe"]
    with Cluster(cpus=2) as first:
        where = {"RAY_ADDRESS": first.address, "FITREEL_SPOOL": spool}
        with sweeping(tmp_path, *options, **first.environment, **where) as process:
            wait_until((tmp_path / "mlflow.db").exists, "a store")
            store = client(tmp_path)
            wait_until(lambda: len(trials(store)) > ROUND_SIZE, "trials to be tracked", pause=0.2)
            first.stop()
            output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (2, "")
    assert re.fullmatch(r"fitreel: the Ray cluster .*\n", errors)
    (run_id,) = [run.info.run_id for run in runs(store) if TRIAL_TAG not in run.data.tags]
    with Cluster(cpus=1) as second:
        where["RAY_ADDRESS"] = second.address
        again = subprocess.run(
            ["fitreel", "resume", run_id],
            cwd=tmp_path,
            env=environment(**second.environment, **where),
            capture_output=True,
            text=True,
            check=False,
        )
    assert again.returncode == 0, again.stderr
    assert_complete(store, expected("tpe", parallel=2))


def test_a_signal_ends_a_ray_sweep_as_any_other_command(cluster: Cluster, tmp_path: Path) -> None:
    """Ray would catch this signal and exit with code 1."""
    options = ["--address", cluster.address, "--epochs", "200000"]
    with sweeping(tmp_path, *options, **cluster.environment) as process:
        wait_until(cluster.nodes[0].trains, "a round to start", pause=0.2)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    (run,) = runs(client(tmp_path))
    assert (process.returncode, output) == (143, "")
    run_id = run.info.run_id
    assert errors == f"run {run_id}\ninterrupted; resume with: fitreel resume {run_id}\n"
    assert run.info.status == "KILLED"


@pytest.mark.parametrize(
    ("device", "reason"), [("cuda", "the cluster has no GPU"), ("abacus", "Expected one of")]
)
def test_a_device_that_the_cluster_lacks_is_an_error(
    cluster: Cluster, fitreel: Command, device: str, reason: str
) -> None:
    options = ["--address", cluster.address, "--device", device]
    done = fitreel(*SWEEP, *options, **cluster.environment)
    assert done.returncode == 2
    assert re.fullmatch(f"fitreel: device '{device}' cannot be used: {reason}.*\n", done.stderr)


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "auto"])
def test_a_missing_cluster_is_an_error_in_one_line(fitreel: Command, address: str) -> None:
    there = f"127.0.0.1:{free_port()}"
    address = address.format(free_port())
    done = fitreel(*SWEEP, "--address", address, RAY_ADDRESS=there)
    assert done.returncode == 2
    start = re.escape(f"fitreel: no Ray cluster at {address}; start one with: ray start --head")
    assert re.fullmatch(f"{start}.*\n", done.stderr)


JOIN = """
import ray._private.services as services
if {hidden}:
    del services.canonicalize_bootstrap_address_or_die
from fitreel.settings import SweepSettings
from fitreel.sweep.engines import open_engine
print(open_engine(SweepSettings(engine="ray")).parallel)
"""


@pytest.mark.parametrize("hidden", [False, True])
def test_auto_joins_the_cluster_of_this_machine(
    cluster: Cluster, tmp_path: Path, hidden: bool
) -> None:
    """It also does so if Ray lacks the private function that finds the cluster."""
    done = subprocess.run(
        [sys.executable, "-c", JOIN.format(hidden=hidden)],
        cwd=tmp_path,
        env=environment(**cluster.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
