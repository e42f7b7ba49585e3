"""How a run ends: the cases in the table of tracking.closing."""

import errno
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

import fitreel.tracking
from fitreel.journal import spool
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.journal.spool import Undelivered
from fitreel.tracking import Patience, Run, Tracker
from fitreel.tracking.closing import HASTE
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.store.client import Client
from tests.faults import SPOOL, runs, wait_until
from tests.servers import Server

PLAN = {"command": "train", "settings": {}}


class DiskFull(OSError):
    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))


@pytest.fixture(scope="module")
def all_reports() -> list[str]:
    return []


@pytest.fixture
def reports(all_reports: list[str]) -> list[str]:
    """Return the lines that the runs of this test report."""
    all_reports.clear()
    return all_reports


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory, all_reports: list[str]) -> Iterator[Tracker]:
    import mlflow

    directory = tmp_path_factory.mktemp("store")
    yield Tracker(f"sqlite:///{directory}/mlflow.db", patience=Patience(report=all_reports.append))
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def close(
    tracker: Tracker,
    error: BaseException | None,
    plan: Record | None = PLAN,
    before: Callable[[Run], None] = lambda _: None,
    raises: type[BaseException] | None = None,
) -> tuple[str, str]:
    """Open a run, raise an error in it; return its status and what is left of its journal."""
    opened = list[Run]()

    def body() -> None:
        with tracker.run(plan=plan) as run:
            opened.append(run)
            before(run)
            if error:
                raise error

    expected = raises or (type(error) if error else None)
    with pytest.raises(expected) if expected else nullcontext():
        body()
    return status(tracker, opened[0]), left()


def status(tracker: Tracker, run: Run) -> str:
    return str(tracker.client.get_run(run.run_id).info.status)


def left() -> str:
    """Return what sync would do with the remaining journal, or "" without one."""
    found = spool.entries()
    return "over" if found and found[0].is_over else "resumable" if found else "nothing"


@pytest.mark.parametrize(
    ("error", "plan", "expected"),
    [
        (None, PLAN, ("FINISHED", "nothing")),
        (KeyboardInterrupt(), PLAN, ("KILLED", "resumable")),
        (KeyboardInterrupt(), None, ("KILLED", "nothing")),
        (SystemExit(143), PLAN, ("KILLED", "resumable")),
        (OSError("no display"), PLAN, ("FAILED", "resumable")),
        (ValueError("unfit"), None, ("FAILED", "nothing")),
        (ArithmeticError("diverged"), PLAN, ("FAILED", "nothing")),
        (ArithmeticError("diverged"), None, ("FAILED", "nothing")),
    ],
)
def test_a_run_whose_store_accepts_everything(
    tracker: Tracker,
    reports: list[str],
    error: BaseException | None,
    plan: Record | None,
    expected: tuple[str, str],
) -> None:
    assert close(tracker, error, plan) == expected
    assert reports == []


def assert_failed_and_resumable(tracker: Tracker) -> None:
    """Assert that the newest run is FAILED, and ends FINISHED once it is resumed."""
    assert left() == "resumable"
    run, *_ = runs(tracker.client)
    assert run.info.status == "FAILED"
    (interrupted,) = fitreel.tracking.interrupted(run.info.run_id, tracker.client.tracking_uri)
    with tracker.resume(interrupted.journal, interrupted.run_id) as resumed:
        pass
    assert (status(tracker, resumed), left()) == ("FINISHED", "nothing")


