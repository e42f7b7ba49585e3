"""Versions: journals that fitreel 0.6.0 wrote are resumed and delivered; those of a later one wait.

The journals are in tests/data, whose README says how they were made.
"""

import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.data.drawing import generate
from fitreel.journal.records import FORMAT, Record, decode, encode
from fitreel.settings import DataSettings, TrainingSettings
from fitreel.tracking.names import TRIAL_TAG
from fitreel.training.loop import fit
from tests.conftest import ROOT, Command
from tests.faults import ARTIFACTS, losses, runs

KEPT = ROOT / "tests/data/journals-0.6.0"


class Place:
    """A store and a spool in a temporary directory, and fitreel in it."""

    def __init__(self, store: MlflowClient, directory: Path, fitreel: Command) -> None:
        self.store = store
        self.spool = directory / "spool"
        self._uri = f"sqlite:///{directory}/mlflow.db"
        self._fitreel = fitreel

    def revive(self, name: str, **changes: object) -> tuple[Path, str]:
        """Copy a journal into the spool, with a run in the store and ``changes`` of its plan."""
        (kept,) = (path for path in (KEPT / name).iterdir() if path.is_dir())
        journal = self.spool / kept.name
        shutil.copytree(kept, journal)
        self.spool.chmod(0o700)
        (self.spool / "fitreel-spool").write_text("")
        run_id = str(self.store.create_run("0").info.run_id)
        found = [decode(line) for line in (kept / "journal").read_bytes().splitlines(keepends=True)]
        lines = [self._line(record, run_id, changes) for record in found if record]
        assert len(lines) == len(found)
        (journal / "journal").write_bytes(b"".join(lines))
        return journal, run_id

    def _line(self, record: Record, run_id: str, changes: dict[str, object]) -> bytes:
        if record["kind"] == "plan":
            assert "format" not in record
            record |= {"uri": self._uri} | changes
        elif record["kind"] == "run":
            record["run_id"] = run_id
        return encode(record)

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Run fitreel here; return its exit code and its lines, of errors or else of output."""
        changes = {"FITREEL_SPOOL": str(self.spool), "MLFLOW_TRACKING_URI": self._uri}
        done = self._fitreel(*arguments, **changes)
        return done.returncode, (done.stderr or done.stdout).splitlines()

    def artifacts(self, run_id: str) -> set[str]:
        """Return the paths of a run's files."""
        root = Path(self.store.get_run(run_id).info.artifact_uri)
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def place(film_store: MlflowClient, tmp_path: Path, fitreel: Command) -> Place:
    return Place(film_store, tmp_path, fitreel)


def test_a_training_is_resumed_to_the_same_end(place: Place) -> None:
    journal, run_id = place.revive("training")
    code, lines = place.run("resume", run_id)
    assert code == 0, lines
    expected = fit(generate(DataSettings(samples=12)), TrainingSettings(hidden=3, epochs=60))
    assert losses(place.store, run_id) == expected.history.losses.tolist()
    assert place.artifacts(run_id) == ARTIFACTS
    assert place.store.get_run(run_id).info.status == "FINISHED"
    assert not journal.exists()


def test_a_finished_command_is_delivered(place: Place, tmp_path: Path) -> None:
    journal, run_id = place.revive("finished")
    file = next(journal.glob("artifacts/*/dataset.csv")).read_bytes()
    assert place.run("sync") == (0, [f"run {run_id}: delivered, FINISHED"])
    found = place.store.download_artifacts(run_id, "data/dataset.csv", str(tmp_path))
    assert Path(found).read_bytes() == file
    assert place.store.get_run(run_id).info.status == "FINISHED"
    assert not journal.exists()


def test_a_sweep_is_resumed(place: Place) -> None:
    journal, run_id = place.revive("sweep")
    code, lines = place.run("resume", run_id)
    assert code == 0, lines
    found = [run for run in runs(place.store) if TRIAL_TAG in run.data.tags]
    assert sorted(int(run.data.tags[TRIAL_TAG]) for run in found) == [0, 1, 2, 3]
    assert sorted(run.data.params["hidden"] for run in found) == ["2", "3", "4", "5"]
    assert {run.info.status for run in runs(place.store)} == {"FINISHED"}
    assert not journal.exists()


def test_a_film_is_delivered_and_made(place: Place) -> None:
    journal, run_id = place.revive("film")
    assert place.run("sync") == (0, [f"run {run_id}: delivered, KILLED"])
    found = losses(place.store, run_id)
    assert found == [1 / (step + 1) for step in range(len(found))][:40] + [0.02] * (len(found) > 40)
    assert {"rst.gif", "player.html", "predictions.csv"} < place.artifacts(run_id)
    assert not journal.exists()


def test_a_journal_of_a_later_version_is_refused_and_others_are_delivered(place: Place) -> None:
    later, run_id = place.revive("training", format=FORMAT + 1)
    whole = {path: path.read_bytes() for path in later.rglob("*") if path.is_file()}
    delivered, other = place.revive("finished")
    what = (
        f"{later} was written by a newer fitreel (format {FORMAT + 1} of journals; this one reads"
    )
    code, (first, second) = place.run("sync")
    assert code == 2
    assert what in first
    assert second == f"run {other}: delivered, FINISHED"
    assert not delivered.exists()
    for command in ("resume", "watch"):
        code, (line,) = place.run(command, run_id)
        assert (code, line) == (2, f"fitreel: {what} up to {FORMAT}); update fitreel")
    code, lines = place.run("doctor")
    assert "that cannot be read, see fitreel sync" in "".join(lines)
    now = {path: path.read_bytes() for path in later.rglob("*") if path.is_file()}
    assert {path: text for path, text in now.items() if path.name != "lock"} == whole
