"""Decisions about a journal depend on its contents under the lock, not when it was listed."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

import fitreel.tracking
from fitreel.doctor.spool import check_waiting
from fitreel.journal import spool as spool_module
from fitreel.journal.entry import Entry
from fitreel.journal.journal import Journal
from fitreel.tracking import Tracker
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.store.client import Client
from tests import processes
from tests.faults import SPOOL, client, journals, records, runs, wait_until

EPOCHS = 3000
RUN = ("run", "--epochs", str(EPOCHS), "--frame-every", "500", "--checkpoint-every", "50")
SIGNS = "TEST_SIGNS"  # names the directory in which two processes wait for each other


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory with a database and two runs to compare."""
    path = tmp_path_factory.mktemp("store")
    for rate in ("0.1", "0.2"):
        short = ("run", "--epochs", "300", "--lr", rate, "--max-frames", "5")
        code, _, errors = processes.run(*short, directory=path, **{SPOOL: str(path / "spool")})
        assert code == 0, errors
    return path


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    return tmp_path / "spool"


def is_empty(spool: Path) -> bool:
    return [path.name for path in spool.iterdir()] == [spool_module.MARKER]


def stored(directory: Path, run_id: str) -> int:
    """Count the rows of losses: a loss that was logged twice has two rows."""
    with sqlite3.connect(directory / "mlflow.db") as database:
        query = "SELECT count(*) FROM metrics WHERE key = 'loss' AND run_uuid = ?"
        return int(database.execute(query, [run_id]).fetchone()[0])


# ---- between listing and locking, in two processes --------------------------------------------


def pause_after_listing() -> None:
    """Make the process signal that it has listed the spool, then wait before it continues."""
    listing, signs = spool_module.entries, Path(os.environ[SIGNS])

    def entries() -> list[Entry]:
        found = listing()
        if not (signs / "listed").exists():
            (signs / "listed").touch()
            wait_until((signs / "go").exists, "no sign to continue")
        return found

    spool_module.entries = entries


def start_comparison(directory: Path, spool: Path) -> ForkServerProcess:
    """Start a comparison and wait until its run is created."""
    where = {SPOOL: str(spool)}
    process = processes.start("compare", directory=directory, output_to=spool.parent, **where)
    wait_until(
        lambda: any(
            each["kind"] == "run" for journal in journals(spool) for each in records(journal)
        ),
        "no comparison",
        pause=0.005,
    )
    return process


def test_sync_leaves_alone_a_run_that_ended_after_the_listing(
    directory: Path, spool: Path, tmp_path: Path
) -> None:
    comparison = start_comparison(directory, spool)
    assert comparison.pid
    os.kill(comparison.pid, signal.SIGSTOP)
    output_directory = tmp_path / "sync"
    output_directory.mkdir()
    where = {SPOOL: str(spool), SIGNS: str(tmp_path)}
    sync = processes.start_after(
        pause_after_listing, "sync", directory=directory, output_to=output_directory, **where
    )
    wait_until((tmp_path / "listed").exists, "nothing was listed")
    os.kill(comparison.pid, signal.SIGCONT)
    comparison.join()
    run = client(directory).get_run((tmp_path / "out").read_text().strip())
    (tmp_path / "go").touch()
    sync.join()
    assert (sync.exitcode, (output_directory / "err").read_text()) == (0, "nothing to upload\n")
    assert client(directory).get_run(run.info.run_id).info == run.info
    assert run.info.status == "FINISHED"
    assert is_empty(spool)


def interrupted_run(directory: Path, spool: Path) -> str:
    """Kill a training; return the id of its run."""
    known = {run.info.run_id for run in runs(client(directory))}
    process = processes.start(*RUN, directory=directory, **{SPOOL: str(spool)})
    wait_until(lambda: bool(list(spool.glob("*/checkpoint"))), "no checkpoint", pause=0.002)
    process.kill()
    process.join()
    (run,) = [run for run in runs(client(directory)) if run.info.run_id not in known]
    assert run.info.status == "RUNNING"
    return str(run.info.run_id)