def test_a_run_that_cannot_be_opened_after_its_creation_can_be_resumed(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, left_over = Journal.append, list[str]()

    def fail_once(journal: Journal, kind: str, **fields: Any) -> None:
        if kind == "run" and not left_over:
            left_over.append(journal.directory.name)
            raise DiskFull
        append(journal, kind, **fields)

    monkeypatch.setattr(Journal, "append", fail_once)
    with pytest.raises(DiskFull), tracker.run(plan=PLAN):
        pass
    assert_failed_and_resumable(tracker)


def test_a_run_whose_creation_fails_after_it_was_done_can_be_resumed(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Client.create_run

    def fail_afterwards(*arguments: Any, **options: Any) -> None:
        create(*arguments, **options)
        raise MlflowException("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "create_run", fail_afterwards)
        with pytest.raises(ConnectionError, match="disk I/O error"), tracker.run(plan=PLAN):
            pass
    assert_failed_and_resumable(tracker)


def test_a_journal_that_cannot_be_removed_is_reported_and_the_run_is_complete(
    tracker: Tracker, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(journal: Journal) -> None:
        journal.close()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(journal.directory))

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "remove", fail)
        assert close(tracker, None) == ("FINISHED", "over")
        (line,) = reports
        assert line.endswith(f"fitreel sync removes {spool.entries()[0].directory}")
        close(tracker, None)
        troubles = [each.trouble for each in fitreel.tracking.sync()]
    assert [type(trouble) for trouble in troubles] == [PermissionError, PermissionError]
    assert [each.trouble for each in fitreel.tracking.sync()] == [None, None]
    assert left() == "nothing"


def refused(tracker: Tracker) -> Callable[[Run], None]:
    """Return a function that makes the store refuse a run: it logs another value for a param."""

    def before(run: Run) -> None:
        tracker.client.log_param(run.run_id, "epochs", "2")
        run.log_params({"epochs": "1"})

    return before


def test_a_finished_run_that_the_store_refuses_waits_for_sync(
    tracker: Tracker, reports: list[str]
) -> None:
    before = refused(tracker)
    _, journal = close(tracker, None, before=before, raises=ValueError)
    assert journal == "over"
    # The command shows the error; only the courier may have reported it earlier.
    assert not [line for line in reports if "continues; its" not in line]


@pytest.mark.parametrize(
    ("error", "plan", "expected"),
    [
        (RuntimeError(), PLAN, ("FAILED", "resumable")),
        (RuntimeError(), None, ("FAILED", "over")),
        (ArithmeticError("diverged"), PLAN, ("FAILED", "over")),
        (KeyboardInterrupt(), PLAN, ("KILLED", "resumable")),
    ],
)
def test_an_interrupted_run_that_the_store_refuses_gets_at_least_its_status(
    tracker: Tracker,
    reports: list[str],
    error: BaseException,
    plan: Record | None,
    expected: tuple[str, str],
) -> None:
    assert close(tracker, error, plan, refused(tracker)) == expected
    assert "Changing param" in reports[-1]


def test_a_system_error_is_not_reported_twice(tracker: Tracker, reports: list[str]) -> None:
    error = ConnectionError("the store does not answer")
    assert close(tracker, error, before=refused(tracker)) == ("FAILED", "resumable")
    assert not [
        line for line in reports if "continues; its" not in line
    ]  # the courier reports this error


def test_a_finished_run_stays_finished_if_its_delivery_is_interrupted(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, limits = Courier.finish, list[float]()

    def interrupted_once(courier: Courier, within: float = math.inf) -> None:
        limits.append(within)
        if len(limits) == 1:
            raise KeyboardInterrupt
        finish(courier, within)

    monkeypatch.setattr(Courier, "finish", interrupted_once)
    assert close(tracker, None, raises=KeyboardInterrupt) == ("FINISHED", "nothing")
    assert limits == [math.inf, HASTE]


def test_closing_an_interrupted_run_takes_no_longer_than_haste(
    tracker: Tracker, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: Delivery) -> bool:
        time.sleep(2)
        return True

    monkeypatch.setattr("fitreel.tracking.closing.HASTE", 0.3)
    started = list[float]()

    def before(_: Run) -> None:
        monkeypatch.setattr(Delivery, "step", slow)
        started.append(time.monotonic())

    assert close(tracker, KeyboardInterrupt(), before=before) == ("KILLED", "resumable")
    assert time.monotonic() - started[0] < 2
    assert "upload them with fitreel sync" in reports[-1]


def test_on_a_full_disk_only_the_status_is_written(
    tracker: Tracker, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def couriers() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "courier"}

    end, has_room = Run.end, list[bool]()

    def ending(run: Run, status: str, *, resumable: bool = False) -> None:
        (entry,) = spool.entries()
        has_room.append(not (entry.directory / "reserve").exists())
        end(run, status, resumable=resumable)

    def before(_: Run) -> None:
        monkeypatch.setattr(Run, "end", ending)
        monkeypatch.setattr(Journal, "is_cramped", property(lambda _: True))
        monkeypatch.setattr(Courier, "finish", lambda _: pytest.fail("nothing is delivered"))

    earlier = couriers()
    assert close(tracker, DiskFull(), before=before) == ("FAILED", "resumable")
    # A courier that continued would fill the space reserved for the status.
    wait_until(lambda: not couriers() - earlier, "the courier continues")
    (entry,) = spool.entries()
    assert entry.status == "FAILED"
    assert has_room == [True]  # when the status was written
    assert reports == []


def test_a_status_that_does_not_fit_in_the_journal_is_sent_directly(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull

    def undelivered(*_: object) -> None:
        raise Undelivered("no room")

    def before(_: Run) -> None:
        monkeypatch.setattr(Run, "end", full)
        monkeypatch.setattr(Courier, "finish", undelivered)

    assert close(tracker, RuntimeError(), before=before) == ("FAILED", "resumable")


def test_a_run_whose_server_is_down_is_not_ended_directly(
    tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A direct request would wait for the server a second time."""
    (tmp_path / "server").mkdir()
    stopped, asked = list[float](), list[str]()
    with Server(tmp_path / "server") as server:
        tracker = Tracker(server.url, patience=Patience(1, reports.append))

        def before(_: Run) -> None:
            server.stop()
            monkeypatch.setattr(tracker.client, "get_run", asked.append)
            stopped.append(time.monotonic())

        monkeypatch.setattr(f"{__name__}.status", lambda *_: "")  # as the server is down
        close(tracker, RuntimeError(), before=before)
    assert time.monotonic() - stopped[0] < 10
    assert asked == []
    (entry,) = spool.entries()
    assert (entry.status, entry.is_over) == ("FAILED", False)
    assert "does not answer" in reports[-1]
