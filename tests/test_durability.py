"""Durability: what is on the disk before what, and what becomes of files that are not as written.

What a power cut leaves is tried in test_crash_states.py and, on real file systems, in
test_power_cut.py.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fitreel.tracking
from fitreel.checks.durability import sync_folder, sync_tree, writing
from fitreel.checks.files import drafted, sha256
from fitreel.journal.journal import Journal
from fitreel.journal.records import FILED, Damaged
from fitreel.journal.spool import VARIABLE, new_journal
from fitreel.tracking import Tracker
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.repository import make_place_durable


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a spool without the journals of other tests."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "spool"))
    return tmp_path / "spool"


class Disk:
    """A record of what was written to the disk itself: each path, and the SHA-256 of a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: dict[Path, str | None] = {}
        self.steps: list[str] = []
        sync = os.fsync

        def fsync(file: int) -> None:
            sync(file)
            path = Path(f"/proc/self/fd/{file}").readlink()
            self.synced[path] = sha256(path) if path.is_file() else None
            self.steps.append(f"sync {path.name}")

        monkeypatch.setattr(os, "fsync", fsync)

    def has(self, path: Path) -> bool:
        """Return whether a path with its present content, and all folders to it, are on the disk.

        Up to the first folder that this test has not created.
        """
        content = self.synced.get(path, "") == (sha256(path) if path.is_file() else None)
        return content and path.parent in self.synced


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not Path("/proc/self/fd").exists():
        pytest.skip("the path of an open file is known from /proc, which is Linux")
    return Disk(monkeypatch)


def before(
    monkeypatch: pytest.MonkeyPatch, kind: Any, name: str, look: Callable[..., None]
) -> None:
    """Call a function before each call of a method, with its arguments."""
    method = getattr(kind, name)

    def looked_at(*arguments: Any, **options: Any) -> Any:
        look(*arguments, **options)
        return method(*arguments, **options)

    monkeypatch.setattr(kind, name, looked_at)


# ---- the order --------------------------------------------------------------------------------