def test_only_one_of_two_commands_resumes_a_run(
    directory: Path, spool: Path, tmp_path: Path
) -> None:
    run_id = interrupted_run(directory, spool)
    first, second = tmp_path / "first", tmp_path / "second"
    for output_directory in (first, second):
        output_directory.mkdir()
    where = {SPOOL: str(spool), SIGNS: str(tmp_path)}
    late = processes.start_after(
        pause_after_listing, "resume", run_id, directory=directory, output_to=second, **where
    )
    wait_until((tmp_path / "listed").exists, "nothing was listed")
    code, _, errors = processes.run("resume", run_id, directory=directory, output_to=first, **where)
    assert code == 0, errors
    (tmp_path / "go").touch()
    late.join()
    assert (late.exitcode, (second / "err").read_text()) == (0, f"run {run_id} is finished\n")
    assert stored(directory, run_id) == EPOCHS
    assert client(directory).get_run(run_id).info.status == "FINISHED"
    assert is_empty(spool)


# ---- between listing and locking, in one process ----------------------------------------------


Waiting = Callable[..., Journal]


@pytest.fixture
def new_waiting_journal(tracker: Tracker, spool: Path) -> Waiting:
    """Return a function that starts the journal of a new run, which nobody delivers."""

    def begin(*, plan: dict[str, object] | None = None) -> Journal:
        journal = spool_module.new_journal()
        assert journal.directory.parent == spool
        journal.append("plan", uri=tracker.uri, plan=plan or {})
        journal.append("run", run_id=tracker.client.create_run("0").info.run_id)
        return journal

    return begin


def run_id(journal: Journal) -> str:
    found = [record["run_id"] for _, record in journal.records() if record["kind"] == "run"]
    return str(found[0])


