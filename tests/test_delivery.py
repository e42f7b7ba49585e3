"""The delivery: data is flushed to the journal first and keeps its own time stamps."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Metric, ViewType

from fitreel.journal.checkpoints import pack
from fitreel.journal.journal import Journal
from fitreel.journal.records import Damaged, Record
from fitreel.journal.spool import new_journal
from fitreel.sweep.trials import Outcome
from fitreel.tracking import Tracker
from fitreel.tracking.delivery.delivery import Delivery
from fitreel.tracking.delivery.nested import NestedRuns
from fitreel.tracking.delivery.values import Stored, curve, log_values, losses
from fitreel.tracking.names import JOURNAL_TAG, MODEL
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.creation import DOUBT
from tests.conftest import environment
from tests.faults import client
from tests.needs import require


def system_calls(trace: Path) -> Iterator[str]:
    """Yield the completed calls of strace's lines, which split calls of several threads."""
    started: dict[str, str] = {}
    for line in trace.read_text().splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            started[thread] = call.removesuffix("<unfinished ...>")
        elif "resumed>" in call:
            yield started.pop(thread) + call.partition("resumed>")[2]
        else:
            yield call


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a command and record its system calls."""
    require("strace")
    directory = tmp_path_factory.mktemp("traced")
    strace = ["strace", "-f", "-y", "-s", "300", "-e", "trace=write,pwrite64,fsync"]
    subprocess.run(
        [*strace, "-o", "trace", "fitreel", "generate"],
        cwd=directory,
        env=environment(FITREEL_SPOOL=str(directory / "spool")),
        capture_output=True,
        check=True,
    )
    return directory


def test_data_is_flushed_before_it_is_delivered(directory: Path) -> None:
    """Lost records would be delivered again with another time stamp, and stored twice."""
    written = flushed = delivered = 0  # bytes in the journal
    stored: int | None = None  # bytes that were flushed at the last write to the store
    for call in system_calls(directory / "trace"):
        if re.match(r"write\(\d+<.*/journal>", call):
            written += int(call.rpartition("= ")[2])
        elif re.match(r"fsync\(\d+<.*/journal>", call):
            flushed = written
        elif delivered and re.match(r"pwrite64\(\d+<.*/mlflow\.db", call):
            # The run itself was created before the first delivery.
            stored = flushed
        elif found := re.search(r'/delivered\.new>, "\w+ {\\"position\\":(\d+)', call):
            delivered = int(found[1])
            assert delivered <= flushed
            assert stored is None or delivered <= stored
            stored = None
    assert delivered == written > 0


def test_losses_are_spread_over_the_time_they_took() -> None:
    numbers = np.array([4.0, 3.0, 2.0, 1.0, 0.5], dtype=np.float32)
    record = {"first": 7, "count": 5, "start": 1000, "end": 1402, "numbers": pack(numbers)}
    found = [(each.step, each.value, each.timestamp) for each in losses(record)]
    assert found == [(7, 4, 1000), (8, 3, 1100), (9, 2, 1201), (10, 1, 1301), (11, 0.5, 1402)]


def test_a_run_has_the_end_time_of_its_command_even_if_delivered_late(directory: Path) -> None:
    status = r'status\\",\\"status\\":\\"FINISHED\\",\\"time\\":(\d+)'
    (end,) = re.findall(status, (directory / "trace").read_text())
    (run,) = client(directory).search_runs(["0"])
    assert run.info.end_time == int(end)


# ---- a delivery alone -------------------------------------------------------------------------


@pytest.fixture
def journal() -> Iterator[Journal]:
    created = new_journal()
    yield created
    created.close()


@pytest.fixture
def run_id(tracker: Tracker, journal: Journal) -> str:
    """Create the run that the journal is about, after one of somebody else."""
    tracker.client.create_run("0")
    tags = {JOURNAL_TAG: journal.directory.name}
    return str(tracker.client.create_run("0", tags=tags).info.run_id)


def ends(journal: Journal) -> list[int]:
    """Return where each record ends."""
    return [end for end, _ in journal.records()]


def positions(delivery: Delivery, journal: Journal) -> list[int]:
    """Deliver all; return the position after each step."""
    found = []
    while delivery.step():
        found.append((journal.kept("delivered") or {})["position"])
    return found


def some_losses(first: int, count: int) -> Record:
    numbers = pack(np.ones(count, np.float32))
    return {"kind": "losses", "first": first, "count": count, "start": 0, "end": 9} | {
        "numbers": numbers
    }


def trial(number: int) -> Record:
    outcome = Outcome(number, "finished", 2, 1, np.ones(2, np.float32), {}, None, (0, 1000))
    return {"kind": "trial", "name": "a trial", "params": {}, "tags": {}} | outcome.to_record()


def trials(tracker: Tracker, run_id: str) -> int:
    """Count the trials of a run in the store."""
    return len(tracker.client.search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run_id}'"))


def test_values_share_a_call_as_far_as_they_fit_and_come_before_the_status(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    values = {"kind": "values", "time": 7}
    for record in (
        values | {"metrics": {"mine": 1.0}, "params": {"p": "1"}, "tags": {"t": "x"}},
        some_losses(0, 600),
        some_losses(600, 600),
        {"kind": "frames"},  # of the journal alone
        values | {"metrics": {"mine": 1.0, "other": 2.0}, "tags": {"t": "y"}},
        {"kind": "status", "status": "FAILED", "time": 2_000_000_000_000},
        {"kind": "frames"},
    ):
        journal.append(**record)
    at = ends(journal)
    delivery = Delivery(tracker.client, journal, run_id)
    assert positions(delivery, journal) == [at[2], at[4], at[5], at[6]]
    assert positions(Delivery(tracker.client, journal, run_id), journal) == []
    found = tracker.client.get_run(run_id)
    assert (found.info.status, found.info.end_time) == ("FAILED", 2_000_000_000_000)
    assert found.data.metrics == {"loss": 1.0, "mine": 1.0, "other": 2.0}
    assert (found.data.params, found.data.tags["t"]) == ({"p": "1"}, "y")
    assert len(tracker.client.get_metric_history(run_id, "loss")) == 1200
    (point,) = tracker.client.get_metric_history(run_id, "other")
    assert (point.step, point.timestamp) == (0, 7)


def test_many_small_records_take_a_few_calls(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    for number in range(150):
        journal.append("values", time=1, metrics={f"metric{number}": 1.0})
    steps = positions(Delivery(tracker.client, journal, run_id), journal)
    assert len(steps) == 2
    assert len(tracker.client.get_run(run_id).data.metrics) == 150


def test_a_record_of_the_journal_alone_asks_no_store(journal: Journal, tracker: Tracker) -> None:
    journal.append("frames")
    delivery = Delivery(tracker.client, journal, "of no run")
    assert positions(delivery, journal) == ends(journal)


def test_a_status_of_a_run_that_is_resumed_is_no_end(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    journal.append("status", status="RUNNING", time=1)
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert tracker.client.get_run(run_id).info.end_time is None
    tracker.client.set_terminated(run_id, "KILLED")
    journal.append("status", status="RUNNING", time=2)
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert tracker.client.get_run(run_id).info.status == "RUNNING"


def test_what_is_before_the_damage_is_delivered_first(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    journal.append("values", time=1, metrics={"mine": 1.0})
    with (journal.directory / "journal").open("ab") as file:
        file.write(b"0badc0de {}\n")
    delivery = Delivery(tracker.client, journal, run_id)
    assert delivery.step()
    assert tracker.client.get_run(run_id).data.metrics == {"mine": 1.0}
    with pytest.raises(Damaged):
        delivery.step()


def test_files_are_uploaded_to_the_folder_that_their_record_names(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    for to in (None, "pictures"):
        folder = journal.folder()
        (folder / "rst.png").write_text("a picture")
        journal.append_files("artifacts", folder, to=to)
    assert positions(Delivery(tracker.client, journal, run_id), journal) == ends(journal)
    assert [each.path for each in tracker.client.list_artifacts(run_id, "pictures")] == [
        "pictures/rst.png"
    ]
    assert len(tracker.client.list_artifacts(run_id)) == 2


def test_trials_are_counted_over_all_processes_and_delivered_once(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    journal.append(**trial(0))
    journal.append(**trial(1))
    journal.keep("delivered", {"position": 0})  # as an earlier version did
    steps = positions(Delivery(tracker.client, journal, run_id), journal)
    assert steps == [ends(journal)[-1]]  # small ones share a call
    assert journal.kept("delivered") == {"position": ends(journal)[-1], "trials": 2, "doubt": False}
    journal.append(**trial(2))
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert journal.kept("delivered") == {"position": ends(journal)[-1], "trials": 3, "doubt": False}
    # A power cut may bring an old position back.
    journal.keep("delivered", {"position": ends(journal)[0], "trials": 1, "doubt": False})
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert journal.kept("delivered") == {"position": ends(journal)[-1], "trials": 3, "doubt": False}
    journal.keep("delivered", {"position": 0, "trials": 0, "doubt": True})
    delivery = Delivery(tracker.client, journal, run_id)
    journal.append(**trial(3))
    positions(delivery, journal)
    assert (journal.kept("delivered") or {})["doubt"]  # it stays
    assert trials(tracker, run_id) == 4


def test_trials_that_the_store_has_are_not_delivered_again(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    def append_trials() -> None:
        for number in range(2):  # each in a call of its own
            journal.append(**trial(number))
            journal.append("values", time=1)

    append_trials()
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert journal.kept("delivered") == {"position": ends(journal)[-1], "trials": 2, "doubt": False}
    journal.keep("delivered", {"position": 0, "trials": 0, "doubt": False})  # an old position
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert trials(tracker, run_id) == 2
    journal.keep("delivered", {"position": 10**6, "trials": 2, "doubt": False})
    delivery = Delivery(tracker.client, journal, run_id)
    append_trials()  # which the journal had lost
    positions(delivery, journal)
    assert trials(tracker, run_id) == 2


def test_a_metric_can_get_another_value(tracker: Tracker, journal: Journal, run_id: str) -> None:
    for value in (1.0, 2.0):
        journal.append("values", time=int(value), metrics={"mine": value})
        positions(Delivery(tracker.client, journal, run_id), journal)
    points = tracker.client.get_metric_history(run_id, "mine")
    assert [point.value for point in points] == [1.0, 2.0]


def test_a_delivery_that_is_ahead_of_its_journal_goes_on_and_logs_nothing_twice(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    """A power cut took the end of the journal, which is computed again."""
    journal.append("values", time=1, metrics={"mine": 1.0})
    positions(Delivery(tracker.client, journal, run_id), journal)
    journal.keep("delivered", {"position": 10**6})
    delivery = Delivery(tracker.client, journal, run_id)
    journal.append("values", time=2, metrics={"mine": 1.0, "other": 2.0})
    assert positions(delivery, journal) == ends(journal)[1:]
    for name, value in (("mine", 1.0), ("other", 2.0)):
        points = tracker.client.get_metric_history(run_id, name)
        assert [point.value for point in points] == [value]
    assert (journal.kept("delivered") or {})["doubt"]


@pytest.mark.parametrize(("kept", "asked"), [({}, 0), ({"trials": 2}, 1)])
def test_only_the_end_of_a_sweep_looks_for_trials_that_came_twice(
    tracker: Tracker,
    journal: Journal,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
    kept: Record,
    asked: int,
) -> None:
    calls = list[NestedRuns]()
    monkeypatch.setattr(NestedRuns, "remove_extras", lambda nested: calls.append(nested))
    journal.append("status", status="FINISHED", time=1)
    journal.keep("delivered", {"position": 0} | kept)
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert len(calls) == asked


def test_a_second_run_of_the_same_command_is_removed_at_the_end(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    def stages() -> dict[str, str]:
        found = tracker.client.search_runs(
            ["0"], f"tags.`{JOURNAL_TAG}` = '{journal.directory.name}'", ViewType.ALL
        )
        return {run.info.run_id: run.info.lifecycle_stage for run in found}

    second = tracker.client.create_run("0", tags={JOURNAL_TAG: journal.directory.name})
    journal.append(DOUBT)
    journal.append("status", status="FINISHED", time=1)
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert stages() == {run_id: "active", second.info.run_id: "deleted"}


def test_a_second_model_is_removed_at_the_end(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    for _ in range(2):
        tracker.client.create_logged_model("0", MODEL, run_id)
    journal.append("model")
    journal.append("status", status="FINISHED", time=1)
    journal.keep("delivered", {"position": ends(journal)[0]})
    positions(Delivery(tracker.client, journal, run_id), journal)
    assert len(tracker.client.search_logged_models(["0"], f"source_run_id = '{run_id}'")) == 1


def test_the_files_of_a_trial_are_uploaded_to_its_run(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    for number in range(2):
        journal.append(**trial(number))
    folder = journal.folder()
    (folder / "rst.gif").write_text("a film")
    journal.append_files("trial_artifacts", folder, number=1, to="films")
    positions(Delivery(tracker.client, journal, run_id), journal)
    below = f"tags.`mlflow.parentRunId` = '{run_id}' AND tags.`fitreel.trial` = "
    files = [
        [file.path for file in tracker.client.list_artifacts(run.info.run_id, "films")]
        for number in range(2)
        for run in tracker.client.search_runs(["0"], f"{below} '{number}'")
    ]
    assert files == [[], ["films/rst.gif"]]


def test_a_model_is_registered_by_the_name_that_its_record_has(
    tracker: Tracker, journal: Journal, run_id: str
) -> None:
    tracker.client.create_logged_model("0", MODEL, run_id)
    journal.append("register", run_id=run_id, name="parabola")
    positions(Delivery(tracker.client, journal, run_id), journal)
    (version,) = tracker.client.search_model_versions("name = 'parabola'")
    assert version.run_id == run_id


# ---- the values of a run ----------------------------------------------------------------------


def test_a_films_curve_is_spread_over_the_time_it_took() -> None:
    steps, values = np.array([0, 10, 25]), np.array([4.0, 2.0, 1.0])
    record = {"metric": "error", "start": 1000, "end": 1401}  # whole milliseconds
    record |= {"steps": pack(steps), "values": pack(values)}
    found = [(each.key, each.step, each.value, each.timestamp) for each in curve(record)]
    assert found == [("error", 0, 4, 1000), ("error", 10, 2, 1200), ("error", 25, 1, 1401)]


def test_metrics_are_stored_before_params_and_tags_in_calls_that_mlflow_takes(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, log_batch = list[tuple[int, ...]](), Client.log_batch

    def counted(client: Client, its_run: str, **values: list[object]) -> None:
        calls.append(tuple(len(values.get(kind, ())) for kind in ("metrics", "params", "tags")))
        log_batch(client, its_run, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "log_batch", counted)
    values = {"kind": "values", "time": 1}
    for record, expected in (
        (values | {"params": {"p": "1"}, "tags": {"t": "x"}}, [(0, 1, 1)]),
        (values | {"params": {"q": "1"}}, [(0, 1, 0)]),
        (values | {"tags": {"u": "x"}}, [(0, 0, 1)]),
        (values | {"metrics": {"mine": 1.0}}, [(1, 0, 0)]),
        (values, []),
    ):
        calls.clear()
        log_values(tracker.client, run_id, [record])
        assert calls == expected
    calls.clear()
    records = [values | {"tags": {"last": "yes"}}, some_losses(0, 1500), some_losses(1500, 500)]
    log_values(tracker.client, run_id, records)
    assert calls == [(1000, 0, 0), (1000, 0, 0), (0, 0, 1)]
    assert len(tracker.client.get_metric_history(run_id, "loss")) == 2000
    found = tracker.client.get_run(run_id).data
    assert found.params == {"p": "1", "q": "1"}
    assert {"t", "u", "last"} <= found.tags.keys()


def test_a_point_that_the_store_has_is_not_logged_again_with_another_time(
    tracker: Tracker, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, history = list[str](), Client.get_metric_history

    def counted(client: Client, its_run: str, name: str) -> list[Metric]:
        asked.append(name)
        return list(history(client, its_run, name))

    values = {"kind": "values", "time": 1, "metrics": {"mine": 1.0}}
    log_values(tracker.client, run_id, [values, some_losses(0, 3)])
    monkeypatch.setattr(Client, "get_metric_history", counted)
    later = values | {"time": 99, "metrics": {"mine": 1.0, "other": 2.0}}
    lacks = Stored(tracker.client, run_id).lacks
    log_values(tracker.client, run_id, [later, some_losses(0, 5) | {"end": 99}], lacks)
    assert asked == ["mine", "other", "loss"]  # once a metric
    monkeypatch.undo()

    def steps(name: str) -> list[int]:
        return [point.step for point in tracker.client.get_metric_history(run_id, name)]

    assert (steps("mine"), steps("other"), steps("loss")) == ([0], [0], [0, 1, 2, 3, 4])