def test_files_are_on_the_disk_before_the_record_that_names_them(
    tracker: Tracker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def look(journal: Journal, kind: str, **fields: Any) -> None:
        if kind in FILED:
            path = journal.directory / "artifacts" / fields[FILED[kind]]
            files = [path] if path.is_file() else sorted(path.rglob("*"))
            assert files
            assert all(map(disk.has, files))
            named.extend(file.name for file in files)

    before(monkeypatch, Journal, "append", look)
    with tracker.run() as run:
        with run.artifacts("data") as folder:
            (folder / "dataset.csv").write_text("x,y\n0,1\n1,2\n")
            (folder / "below").mkdir()
            (folder / "below/notes.txt").write_text("notes")
        run.log_dataset(folder / "dataset.csv", "points")
        with run.trial_artifacts(0) as folder:
            (folder / "rst.png").write_text("a picture")
    assert named == ["below", "notes.txt", "dataset.csv", "dataset.csv", "rst.png"]


def test_a_single_file_is_on_the_disk_with_its_folder(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, create=True)
    file = journal.folder() / "dataset.csv"
    file.write_text("x,y\n")
    journal.append_files("dataset", file)
    assert disk.has(file)
    assert disk.has(file.parent)
    assert disk.has(journal.directory / "artifacts")
    assert journal.mend() is None  # which leaves what is as it was written
    assert [record["file"] for _, record in journal.records()] == [
        f"{file.parent.name}/{file.name}"
    ]
    journal.close()


def test_the_journal_is_on_the_disk_before_a_run_is_created(
    tracker: Tracker, disk: Disk, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def look(*_: Any, **__: Any) -> None:
        seen.extend(path for path in spool.glob("*/journal") if path.stat().st_size)
        assert disk.has(seen[-1])
        assert disk.has(seen[-1].parent)

    before(monkeypatch, Client, "create_run", look)
    with tracker.run():
        pass
    assert seen


def test_a_record_is_on_the_disk_before_the_store_is_asked(
    tracker: Tracker, disk: Disk, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look(*_: Any, **__: Any) -> None:
        asked.append(next(path for path in spool.glob("*/journal") if disk.has(path)))

    with tracker.run() as run:
        before(monkeypatch, Client, "log_batch", look)
        run.log_metrics({"mine": 1.0})
    assert asked


def test_what_the_store_has_is_on_the_disk_before_the_journal_is_removed(
    tracker: Tracker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []

    def look(journal: Journal) -> None:
        (run_id,) = {
            record["run_id"] for _, record in journal.records() if record["kind"] == "run"
        } or {None}
        if run_id:
            removed.append(place := Path(tracker.client.get_run(run_id).info.artifact_uri))
            assert all(map(disk.has, place.rglob("*")))
            # The folders above, down to that of the store; and the end of SQLite's transaction.
            assert all(map(disk.synced.__contains__, place.parents[:4]))

    before(monkeypatch, Journal, "remove", look)
    with tracker.run() as run, run.artifacts("notes") as folder:
        (folder / "notes.txt").write_text("notes")
    assert [place.name for place in removed] == ["artifacts"]


def test_the_end_of_each_transaction_is_on_the_disk_before_it_counts_as_delivered(
    tracker: Tracker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, Client, "log_batch", lambda *_, **__: disk.steps.append("transaction"))
    before(monkeypatch, Journal, "keep", lambda _, name, *__, **___: disk.steps.append(name))
    with tracker.run() as run:
        disk.steps.clear()
        run.log_metrics({"mine": 1.0})
    store = Path(tracker.client.tracking_uri.removeprefix("sqlite:///")).parent
    first = disk.steps.index("transaction")
    assert f"sync {store.name}" in disk.steps[first : disk.steps.index("delivered", first)]


def test_a_run_is_on_the_disk_before_the_journal_names_it(
    tracker: Tracker, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal of a run that a power cut undid could never be delivered."""
    before(monkeypatch, Client, "create_run", lambda *_, **__: disk.steps.append("creation"))
    before(monkeypatch, Journal, "append", lambda _, kind, **__: disk.steps.append(kind))
    with tracker.run():
        pass
    store = Path(tracker.client.tracking_uri.removeprefix("sqlite:///")).parent
    first = disk.steps.index("creation")
    assert f"sync {store.name}" in disk.steps[first : disk.steps.index("run", first)]


def test_a_journal_is_gone_from_the_disk_before_its_artifacts(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that came back without them would be damaged for ever."""
    journal = new_journal()
    journal.append("values")
    journal.keep("checkpoint", {})
    disk.steps.clear()
    before(monkeypatch, Path, "unlink", lambda path, **_: disk.steps.append(f"unlink {path.name}"))
    journal.remove()
    assert disk.steps[:2] == ["unlink journal", f"sync {journal.directory.name}"]
    assert disk.steps[2].startswith("unlink checkpoint")


def test_a_closed_journal_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, create=True)
    journal.append("status", status="KILLED")
    assert not disk.steps
    journal.close()
    assert disk.has(tmp_path / "journal")


def test_what_is_on_the_disk_is_not_waited_for_again(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, create=True)
    journal.append("losses")
    journal.flush()
    disk.steps.clear()
    journal.append("losses")
    journal.flush()
    journal.close()
    assert disk.steps == ["sync journal"]


def test_a_durable_record_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, create=True)
    journal.append("losses")
    before(monkeypatch, Path, "replace", lambda *_: disk.steps.append("rename"))
    disk.steps.clear()
    journal.keep("safe", {"epoch": 1}, durable=True)
    assert [step for step in disk.steps if tmp_path.parent.name not in step] == [
        "sync journal",
        f"sync {tmp_path.name}",
        "sync safe.new",
        "rename",
        f"sync {tmp_path.name}",
    ]
    disk.steps.clear()
    journal.keep("checkpoint", {"epoch": 2})
    assert disk.steps == ["rename"]
    journal.close()


def test_the_doubt_of_a_delivery_is_on_the_disk(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, create=True)
    journal.keep("delivered", {"position": 1})
    journal.rewind()
    assert "sync delivered.new" in disk.steps
    journal.close()


def test_a_file_for_the_user_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, Path, "replace", lambda *_: disk.steps.append("rename"))
    with drafted(tmp_path / "film.gif") as draft:
        draft.write_text("a film")
    assert disk.steps == [f"sync {draft.name}", "rename", f"sync {tmp_path.name}"]


# ---- a disk that fails ------------------------------------------------------------------------


def test_a_disk_that_failed_once_is_not_trusted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux reports a write that failed once, and forgets it: the next fsync returns 0."""
    journal = Journal(tmp_path, create=True)
    journal.append("losses")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"Input/output error: '.*/journal'$"):
            journal.flush()
    with pytest.raises(OSError, match=r"Input/output error: '.*/journal'$"):
        journal.flush()
    journal.close()


def test_a_disk_that_fails_keeps_no_journal_that_was_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = Journal(tmp_path, create=True)
    monkeypatch.setattr(os, "fsync", fail)
    journal.remove()
    assert not journal.directory.exists()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EIO, "bad"), "[Errno 5] Input/output error: 'here'"),
        (OSError(errno.EIO, "bad", "there"), "[Errno 5] bad: 'there'"),
        (OSError("it has no number"), "it has no number"),
    ],
)
def test_an_error_of_the_disk_names_its_file(error: OSError, text: str) -> None:
    with pytest.raises(OSError, match=f"^{re.escape(text)}$"), writing(Path("here")):
        raise error


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_this_call_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    sync_folder(tmp_path)
    sync_tree(tmp_path)


def test_a_store_below_a_file_system_that_is_read_only_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlruns").mkdir()
    sync, number = os.fsync, errno.EROFS

    def fsync(file: int) -> None:
        if os.path.samestat(os.fstat(file), tmp_path.stat()):
            raise OSError(number, os.strerror(number))
        sync(file)

    monkeypatch.setattr(os, "fsync", fsync)
    make_place_durable(str(tmp_path / "mlruns" / "artifacts"))
    number = errno.EIO
    with pytest.raises(OSError, match=str(tmp_path)):
        make_place_durable(str(tmp_path / "mlruns" / "artifacts"))


# ---- files that are not as they were written ---------------------------------------------------

DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "changed": lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1])),
    "gone": lambda file: file.unlink(),
    "one more": lambda file: file.with_name("another").write_text("not of this run"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("kind", ["artifacts", "trial_artifacts"])
def test_a_folder_that_is_not_as_written_is_damaged(
    tmp_path: Path, kind: str, damage: Callable[[Path], object]
) -> None:
    journal = Journal(tmp_path, create=True)
    folder = journal.folder()
    (folder / "rst.gif").write_text("a film")
    journal.append_files(kind, folder, to=None)
    ((_, record),) = journal.records()
    assert journal.file(record, "folder") == folder
    damage(folder / "rst.gif")
    with pytest.raises(Damaged, match=f"{folder.name} is damaged: it is not what the run wrote"):
        journal.file(record, "folder")
    journal.close()


@pytest.mark.parametrize("damage", [DAMAGES[name] for name in ("empty", "cut", "changed")])
def test_a_file_that_is_not_as_written_is_not_uploaded(
    tracker: Tracker, damage: Callable[[Path], object]
) -> None:
    """A finished run whose delivery was broken off: `sync` reports it, and nothing is uploaded."""
    journal = new_journal()
    journal.append("plan", uri=tracker.client.tracking_uri, plan={"command": "run"})
    created = tracker.client.create_run(tracker.home())
    journal.append("run", run_id=created.info.run_id)
    folder = journal.folder()
    (folder / "rst.gif").write_text("a film")
    journal.append_files("artifacts", folder, to=None)
    journal.append("status", status="FINISHED", time=0, resumable=False)
    damage(folder / "rst.gif")
    journal.close()
    (found,) = fitreel.tracking.sync(created.info.run_id)
    assert found.is_stuck
    assert found.text.endswith(f"is computed again by: fitreel resume {created.info.run_id}")
    assert tracker.client.list_artifacts(created.info.run_id) == []
    assert tracker.client.get_run(created.info.run_id).info.status == "RUNNING"
    (interrupted,) = fitreel.tracking.interrupted(created.info.run_id, tracker.uri)
    assert [each["kind"] for _, each in interrupted.journal.records()] == ["plan", "run"]
    interrupted.journal.remove()


@pytest.mark.parametrize("kept", [None, 0])
def test_a_journal_that_is_cut_doubts_what_was_delivered(tmp_path: Path, kept: int | None) -> None:
    """A power cut may bring back an older position of the delivery, or none."""
    journal = Journal(tmp_path, create=True)
    journal.append("values", metrics={})
    folder = journal.folder()
    (folder / "rst.gif").write_text("a film")
    journal.append_files("artifacts", folder, to=None)
    if kept is not None:
        journal.keep("delivered", {"position": kept, "trials": 0, "doubt": False})
    (folder / "rst.gif").write_text("")
    assert journal.mend()
    assert journal.kept("delivered") == {"position": 0, "trials": 0, "doubt": True}
    journal.close()


def test_the_folder_of_artifacts_is_on_the_disk_when_it_is_new(tmp_path: Path, disk: Disk) -> None:
    journal = Journal(tmp_path, create=True)
    journal.folder()
    assert disk.steps == [f"sync {tmp_path.name}"]
    journal.folder()
    assert len(disk.steps) == 1
    journal.close()