def finish(client: Client, journal: Journal) -> None:
    """Deliver the rest and remove the journal, as the running process does at its end."""
    journal.append("status", status="FINISHED", time=time.time_ns() // 1_000_000)
    delivery = Delivery(client, journal, run_id(journal))
    while delivery.step():
        pass
    journal.remove()


def after_listing(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Call ``act`` between the next listing of the spool and what follows."""
    listing = spool_module.entries

    def entries() -> list[Entry]:
        monkeypatch.setattr(spool_module, "entries", listing)
        found = listing()
        act()
        return found

    monkeypatch.setattr(spool_module, "entries", entries)


def test_sync_and_doctor_ignore_a_journal_that_vanishes(
    tracker: Tracker, new_waiting_journal: Waiting, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[Callable[[], object]] = [lambda: list(fitreel.tracking.sync()), check_waiting]
    for check, nothing in zip(checks, ([], (True, "nothing to upload")), strict=True):
        journal = new_waiting_journal()
        its_run = run_id(journal)
        after_listing(monkeypatch, partial(finish, tracker.client, journal))
        assert check() == nothing
        assert tracker.client.get_run(its_run).info.status == "FINISHED"
        assert is_empty(spool)


def test_the_doctor_counts_by_the_state_under_the_lock(
    new_waiting_journal: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_waiting_journal(plan={"command": "run"})

    def finish_without_delivery() -> None:
        journal.append("status", status="FINISHED", time=0)
        journal.close()

    after_listing(monkeypatch, finish_without_delivery)
    found = f"1 not delivered, upload with fitreel sync: {run_id(journal)} (fitreel run, store "
    assert check_waiting().text.startswith(found)


def test_an_undelivered_run_is_delivered_with_its_final_status(
    tracker: Tracker, new_waiting_journal: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_waiting_journal()
    its_run = run_id(journal)

    def finish_without_delivery() -> None:
        journal.append("status", status="FINISHED", time=1)
        journal.close()

    after_listing(monkeypatch, finish_without_delivery)
    assert [each.text for each in fitreel.tracking.sync()] == [
        f"run {its_run}: delivered, FINISHED"
    ]
    assert tracker.client.get_run(its_run).info.status == "FINISHED"


def test_an_unreadable_journal_does_not_block_the_others(
    tracker: Tracker, new_waiting_journal: Waiting
) -> None:
    bad, good = new_waiting_journal(), new_waiting_journal()
    good_run = run_id(good)
    for journal in (bad, good):
        journal.close()
    (bad.directory / "journal").unlink()
    (bad.directory / "journal").mkdir()
    text = check_waiting().text
    assert text.startswith(f"1 not delivered, upload with fitreel sync: {good_run} (store sqlite:")
    assert text.endswith(f"; 1 that cannot be read, see fitreel sync: {bad.directory.name}")
    first, second = sorted(fitreel.tracking.sync(), key=lambda each: each.trouble is None)
    assert first.is_stuck
    assert f"stays in {bad.directory}: it cannot be read: [Errno 21] Is a directory" in first.text
    assert second.text == f"run {good_run}: delivered, KILLED"
    assert tracker.client.get_run(good_run).info.status == "KILLED"


# ---- records that name files of others --------------------------------------------------------


def test_a_file_outside_the_journal_is_not_uploaded(
    tracker: Tracker, new_waiting_journal: Waiting, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("a key")
    (elsewhere / "secret").chmod(0o600)
    hostile_records: list[dict[str, object]] = [
        {"kind": "artifacts", "folder": "../../../elsewhere", "to": None},
        {"kind": "artifacts", "folder": str(elsewhere), "to": None},
        {"kind": "trial_artifacts", "number": 0, "folder": "../../../elsewhere", "to": None},
        {"kind": "dataset", "file": "../../../elsewhere/secret", "path": "data/x", "name": "x"},
        {"kind": "model", "weights": "../../../elsewhere/secret"},
    ]
    for hostile_record in hostile_records:
        journal = new_waiting_journal(plan={"command": "run"})
        its_run = run_id(journal)
        journal.append(**hostile_record)  # type: ignore[arg-type]
        journal.close()
        (found,) = fitreel.tracking.sync()
        assert found.is_stuck
        assert "is damaged: " in found.text
        assert tracker.client.list_artifacts(its_run) == []
        (interrupted,) = fitreel.tracking.interrupted(its_run, tracker.uri)
        assert interrupted.damage
        assert "is damaged: " in interrupted.damage
        with tracker.resume(interrupted.journal, its_run):
            pass
        assert tracker.client.list_artifacts(its_run) == []
        assert (elsewhere / "secret").read_text() == "a key"


def test_a_journal_of_another_store_without_a_run_does_not_hide_a_run(
    tracker: Tracker, tmp_path: Path
) -> None:
    """It has no run that could be compared; the default store has the one that is named."""
    journal = spool_module.new_journal()
    other = f"sqlite:///{tmp_path}/other.db"
    journal.append("plan", uri=other, plan={"command": "run"})
    journal.close()
    with tracker.run() as run:
        pass
    assert list(fitreel.tracking.interrupted(run.run_id)) == []
    Journal(journal.directory).remove()


# ---- natural races ----------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """Create two directories for the output of two commands that run at the same time."""
    found = [tmp_path / "first", tmp_path / "second"]
    for place in found:
        place.mkdir()
    return found


def test_a_comparison_finishes_whatever_syncs_run_meanwhile(
    directory: Path, spool: Path, tmp_path: Path, places: list[Path], torture: bool
) -> None:
    where = {SPOOL: str(spool)}
    for _ in range(30 if torture else 3):
        comparison = start_comparison(directory, spool)
        syncs: dict[Path, ForkServerProcess] = {}
        while comparison.is_alive():
            for output_directory in places:
                if output_directory not in syncs or not syncs[output_directory].is_alive():
                    syncs[output_directory] = processes.start(
                        "sync", directory=directory, output_to=output_directory, **where
                    )
                time.sleep(random.uniform(0, 0.1))
        errors = (tmp_path / "err").read_text()
        assert comparison.exitcode == 0, errors
        for output_directory, sync in syncs.items():
            sync.join()
            assert sync.exitcode in (0, 75), (output_directory / "err").read_text()
        its_run = (tmp_path / "out").read_text().strip()
        assert client(directory).get_run(its_run).info.status == "FINISHED"
        assert is_empty(spool)


def test_a_run_is_complete_however_two_commands_resume_it(
    directory: Path, spool: Path, places: list[Path], torture: bool
) -> None:
    for _ in range(30 if torture else 2):
        its_run = interrupted_run(directory, spool)
        both = []
        for output_directory in places:
            where = {SPOOL: str(spool)}
            both.append(
                processes.start(
                    "resume", its_run, directory=directory, output_to=output_directory, **where
                )
            )
            time.sleep(random.choice([0, 0.2, 1, 2]))
        for process in both:
            process.join()
        errors = [(place / "err").read_text() for place in places]
        codes = [process.exitcode for process in both]
        assert 0 in codes, errors
        for code, text in zip(codes, errors, strict=True):
            assert code == 0 or "is not interrupted: its process is alive" in text
        assert stored(directory, its_run) == EPOCHS
        assert client(directory).get_run(its_run).info.status == "FINISHED"
        assert is_empty(spool)
