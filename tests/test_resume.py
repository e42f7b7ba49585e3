"""resume without a run: the only interrupted one of a store, or a list."""

import json
import math
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import mlflow
import pytest

import fitreel.tracking
from fitreel.journal import spool
from fitreel.journal.entry import Entry
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record
from fitreel.tracking import Tracker, store_uri
from fitreel.tracking.names import JOURNAL_TAG, KIND_TAG
from fitreel.tracking.resumption import Interrupted, interrupted_runs, waiting_run
from pipeline.resume import only_interrupted, resume
from tests import processes
from tests.faults import SPOOL, client, runs
from tests.stores import new_store


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    return store_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")


def interrupt(uri: str, run_id: str, directory: str) -> None:
    """Leave the journal of a training that was interrupted."""
    journal = spool.new_journal()
    journal.append("plan", uri=uri, plan={"command": "train", "directory": directory})
    journal.append("run", run_id=run_id)
    journal.append("status", status="KILLED", time=0, resumable=True)
    journal.close()


def test_the_only_interrupted_run_of_the_store_is_found(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt("sqlite:////elsewhere.db", "b" * 32, "/home/bob")
    assert only_interrupted(uri, every=False) is None
    assert capsys.readouterr().err.splitlines() == [
        f"nothing to resume in {uri}",
        "1 interrupted in other stores: fitreel resume --all",
    ]
    assert only_interrupted(uri, every=True) == "b" * 32
    interrupt(uri, "a" * 32, "/home/ada")
    assert only_interrupted(uri, every=False) == "a" * 32


def test_several_interrupted_runs_are_listed_with_store_and_directory(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(uri, "a" * 32, "/home/ada")
    interrupt("postgresql://ada:secret@host/db", "b" * 32, "/home/bob")
    with pytest.raises(ValueError, match=r"^2 runs are interrupted; name one: fitreel resume RUN$"):
        resume(every=True, tracking_uri=uri)
    assert sorted(capsys.readouterr().err.splitlines()) == [
        f"{'a' * 32} fitreel train, started in /home/ada, store {uri}",
        f"{'b' * 32} fitreel train, started in /home/bob, store postgresql://***@host/db",
    ]


def test_without_an_interrupted_run_json_is_an_empty_list(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    resume(as_json=True, tracking_uri=uri)
    assert json.loads(capsys.readouterr().out) == {"runs": []}


def test_an_interrupted_run_is_resumed_without_its_id_and_keeps_its_options(tmp_path: Path) -> None:
    own = {SPOOL: str(tmp_path / "spool")}
    command = ("run", "--epochs", "30000", "--checkpoint-every", "100", "--out", "pictures")
    process = processes.start(*command, "--max-frames", "5", directory=tmp_path, **own)
    while not list((tmp_path / "spool").glob("*/checkpoint")):
        assert process.is_alive(), (tmp_path / "err").read_text()
    process.terminate()
    process.join()
    (run,) = runs(client(tmp_path))
    errors = (tmp_path / "err").read_text()
    assert errors.splitlines()[0] == f"run {run.info.run_id}"
    assert f" of 30,000; resume with: fitreel resume {run.info.run_id}\n" in errors

    other = tmp_path / "other"
    other.mkdir()
    where = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}"} | own
    code, output, errors = processes.run("resume", "--json", directory=other, **where)
    assert code == 0, errors
    found = json.loads(output)
    assert (found["run_id"], found["status"]) == (run.info.run_id, "FINISHED")
    # In the directory of the first start.
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {"player.html", "rst.gif", "rst.png"}


def test_a_metric_that_was_logged_before_an_interruption_is_not_logged_again(uri: str) -> None:
    tracker = Tracker(uri)
    with suppress(KeyboardInterrupt), tracker.run(plan={"command": "run"}) as run:
        run.log_metrics({"error": 0.5, "nothing": math.nan})
        raise KeyboardInterrupt
    (interrupted,) = fitreel.tracking.interrupted(run.run_id)
    with tracker.resume(interrupted.journal, run.run_id) as again:
        again.log_metrics({"error": 0.5, "nothing": math.nan, "other": 1.0})
        again.log_metrics({"other": 2.0})
    found = {
        name: [point.value for point in tracker.client.get_metric_history(run.run_id, name)]
        for name in ("error", "other")
    }
    assert found == {"error": [0.5], "other": [1.0, 2.0]}
    assert len(tracker.client.get_metric_history(run.run_id, "nothing")) == 1


def test_a_journal_whose_first_record_is_damaged_is_named(uri: str) -> None:
    tracker = Tracker(uri)
    with suppress(KeyboardInterrupt), tracker.run(plan={"command": "run"}) as run:
        raise KeyboardInterrupt
    (journal,) = spool.directory().glob("*/journal")
    content = journal.read_bytes()
    journal.write_bytes(content[:20] + b"?" + content[21:])
    said = f"the first record of {re.escape(str(journal))} is damaged or cannot be read"
    with pytest.raises(ValueError, match=rf"^run {run.run_id} cannot be resumed: {said}; start"):
        resume(run.run_id, tracking_uri=uri)


def test_a_finished_run_is_printed_as_its_id_or_as_json(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Tracker(uri).run(name="done") as run:
        pass
    resume("done", tracking_uri=uri)
    assert capsys.readouterr().out == f"{run.run_id}\n"
    resume("latest", as_json=True, tracking_uri=uri)
    assert json.loads(capsys.readouterr().out)["name"] == "done"


# ---- which journals belong to a run -----------------------------------------------------------

PLAN = {"command": "train"}
NOWHERE = "sqlite:////nowhere/mlflow.db"


@pytest.fixture
def tracker(uri: str, tmp_path: Path) -> Tracker:
    new_store(tmp_path)
    return Tracker(uri)


def left_by(run_id: str | None, uri: str, *, plan: Record = PLAN, status: str = "") -> Path:
    """Leave a journal; return its directory."""
    journal = spool.new_journal()
    journal.append("plan", uri=uri, plan=plan)
    if run_id:
        journal.append("run", run_id=run_id)
    if status:
        journal.append("status", status=status, time=1, resumable=status != "FINISHED")
    journal.close()
    return journal.directory


def opened(run_id: str, uri: str | None = None) -> list[Path]:
    """Return the journals that are opened to resume a run, and close them again."""
    found = []
    for each in fitreel.tracking.interrupted(run_id, uri):
        assert each.run_id == run_id
        assert each.damage is None
        found.append(each.journal.directory)
        each.journal.close()
    return found


@pytest.mark.usefixtures("uri")
def test_a_run_in_the_spool_is_found_by_the_start_of_its_id_without_its_store() -> None:
    away = "sqlite:////elsewhere.db"
    first, second = "a" * 32, "abcd" + "b" * 28
    left_by(first, away)
    left_by(second, away)
    left_by(None, away)
    assert waiting_run(first) == first
    assert waiting_run("aaaa") == first
    assert waiting_run("abcdbb") == second
    unknown = "c" * 32  # its journal may lack the id
    assert waiting_run(unknown) == unknown


def test_what_names_no_run_in_the_spool_is_looked_for_in_the_store(tracker: Tracker) -> None:
    run_id = tracker.client.create_run("0", run_name="abc").info.run_id
    left_by("abc" + "d" * 29, tracker.uri)
    left_by("eeee" + "0" * 28, tracker.uri)
    left_by("eeee" + "1" * 28, tracker.uri)
    assert waiting_run("abc", tracker.uri) == run_id  # too short for the start of an id
    with pytest.raises(ValueError, match="eeee"):  # the start of two
        waiting_run("eeee", tracker.uri)
    mlflow.set_tracking_uri(NOWHERE)
    assert waiting_run("abc", tracker.uri) == run_id


def test_no_store_is_created_to_look_for_a_run(uri: str, tmp_path: Path) -> None:
    other = store_uri(f"sqlite:///{tmp_path / 'other.db'}")
    mlflow.set_tracking_uri(other)
    left_by("a" * 32, uri, status="FINISHED")
    for look in (
        lambda: waiting_run("abc", uri),
        lambda: opened("b" * 32, uri),  # in the named store
        lambda: opened("a" * 32),  # in that of its journal
        lambda: opened("b" * 32),  # in the default one
    ):
        with pytest.raises(FileNotFoundError):
            look()
        mlflow.set_tracking_uri(other)
    assert not list(tmp_path.glob("*.db"))


def test_the_store_is_a_named_one_or_mlflows_default(uri: str) -> None:
    mlflow.set_tracking_uri("sqlite:////other.db")
    assert store_uri() == "sqlite:////other.db"
    assert store_uri(uri) == uri


def test_only_interrupted_runs_of_a_store_are_listed(uri: str) -> None:
    left_by("a" * 32, uri)
    left_by("b" * 32, uri, status="FINISHED")
    left_by(None, uri)
    left_by("c" * 32, "sqlite:////elsewhere.db")
    living = spool.new_journal()
    living.append("plan", uri=uri, plan=PLAN)
    living.append("run", run_id="d" * 32)
    assert interrupted_runs(uri) == {"a" * 32: f"fitreel train, store {uri}"}
    assert interrupted_runs().keys() == {"a" * 32, "c" * 32}
    living.remove()


def test_the_journals_of_a_run_are_opened_without_asking_its_store(uri: str) -> None:
    its = [left_by("a" * 32, uri), left_by("a" * 32, uri)]
    left_by("a" * 32, uri, status="FINISHED")
    left_by("b" * 32, uri)
    left_by(None, uri)
    assert sorted(opened("a" * 32)) == sorted(its)
    (found, _) = (each for each in fitreel.tracking.interrupted("a" * 32) if close(each))
    assert (found.uri, found.plan) == (uri, PLAN)
    found, _ = (
        each for each in fitreel.tracking.interrupted("a" * 32, "sqlite:///its.db") if close(each)
    )
    assert found.uri == "sqlite:///its.db"


def close(found: Interrupted) -> bool:
    found.journal.close()
    return True


@pytest.mark.usefixtures("uri")
def test_a_run_whose_process_is_alive_is_not_interrupted() -> None:
    journal = spool.new_journal()
    journal.append("plan", uri="sqlite:///mlflow.db", plan=PLAN)
    journal.append("run", run_id="a" * 32)
    text = f"^run {'a' * 32} is not interrupted: its process is alive$"
    with pytest.raises(BlockingIOError, match=text):
        opened("a" * 32)
    journal.remove()


def test_a_journal_that_lacks_the_id_of_its_run_is_found_by_the_tag(tracker: Tracker) -> None:
    left_by(None, tracker.uri)
    its = left_by(None, tracker.uri)
    run_id = tracker.client.create_run("0", tags={JOURNAL_TAG: its.name}).info.run_id
    assert opened(run_id) == [its]
    assert opened(run_id, tracker.uri) == [its]


def test_a_run_that_is_over_but_waits_is_opened_as_its_files_may_be_damaged(
    tracker: Tracker,
) -> None:
    run_id = tracker.client.create_run("0").info.run_id
    its = left_by(run_id, tracker.uri, status="FINISHED")
    left_by("b" * 32, tracker.uri, status="FINISHED")
    assert opened(run_id) == [its]
    tracker.client.set_terminated(run_id, "FINISHED")
    assert opened(run_id) == []


def test_a_run_is_looked_for_in_the_stores_of_journals_that_name_none(
    tracker: Tracker, tmp_path: Path, empty_database: Path
) -> None:
    shutil.copy(empty_database, tmp_path / "other.db")
    other = Tracker(f"sqlite:///{tmp_path / 'other.db'}")
    its = left_by(None, other.uri)
    run_id = other.client.create_run("0", tags={JOURNAL_TAG: its.name}).info.run_id
    mlflow.set_tracking_uri(tracker.client.tracking_uri)
    left_by(None, "sqlite:////elsewhere.db")
    assert opened(run_id) == [its]
    # The error is that of the default store, which is asked first.
    mlflow.set_tracking_uri(tracker.client.tracking_uri)
    with pytest.raises(ValueError, match=r"mlflow\.db"):
        opened("f" * 32)


def test_a_run_is_looked_for_in_a_named_store_only(tracker: Tracker) -> None:
    its = left_by(None, NOWHERE)
    run_id = tracker.client.create_run("0", tags={JOURNAL_TAG: its.name}).info.run_id
    mlflow.set_tracking_uri(NOWHERE)
    assert opened(run_id, tracker.uri) == [its]


def test_the_store_that_a_journal_names_decides(tracker: Tracker, tmp_path: Path) -> None:
    run_id = tracker.client.create_run("0").info.run_id
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "copy.db")
    copy = Tracker(f"sqlite:///{tmp_path / 'copy.db'}")
    copy.client.set_terminated(run_id, "FINISHED")
    its = left_by(run_id, tracker.uri, status="FINISHED")
    mlflow.set_tracking_uri(copy.uri)
    assert opened(run_id) == [its]  # not finished in its own store


def test_the_stores_of_other_runs_are_not_asked(
    tracker: Tracker, tmp_path: Path, empty_database: Path
) -> None:
    shutil.copy(empty_database, tmp_path / "other.db")
    run_id = tracker.client.create_run("0").info.run_id
    left_by("b" * 32, tracker.uri)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(ValueError, match=r"other\.db"):
        opened(run_id)


# ---- journals that change between listing and opening -----------------------------------------


def before_opening(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], only: Path | None = None
) -> None:
    """Call a function when a journal, or only one of them, is about to be opened."""
    real = spool.opened

    def open_changed(path: Path) -> tuple[Journal, Entry]:
        if path == (only or path):
            change(path)
        return real(path)

    monkeypatch.setattr(spool, "opened", open_changed)


def finish(path: Path) -> None:
    journal = Journal(path)
    journal.append("status", status="FINISHED", time=2, resumable=False)
    journal.close()


@pytest.mark.parametrize("change", [shutil.rmtree, finish])
def test_the_others_are_opened_if_one_is_resumed_elsewhere_just_now(
    uri: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    for _ in range(2):
        left_by("a" * 32, uri)
    first, second = (entry.directory for entry in spool.entries())
    before_opening(monkeypatch, change, only=first)
    assert opened("a" * 32) == [second]
    if first.exists():
        Journal(first).close()  # and it is free


@pytest.mark.parametrize("change", [shutil.rmtree, finish])
def test_what_is_true_now_counts_if_another_process_resumed_a_run_first(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    run_id = tracker.client.create_run("0").info.run_id
    left_by(run_id, NOWHERE)

    def change_once(path: Path) -> None:
        monkeypatch.setattr(spool, "opened", real)
        change(path)

    real = spool.opened
    before_opening(monkeypatch, change_once)
    mlflow.set_tracking_uri(NOWHERE)
    if change is finish:  # it waits for its delivery, which may need what is damaged
        assert len(opened(run_id, tracker.uri)) == 1
    else:
        with pytest.raises(ValueError, match=f"^run {run_id} left nothing to resume"):
            opened(run_id, tracker.uri)


def test_what_is_damaged_is_said(uri: str) -> None:
    its = left_by("a" * 32, uri, status="KILLED")
    lines = (its / "journal").read_bytes().splitlines(keepends=True)
    (its / "journal").write_bytes(b"".join([*lines[:-1], b"0" * 8 + lines[-1][8:]]))
    (found,) = fitreel.tracking.interrupted("a" * 32)
    assert found.damage
    assert (its / "journal").read_bytes() == b"".join(lines[:-1])
    found.journal.close()


def test_a_run_that_cannot_be_resumed_says_what_to_do_instead(
    tracker: Tracker, tmp_path: Path
) -> None:
    def refused(run_id: str, text: str) -> None:
        with pytest.raises(ValueError, match=f"^run {run_id}{re.escape(text)}$"):
            opened(run_id, tracker.uri)

    def run(kind: str | None = None, **tags: str) -> str:
        kinds = {KIND_TAG: kind} if kind else {}
        return str(tracker.client.create_run("0", tags=kinds | tags).info.run_id)

    place = tmp_path / "spool"
    refused(
        run(),
        " left nothing to resume on this machine; "
        f"the journals of interrupted commands are in {place}",
    )
    refused(
        run("training"),
        " left nothing to resume on this machine; "
        f"the journals of interrupted commands are in {place}",
    )
    refused(run("comparison"), ", a comparison, cannot be resumed; start its command again")
    for kind, text in (("comparison", ", a comparison,"), (None, "")):
        journal = left_by(None, tracker.uri, plan={})
        refused(
            run(kind, **{JOURNAL_TAG: journal.name}),
            f"{text} cannot be resumed; start its command again; fitreel sync uploads what it left",
        )
    refused(
        run("film"),
        ", a film, cannot be resumed: its training was not fitreel's; fitreel sync uploads what "
        "a killed one left, and makes the film",
    )
