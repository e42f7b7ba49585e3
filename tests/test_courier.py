"""The courier delivers what it can; it waits, gives up and reports as the store's errors ask."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from fitreel.journal.journal import Journal
from fitreel.journal.records import Damaged
from fitreel.journal.spool import Undelivered, new_journal
from fitreel.tracking import Patience, Run, Tracker
from fitreel.tracking.delivery import courier as module
from fitreel.tracking.delivery.courier import Courier
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.names import HEARTBEAT_TAG, JOURNAL_TAG
from fitreel.tracking.store.limits import request_limit
from tests.faults import SPOOL, wait_until
from tests.stored import tags_of
from tests.stores import new_store

AWAY = ConnectionError("the store is away")


@pytest.fixture
def reported() -> list[str]:
    """Return the lines that were reported."""
    return []


@pytest.fixture
def tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: list[str]
) -> Iterator[Tracker]:
    import mlflow

    new_store(tmp_path)
    monkeypatch.setattr("fitreel.tracking.delivery.courier.BEAT", 0.1)  # instead of 30 seconds
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    yield Tracker(f"sqlite:///{tmp_path}/mlflow.db", patience=Patience(report=reported.append))
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def heartbeat(tracker: Tracker, run: Run) -> float:
    return float(tags_of(tracker.client.get_run(run.run_id))[HEARTBEAT_TAG])


def test_a_run_that_is_refused_half_way_is_reported_once_and_keeps_its_heartbeat(
    tracker: Tracker, reported: list[str]
) -> None:

    def refused() -> None:
        with tracker.run() as run:
            tracker.client.log_param(run.run_id, "epochs", "2")
            run.log_params({"epochs": "1"})
            wait_until(lambda: bool(reported), "nothing was reported")
            before = time.time() + 1
            wait_until(lambda: heartbeat(tracker, run) > before, "no heartbeat")

    with pytest.raises(ValueError, match="Changing param"):
        refused()
    (line,) = reported
    assert "Changing param" in line
    assert "continues; its results wait in" in line


def test_a_run_that_is_deleted_and_restored_meanwhile_is_complete(
    tracker: Tracker, reported: list[str]
) -> None:
    with tracker.run() as run:
        tracker.client.delete_run(run.run_id)
        run.log_metrics({"loss": 1.0})
        wait_until(lambda: bool(reported), "nothing was reported")
        tracker.client.restore_run(run.run_id)
        run.log_metrics({"loss": 0.5})
    found = tracker.source(run.run_id)
    assert (found.status, found.metrics) == ("FINISHED", {"loss": 0.5})
    assert len(reported) == 1


# ---- a courier alone --------------------------------------------------------------------------


@pytest.fixture
def journal(tracker: Tracker) -> Iterator[Journal]:
    """Create the journal of a run, which nobody delivers yet."""
    created = new_journal()
    created.append("plan", uri=tracker.uri, plan={})
    created.append("run", run_id=tracker.client.create_run("0").info.run_id)
    yield created
    created.close()


Hiring = Callable[..., Courier]


@pytest.fixture
def hire(tracker: Tracker, journal: Journal, reported: list[str]) -> Iterator[Hiring]:
    """Return a function that creates a courier; the test starts it."""
    hired = list[Courier]()

    def create(seconds: float = 60.0, **options: bool) -> Courier:
        (run_id,) = [each["run_id"] for _, each in journal.records() if each["kind"] == "run"]
        patience = Patience(seconds, reported.append)
        hired.append(Courier(tracker.client, journal, run_id, patience, **options))
        return hired[-1]

    yield create
    for courier in hired:
        courier.stop()


def let_steps(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | bool) -> list[float]:
    """Replace the steps of deliveries: they end so, the last for ever; return when they began."""
    left, times = list(outcomes), list[float]()

    def step(_: Delivery) -> bool:
        times.append(time.monotonic())
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(Delivery, "step", step)
    return times


def seconds_of(act: Callable[[], Any]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_the_end_waits_for_a_store_that_is_away_and_says_so_once(
    hire: Hiring, journal: Journal, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = let_steps(monkeypatch, AWAY)
    monkeypatch.setattr(module, "REPORTED_AFTER", 0.1)
    courier = hire(0.4)
    courier.start()
    wait_until(lambda: courier.waits, "no trouble")
    text = (
        f"^the store is away; undelivered results wait in {journal.directory}: "
        "upload them with fitreel sync$"
    )

    def end() -> None:
        with pytest.raises(Undelivered, match=text):
            courier.finish()

    assert 0.4 < seconds_of(end) < 5
    assert reported == ["the store is away"]
    assert len(tries) < 20  # with pauses
    courier.join(5)
    assert not courier.is_alive()  # the journal is closed now
    assert seconds_of(end) < 5  # which says the same again
    assert (courier.is_done, courier.waits) == (False, True)


def test_a_store_that_comes_back_gets_the_rest(
    hire: Hiring, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = let_steps(monkeypatch, AWAY, AWAY, True, True, False)
    courier = hire()
    courier.start()
    wait_until(lambda: len(steps) > 4, "no delivery")
    wait_until(lambda: not courier.waits, "the trouble stays")
    assert not courier.is_done  # it does not end before the run does
    courier.finish()
    assert courier.is_done
    assert reported == []


@pytest.mark.parametrize(
    ("trouble", "kind", "text"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), Undelivered, "No space left on device;"),
        (Damaged("a file is cut"), ValueError, "^a file is cut; .* computed again by fitreel res"),
        (MlflowException("no", INVALID_PARAMETER_VALUE), ValueError, "^tracking store .*: no$"),
    ],
)
def test_the_end_does_not_wait_for_what_cannot_pass(
    hire: Hiring,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    kind: type[Exception],
    text: str,
) -> None:
    let_steps(monkeypatch, trouble)
    courier = hire(60.0)
    courier.start()

    def end() -> None:
        with pytest.raises(kind, match=text):
            courier.finish()

    assert seconds_of(end) < 10
    assert not courier.waits
    assert not courier.is_done


def test_a_store_that_refused_is_asked_again_after_a_beat(
    hire: Hiring, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "BEAT", 0.4)
    refusal = MlflowException("no", INVALID_PARAMETER_VALUE)
    times = let_steps(monkeypatch, refusal, refusal, True, False)
    hire(has_heart=False).start()
    wait_until(lambda: len(times) > 3, "no delivery")
    assert times[1] - times[0] >= 0.4
    assert len(reported) == 1


def test_a_refusal_at_the_end_is_left_to_the_command_to_report(
    hire: Hiring, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 60.0)  # the end breaks it off
    steps = let_steps(monkeypatch, False, MlflowException("no", INVALID_PARAMETER_VALUE))
    courier = hire()
    courier.start()
    wait_until(lambda: bool(steps), "no delivery")
    with pytest.raises(ValueError, match=r": no$"):
        courier.finish()
    assert reported == []


def test_the_end_takes_no_longer_than_it_may(hire: Hiring, monkeypatch: pytest.MonkeyPatch) -> None:
    let_steps(monkeypatch, True)  # there is always more
    courier = hire()
    courier.start()

    def end() -> None:
        with pytest.raises(Undelivered, match=r"^interrupted; undelivered results wait"):
            courier.finish(0.2)

    assert 0.2 < seconds_of(end) < 5
    assert not courier.is_done


@pytest.mark.parametrize(("patience", "step"), [(0.1, 0.4), (0.4, 0.1)])
def test_a_step_without_trouble_may_take_long_but_not_for_ever(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch, patience: float, step: float
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(Delivery, "step", lambda _: goes_on.wait(30) and False)
    monkeypatch.setattr(module, "LONGEST_STEP", step)
    courier = hire(patience)
    courier.start()

    def end() -> None:
        with pytest.raises(Undelivered):
            courier.finish()

    assert 0.4 < seconds_of(end) < 5
    goes_on.set()


def test_no_thread_of_a_courier_keeps_the_process_alive(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may never end."""
    let_steps(monkeypatch, False)
    before = set(threading.enumerate())
    hire().start()
    mine = set(threading.enumerate()) - before
    assert {thread.name for thread in mine} == {"courier", "heart"}
    assert all(thread.daemon for thread in mine)


