"""A tracking server that goes down: training does not wait for it, and no results are lost."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.journal.records import read
from tests import processes
from tests.faults import ARTIFACTS, client
from tests.servers import Server
from tests.test_crash import loss_points

EPOCHS = 30_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


def journal(directory: Path) -> Path:
    (found,) = [path.parent for path in directory.glob("spool/*/journal")]
    return found


def kinds(directory: Path) -> list[str]:
    """Return the kinds of the records that the run has written so far."""
    try:
        return [record["kind"] for _, record in read(journal(directory))]
    except (ValueError, FileNotFoundError):  # the journal does not exist yet, or no longer
        return []


MOMENTS: dict[str, Callable[[list[str]], bool]] = {
    "metrics": lambda kinds: kinds.count("losses") > 5,
    "artifacts": lambda kinds: "model" in kinds,
    "status": lambda kinds: (
        kinds.count("artifacts") >= 5
    ),  # with the film, the run has everything but its end
}


def longest_stall(directory: Path, done: Callable[[], bool]) -> float:
    """Watch the checkpoints of a training until it is done; return the longest pause."""
    longest, last, seen = 0.0, time.monotonic(), 0.0
    while not done():
        try:
            stamp = (journal(directory) / "checkpoint").stat().st_mtime
        except (ValueError, FileNotFoundError):
            stamp = seen
        if stamp != seen:
            now = time.monotonic()
            longest = max(longest, now - last) if seen else longest
            seen, last = stamp, now
        time.sleep(0.02)
    return longest


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "seconds", [1, *(pytest.param(s, marks=pytest.mark.torture) for s in (30, 120))]
)
def test_results_are_delivered_when_the_server_is_back(
    server: Server, tmp_path: Path, moment: str, seconds: int
) -> None:
    store = ["--tracking-uri", server.url, "--experiment", f"{moment} {seconds}"]
    options = ["--epochs", str(EPOCHS), "--max-frames", "50", *store]
    process = processes.start(
        "run", *options, directory=tmp_path, FITREEL_SPOOL=str(tmp_path / "spool")
    )
    while not MOMENTS[moment](kinds(tmp_path)):
        assert process.is_alive(), (tmp_path / "err").read_text()
        time.sleep(0.02)
    server.stop()
    stopped = time.monotonic()
    stall = longest_stall(
        tmp_path,
        lambda: "model" in kinds(tmp_path) or time.monotonic() - stopped > seconds,
    )
    time.sleep(max(0.0, seconds - (time.monotonic() - stopped)))
    assert process.is_alive()  # the command waits
    server.start()
    process.join(60)
    errors = (tmp_path / "err").read_text()
    assert process.exitcode == 0, errors
    assert stall < 1
    experiment = client(server.directory).get_experiment_by_name(f"{moment} {seconds}")
    assert experiment is not None
    (run,) = client(server.directory).search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert [step for step, _ in loss_points(server.directory, run)] == list(range(EPOCHS))
    folder = Path(MlflowClient(server.url).download_artifacts(run.info.run_id, ""))
    assert all((folder / path).stat().st_size for path in ARTIFACTS)
    models = client(server.directory).search_logged_models([experiment.experiment_id])
    assert [str(model.status) for model in models] == ["READY"]
    assert not list(tmp_path.glob("spool/*/"))
    if seconds > 5:
        assert f"fitreel: tracking server {server.url} does not answer" in errors
    print(f"{moment}, down for {seconds} s: longest stall {stall:.2f} s")
