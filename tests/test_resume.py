"""resume without a run: the only interrupted one of a store, or a list."""

import json
import math
import re
from contextlib import suppress
from pathlib import Path

import pytest

import fitreel.tracking
from fitreel.journal import spool
from fitreel.tracking import Tracker, store_uri
from pipeline.resume import only_interrupted, resume
from tests import processes
from tests.faults import SPOOL, client, runs


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
