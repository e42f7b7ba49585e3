"""A server that is down for long and restarted: `fitreel sync` uploads the rest, once."""

import hashlib
import random
import signal
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.journal.spool import new_journal
from tests import processes
from tests.conftest import free_port
from tests.faults import ARTIFACTS, SPOOL, journals, losses, records, wait_until
from tests.servers import Server

EPOCHS = 5000
RUN = ("run", "--epochs", str(EPOCHS), "--frame-every", "200", "--patience", "2")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


def start(server: Server, spool: Path, *arguments: str) -> ForkServerProcess:
    spool.parent.mkdir(exist_ok=True)
    where = {SPOOL: str(spool), "MLFLOW_TRACKING_URI": server.url}
    return processes.start(*arguments, directory=spool.parent, **where)


def run(server: Server, spool: Path, *arguments: str) -> tuple[int, str, str]:
    where = {SPOOL: str(spool), "MLFLOW_TRACKING_URI": server.url}
    return processes.run(*arguments, directory=spool.parent, **where)


def train_until_the_server_is_killed(server: Server, spool: Path) -> str:
    """Kill the server during a training, so that the rest waits; return the id of the run."""
    process = start(server, spool, *RUN)

    def trains() -> bool:
        found = [record["kind"] for journal in journals(spool) for record in records(journal)]
        return "losses" in found

    wait_until(trains, "no training")
    server.stop()
    process.join()
    output, errors = [(spool.parent / name).read_text() for name in ("out", "err")]
    (journal,) = journals(spool)
    assert process.exitcode == 75, errors
    assert f"wait in {journal}: upload them with fitreel sync" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    return output.strip()


def logged(spool: Path) -> dict[str, str]:
    """Return the SHA-256 of the artifacts that wait in the only journal of a spool."""
    (journal,) = journals(spool)
    return {
        str(Path(record["to"] or "") / name): digest
        for record in records(journal)
        if record["kind"] == "artifacts"
        for name, digest in hashes(journal / "artifacts" / record["folder"]).items()
    }


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def is_complete(store: MlflowClient, run_id: str, artifacts: dict[str, str], folder: Path) -> None:
    """Assert that a run has everything exactly once."""
    found = store.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert len(losses(store, run_id)) == EPOCHS
    models = store.search_logged_models([found.info.experiment_id], f"source_run_id = '{run_id}'")
    assert [str(model.status) for model in models] == ["READY"]
    assert found.inputs is not None
    assert found.outputs is not None
    assert len(found.inputs.dataset_inputs) == len(found.outputs.model_outputs) == 1
    folder.mkdir()
    store.download_artifacts(run_id, "", str(folder))
    assert hashes(folder) == artifacts
    assert artifacts.keys() == ARTIFACTS


def test_sync_delivers_the_rest_once_however_often_it_is_killed(
    server: Server, tmp_path: Path, torture: bool
) -> None:
    spool = tmp_path / "spool"
    run_id = train_until_the_server_is_killed(server, spool)
    artifacts = logged(spool)

    before = hashes(spool)
    started = time.monotonic()
    code, _, errors = run(server, spool, "sync")
    assert (code, time.monotonic() - started < 15) == (75, True), errors
    assert errors.startswith(
        f"run {run_id}: waits in {journals(spool)[0]}: tracking server {server.url}"
    )
    assert errors.count("\n") == 1
    assert hashes(spool) == before

    server.start()
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    kills = 0
    for _ in range(20 if torture else 4):
        process = start(server, spool, "sync")
        time.sleep(chance.uniform(0.1, 1))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    code, _, errors = run(server, spool, "sync")
    assert code == 0, errors
    is_complete(MlflowClient(server.url), run_id, artifacts, tmp_path / "found")
    assert journals(spool) == []
    assert run(server, spool, "sync") == (0, "", "nothing to upload\n")
    print(f"seed {seed}: {kills} kills")


def test_a_damaged_journal_is_reported_and_delivered_up_to_there(
    server: Server, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    run_id = train_until_the_server_is_killed(server, spool)
    artifacts = logged(spool)
    server.start()
    store = MlflowClient(server.url)
    (journal,) = journals(spool)
    path = journal / "journal"
    whole = path.read_bytes()

    def sync() -> tuple[int, str, str]:
        return run(server, spool, "sync")

    lines = whole.splitlines(keepends=True)
    # Damage the checksum, the text and the end of a line in the middle.
    (place,) = [n for n, line in enumerate(lines) if b'"first":4000' in line]
    start = sum(map(len, lines[:place]))
    for offset in (start, start + 100, start + len(lines[place]) - 1):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
        code, _, errors = sync()
        assert (code, errors.count("\n")) == (2, 1), errors
        assert f"{path} is damaged at byte {start}; what is missing is computed" in errors
        assert f"again by: fitreel resume {run_id}" in errors
        assert len(losses(store, run_id)) == 4000
        assert store.get_run(run_id).info.status == "RUNNING"

    path.write_bytes(whole[:-10])  # an incomplete last line is ignored
    assert sync() == (
        0,
        "",
        f"run {run_id}: delivered so far; resume it with: fitreel resume {run_id}\n",
    )
    assert store.get_run(run_id).info.status == "RUNNING"

    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    code, _, errors = sync()
    assert (code, errors.count("\n")) == (2, 1), errors
    assert f"{path} is damaged at byte 0" in errors

    path.write_bytes(whole)
    (journal / "delivered").write_bytes(b"nonsense")  # so everything is delivered again
    code, _, errors = sync()
    assert code == 0, errors
    is_complete(store, run_id, artifacts, tmp_path / "found")
    assert journals(spool) == []


def test_what_is_damaged_is_computed_again(server: Server, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    run_id = train_until_the_server_is_killed(server, spool)
    artifacts = logged(spool)
    server.start()
    path = journals(spool)[0] / "journal"
    whole = path.read_bytes()
    start = sum(map(len, whole.partition(b'"first":4000')[0].splitlines(keepends=True)[:-1]))
    path.write_bytes(whole[: start + 100] + bytes([whole[start + 100] ^ 1]) + whole[start + 101 :])
    code, _, errors = run(server, spool, "resume", run_id)
    assert code == 0, errors
    warning = f"fitreel: {path} is damaged at byte {start}; what is missing is computed again"
    assert errors.splitlines()[0] == warning
    is_complete(MlflowClient(server.url), run_id, artifacts, tmp_path / "found")
    assert journals(spool) == []


def test_a_run_that_still_waits_determines_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcomes of the runs before and after it do not matter."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    database = f"sqlite:///{tmp_path}/mlflow.db"
    store = MlflowClient(database)
    unreachable = f"http://127.0.0.1:{free_port()}"
    runs = [store.create_run("0").info.run_id for _ in range(3)]
    for run_id, uri in zip(runs, (database, unreachable, database), strict=True):
        journal = new_journal()
        journal.append("plan", uri=uri, plan={})
        journal.append("run", run_id=run_id)
        journal.append("status", status="FINISHED", time=1)
        journal.close()
    own = {SPOOL: str(tmp_path / "spool")}  # processes are forked from one that started earlier
    code, _, errors = processes.run("sync", directory=tmp_path, **own)
    assert code == 75, errors
    assert [store.get_run(run_id).info.status for run_id in runs] == [
        "FINISHED",
        "RUNNING",
        "FINISHED",
    ]