def test_a_courier_that_is_stopped_delivers_no_more(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = let_steps(monkeypatch, True)
    courier = hire()
    courier.start()
    wait_until(lambda: bool(steps), "no delivery")
    assert seconds_of(courier.stop) < 5
    count = len(steps)
    courier.join(5)
    assert not courier.is_alive()
    assert len(steps) == count
    assert not courier.is_done


def test_a_courier_that_rests_is_stopped_at_once(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 60.0)
    steps = let_steps(monkeypatch, False)
    courier = hire()
    courier.start()
    wait_until(lambda: bool(steps), "no delivery")
    assert seconds_of(courier.stop) < 5


@pytest.mark.parametrize(("call", "request_takes", "least"), [(0.2, 20.0, 0.2), (30.0, 0.5, 0.3)])
def test_a_request_that_is_under_way_gets_the_time_of_a_call(
    hire: Hiring,
    monkeypatch: pytest.MonkeyPatch,
    call: float,
    request_takes: float,
    least: float,
) -> None:
    asked, goes_on = threading.Event(), threading.Event()

    def step(_: Delivery) -> bool:
        asked.set()
        return goes_on.wait(request_takes) and False

    monkeypatch.setattr(Delivery, "step", step)
    monkeypatch.setattr(module, "CALL", call)
    courier = hire()
    courier.start()
    assert asked.wait(5)
    assert least <= seconds_of(courier.stop) < 10
    goes_on.set()


def test_a_gentle_courier_begins_late_unless_the_run_ends(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = let_steps(monkeypatch, False)
    monkeypatch.setattr(module, "LATE", 2.0)
    for gentle, least, most in ((True, 2.0, 20.0), (False, 0.0, 2.0)):
        steps.clear()
        courier, started = hire(is_gentle=gentle), time.monotonic()
        courier.start()
        wait_until(lambda: bool(steps), "no delivery", pause=0.001)
        assert least <= steps[0] - started < most
    monkeypatch.setattr(module, "LATE", 60.0)
    courier = hire(is_gentle=True)
    courier.start()
    assert seconds_of(courier.finish) < 10
    assert courier.is_done


def test_a_gentle_courier_rests_longer_than_it_works(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = list[float]()

    def work(_: Delivery) -> bool:
        times.append(time.monotonic())
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        return False

    monkeypatch.setattr(Delivery, "step", work)
    monkeypatch.setattr(module, "LATE", 0.0)
    monkeypatch.setattr(module, "PAUSE", 0.1)
    for gentle, least, most in ((True, 0.5, 1.25), (False, 0.1, 0.5)):
        times.clear()
        courier = hire(is_gentle=gentle)
        courier.start()
        wait_until(lambda: len(times) > 3, "no fourth delivery")
        courier.stop()
        # The shortest: on a busy machine any may be longer.
        assert least <= min(later - earlier for earlier, later in pairwise(times)) < most


def test_a_server_that_needs_longer_gets_more_time(
    hire: Hiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_limit.start(3)
    steps = let_steps(monkeypatch, AWAY, AWAY, TimeoutError("no answer in time"), False)
    courier = hire()
    courier.start()
    wait_until(lambda: len(steps) > 3, "no delivery")
    assert os.environ[MLFLOW_HTTP_REQUEST_TIMEOUT.name] == "6"
    request_limit.release()


@pytest.mark.parametrize("has_heart", [True, False])
def test_the_run_belongs_to_the_courier_with_a_heart(
    hire: Hiring,
    tracker: Tracker,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    has_heart: bool,
) -> None:
    """Also while nothing can be delivered."""
    let_steps(monkeypatch, AWAY)
    courier = hire(has_heart=has_heart)
    courier.start()

    def tags() -> dict[str, str]:
        (run,) = tracker.client.search_runs(["0"])
        return tags_of(run)

    if has_heart:
        wait_until(lambda: JOURNAL_TAG in tags(), "no heartbeat")
        assert tags()[JOURNAL_TAG] == journal.directory.name
        assert time.time() - float(tags()[HEARTBEAT_TAG]) < 10
    else:
        time.sleep(0.3)  # three beats
        assert HEARTBEAT_TAG not in tags()
