"""The spool: fitreel uses and removes only its own files."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
import pytest
from mlflow.tracking import MlflowClient

from fitreel.journal import spool
from fitreel.journal.entry import Entry
from fitreel.journal.journal import Journal
from fitreel.journal.records import FORMAT
from tests import processes
from tests.faults import SPOOL, limited

NAME = "20261125T101112-0123abcd"  # the form of the name of a journal
RUN_ID = "0" * 32
COMMANDS = ["run", "sync", "reap", "doctor", f"resume {RUN_ID}"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of a new spool, not created yet."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def shared(place: Path) -> Path:
    """Create a directory with a user's work at the place of the spool."""
    for path in ("thesis/chapter1.tex", ".git/HEAD", f"{NAME}/data.csv"):
        (place / path).parent.mkdir(parents=True)
        (place / path).write_text("years of work")
    os.utime(place / "thesis", (0, 0))
    return place


def state(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time and content of everything below a directory."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (directory, *directory.rglob("*"))
    }


def new_journal(**fields: object) -> Journal:
    """Create a journal with a first record."""
    journal = spool.new_journal()
    journal.append("plan", uri="sqlite:///mlflow.db", plan={}, **fields)
    return journal


# ---- a directory with other files -------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_with_other_files_is_refused_and_not_changed(
    shared: Path, tmp_path: Path, command: str
) -> None:
    before = state(shared)
    MlflowClient(
        f"sqlite:///{tmp_path}/mlflow.db"
    ).search_experiments()  # reap opens the store first
    code, _, errors = processes.run(*command.split(), directory=tmp_path, **{SPOOL: str(shared)})
    if command == "doctor":
        assert code == 1
    else:
        assert (code, errors.count("\n")) == (2, 1), errors
        assert f"{shared} is not a spool of fitreel: it has files" in errors
    assert "$FITREEL_SPOOL" in errors
    assert state(shared) == before


def test_what_is_no_spool_is_named(shared: Path) -> None:
    text = f"{shared} is not a spool of fitreel: it has files, but fitreel-spool is missing; name "
    with pytest.raises(ValueError, match=f"^{re.escape(text)}another place with .FITREEL_SPOOL$"):
        spool.entries()


def test_a_new_spool_is_marked_with_its_first_journal(place: Path) -> None:
    assert spool.entries() == []
    assert not place.exists()
    place.mkdir()
    assert spool.entries() == []
    journal = new_journal()
    assert sorted(place.iterdir()) == [journal.directory, place / spool.MARKER]
    assert [entry.directory for entry in spool.entries()] == [journal.directory]


def test_other_files_in_a_spool_stay(shared: Path) -> None:
    (shared / spool.MARKER).touch()
    before = state(shared)
    spool.discard_remains()
    assert spool.entries() == []
    assert state(shared) == before


# ---- remains of dead processes ----------------------------------------------------------------


def without_records(directory: Path) -> None:
    """Leave the journal of a process that was killed before its first record."""


def without_lock(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def with_incomplete_record(directory: Path) -> None:
    (directory / "journal").write_bytes(b"0123abcd {")


def half_removed(directory: Path) -> None:
    (directory / "journal").unlink()
    (directory / "checkpoint").touch()
    (directory / "artifacts/tmp0123abc_").mkdir(parents=True)
    (directory / "artifacts/tmp0123abc_/rst.gif").touch()


@pytest.mark.parametrize(
    "leave", [without_records, without_lock, with_incomplete_record, half_removed]
)
def test_a_journal_without_records_of_a_dead_process_is_removed(
    place: Path, leave: Callable[[Path], None]
) -> None:
    journal = spool.new_journal()
    leave(journal.directory)
    spool.discard_remains()  # its process is alive
    stays = leave != without_lock
    assert journal.directory.exists() == stays
    journal.close()
    spool.discard_remains()
    assert list(place.iterdir()) == [place / spool.MARKER]


def file_of_a_user(directory: Path) -> None:
    (directory / "thesis.tex").touch()


def file_of_a_user_among_artifacts(directory: Path) -> None:
    (directory / "artifacts").mkdir()
    (directory / "artifacts/thesis.tex").touch()


def repository(directory: Path) -> None:
    (directory / ".git").mkdir()


def link_as_artifacts(directory: Path) -> None:
    (directory / "artifacts").symlink_to("/etc")


def directory_as_checkpoint(directory: Path) -> None:
    (directory / "checkpoint").mkdir()


@pytest.mark.parametrize(
    "add",
    [
        file_of_a_user,
        file_of_a_user_among_artifacts,
        repository,
        link_as_artifacts,
        directory_as_checkpoint,
    ],
)
def test_a_journal_with_other_files_stays(place: Path, add: Callable[[Path], None]) -> None:
    journal = spool.new_journal()
    journal.close()
    add(journal.directory)
    before = state(place)
    spool.discard_remains()
    assert state(place) == before


def test_a_new_journal_that_another_process_removes_is_created_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def create_then_discard(path: Path, *arguments: object, **options: object) -> None:
        mkdir(path, *arguments, **options)  # type: ignore[arg-type]
        if spool.NAME.fullmatch(path.name):
            monkeypatch.undo()
            monkeypatch.setenv(SPOOL, str(place))
            spool.discard_remains()
            assert not path.exists()

    monkeypatch.setattr(Path, "mkdir", create_then_discard)
    journal = new_journal()
    assert [entry.directory for entry in spool.entries()] == [journal.directory]


@pytest.mark.parametrize("error", [FileNotFoundError, BlockingIOError])
def test_a_new_journal_that_another_process_has_is_created_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    refused = list[Path]()

    def open_later(path: Path, *, create: bool) -> Journal:
        if refused:
            return Journal(path, create=create)
        refused.append(path)
        raise error

    monkeypatch.setattr(spool, "Journal", open_later)
    journal = new_journal()
    assert journal.directory not in refused
    assert journal.directory.parent == place
    journal.close()


@pytest.mark.usefixtures("place")
def test_remains_that_become_a_journal_just_now_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = spool.new_journal()
    journal.close()
    answers = [False, True]
    monkeypatch.setattr(spool, "_is_remains", lambda _: answers.pop())
    spool.discard_remains()
    assert not answers
    assert journal.directory.exists()
    Journal(journal.directory).close()  # and it is free


@pytest.mark.usefixtures("place")
def test_a_new_journal_replaces_what_dead_processes_left() -> None:
    left = spool.new_journal()
    left.close()
    new_journal().close()
    assert not left.directory.exists()


@pytest.mark.usefixtures("place")
def test_a_scratch_folder_that_cannot_be_removed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Journal) -> None:
        raise OSError

    monkeypatch.setattr(Journal, "remove", fail)
    with spool.scratch() as folder:
        pass
    assert folder.is_dir()
    monkeypatch.undo()


# ---- a spool that another process creates at the same time ------------------------------------


def create_once_missing(place: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    """Create the spool, as another process would, right after it was found missing."""
    exists = Path.exists

    def look(path: Path) -> bool:
        found = exists(path)
        if path == place and not found:
            place.mkdir()
            place.chmod(mode)
        return found

    monkeypatch.setattr(Path, "exists", look)


def test_two_processes_create_a_spool_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_once_missing(place, monkeypatch, 0o700)
    journal = new_journal()
    assert journal.directory.parent == place
    journal.close()


def test_a_spool_that_was_created_with_other_rights_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_once_missing(place, monkeypatch, 0o707)
    with pytest.raises(PermissionError, match="others can write to"):
        spool.new_journal()
    assert not list(place.iterdir())


def test_the_folders_of_a_new_spool_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = list[Path]()
    monkeypatch.setattr(spool, "sync_folder", synced.append)
    monkeypatch.setenv(SPOOL, str(tmp_path / "state/fitreel/spool"))
    new_journal().close()
    assert synced == [tmp_path, tmp_path / "state", tmp_path / "state/fitreel"]


# ---- permissions ------------------------------------------------------------------------------


def link(place: Path) -> None:
    place.rename(place.with_name("real"))
    place.symlink_to("real")


def writable_by_the_group(place: Path) -> None:
    place.chmod(0o770)


def writable_by_all(place: Path) -> None:
    place.chmod(0o707)


def in_a_directory_writable_by_all(place: Path) -> None:
    place.parent.chmod(0o777)


def of_another_user(place: Path) -> None:
    if os.getuid():
        pytest.skip("to give a directory to another user needs root")
    os.chown(place, 65534, 65534)


def no_directory(place: Path) -> None:
    place.rename(place.with_name("real"))
    place.touch()


UNSAFE: dict[str, Callable[[Path], None]] = {
    "is a symbolic link": link,
    "others can write to": writable_by_the_group,
    "others can write to ": writable_by_all,
    "others can replace": in_a_directory_writable_by_all,
    "belongs to another user": of_another_user,
    "is not a directory": no_directory,
}


@pytest.mark.parametrize("message", UNSAFE)
def test_a_spool_that_others_can_write_is_not_used(place: Path, message: str) -> None:
    new_journal().close()
    UNSAFE[message](place)
    before = state(place)
    for use in (spool.new_journal, spool.entries, spool.discard_remains):
        with pytest.raises(OSError, match=rf"{message}.*; fix that, or name another .*SPOOL"):
            use()
    assert state(place) == before


@pytest.mark.parametrize("message", UNSAFE)
def test_a_command_refuses_a_spool_that_others_can_write(
    place: Path, tmp_path_factory: pytest.TempPathFactory, message: str
) -> None:
    new_journal().close()
    UNSAFE[message](place)
    before = state(place)
    elsewhere = tmp_path_factory.mktemp("output")
    code, output, errors = processes.run("sync", directory=elsewhere, **{SPOOL: str(place)})
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert message in errors
    assert state(place) == before


@pytest.mark.usefixtures("place")
def test_a_spool_can_be_in_a_sticky_directory_or_in_one_of_a_group(tmp_path: Path) -> None:
    for mode in (0o1777, 0o775):
        tmp_path.chmod(mode)
        new_journal().close()
    assert len(spool.entries()) == 2


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_only_the_user_can_read_a_new_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "state/fitreel/spool"))
    journal = new_journal()
    for path in (journal.directory, *journal.directory.parents[:3]):
        assert path.stat().st_mode & 0o077 == 0
    assert len(spool.entries()) == 1


def planted_link(directory: Path) -> None:
    directory.rename(directory.parent / "elsewhere")
    directory.symlink_to("elsewhere")


PLANTED = [planted_link, writable_by_the_group, of_another_user]


@pytest.mark.parametrize("change", PLANTED)
@pytest.mark.usefixtures("place")
def test_a_journal_of_another_user_is_not_read(
    change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = new_journal()
    journal.close()
    change(journal.directory)
    planted = Entry(journal.directory, "", {}, None, None, resumable=False)
    assert spool.entries() == [planted]
    monkeypatch.setattr(spool, "Journal", pytest.fail)  # not even its lock is opened
    with pytest.raises(PermissionError):
        spool.opened(journal.directory)


@pytest.mark.parametrize("change", PLANTED)
@pytest.mark.usefixtures("place")
def test_remains_of_another_user_stay(change: Callable[[Path], None]) -> None:
    journal = spool.new_journal()
    journal.close()
    change(journal.directory)
    spool.discard_remains()
    assert (journal.directory / "lock").exists()


@pytest.mark.parametrize("change", PLANTED)
def test_a_command_reports_a_journal_of_another_user(
    place: Path, tmp_path_factory: pytest.TempPathFactory, change: Callable[[Path], None]
) -> None:
    journal = new_journal()
    journal.close()
    change(journal.directory)
    elsewhere = tmp_path_factory.mktemp("output")
    code, _, errors = processes.run("sync", directory=elsewhere, **{SPOOL: str(place)})
    assert (code, errors.count("\n")) == (2, 1), errors
    assert f"stays in {journal.directory}: it cannot be read: " in errors
    assert (journal.directory / "journal").exists()


DIVERGED = {"kind": "values", "tags": {"fitreel.diverged_epoch": "7"}}


@pytest.mark.parametrize(
    ("records", "is_over"),
    [
        ([{"kind": "status", "status": "FAILED", "resumable": True}], False),
        ([{"kind": "status", "status": "FAILED", "resumable": False}], True),
        ([{"kind": "status", "status": "FINISHED", "resumable": False}], True),
        # Records of fitreel 0.2.0.
        ([{"kind": "status", "status": "FAILED"}], False),
        ([{"kind": "status", "status": "KILLED"}], False),
        ([{"kind": "status", "status": "FINISHED"}], True),
        ([DIVERGED, {"kind": "status", "status": "FAILED"}], True),
        ([DIVERGED, {"kind": "status", "status": "KILLED"}], False),
        # The last record counts, also for a run that was resumed.
        ([DIVERGED, {"kind": "status", "status": "FAILED", "resumable": True}], False),
        ([{"kind": "status", "status": "KILLED"}, {"kind": "status", "status": "RUNNING"}], False),
        ([DIVERGED], False),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_journal_shows_whether_its_command_can_be_resumed(
    records: list[dict[str, object]], is_over: bool
) -> None:
    journal = spool.new_journal()
    journal.append("plan", uri="sqlite:///mlflow.db", plan={"command": "train"})
    for record in records:
        journal.append(**record)  # type: ignore[arg-type]
    journal.close()
    (entry,) = spool.entries()
    assert entry.is_over is is_over


@pytest.mark.usefixtures("place")
def test_a_journal_without_a_plan_has_nothing_to_resume() -> None:
    new_journal().close()
    (entry,) = spool.entries()
    assert entry.is_over


@pytest.mark.usefixtures("place")
def test_a_journal_says_whose_run_it_is_about() -> None:
    journal = spool.new_journal()
    journal.append("plan", uri="sqlite:///mlflow.db", plan={"command": "train"})
    (entry,) = spool.entries()
    assert (entry.uri, entry.plan) == ("sqlite:///mlflow.db", {"command": "train"})
    assert (entry.run_id, entry.status, entry.is_guest, entry.format) == (None, None, False, 1)
    assert entry.resumable
    journal.append("run", run_id=RUN_ID)
    (entry,) = spool.entries()
    assert (entry.run_id, entry.is_guest) == (RUN_ID, False)
    journal.append("run", run_id=RUN_ID, guest=True)
    journal.append("status", status="KILLED")
    (entry,) = spool.entries()
    assert (entry.status, entry.is_guest) == ("KILLED", True)
    journal.append("values", metrics={})
    journal.append("status", status="RUNNING")  # it is resumed
    (entry,) = spool.entries()
    assert entry.status is None
    journal.close()


@pytest.mark.usefixtures("place")
def test_what_a_damaged_journal_says_before_the_damage_counts() -> None:
    journal = new_journal()
    with (journal.directory / "journal").open("ab") as file:
        file.write(b"0badc0de {}\n")
    (entry,) = spool.entries()
    assert (entry.uri, entry.run_id) == ("sqlite:///mlflow.db", None)
    (journal.directory / "journal").write_bytes(b"0badc0de {}\n")
    (entry,) = spool.entries()  # it is there: somebody has to look at it
    assert (entry.uri, entry.plan, entry.run_id) == ("", {}, None)
    journal.close()
    spool.discard_remains()
    assert journal.directory.exists()


@pytest.mark.usefixtures("place")
def test_a_journal_of_a_later_version_is_not_opened() -> None:
    journal = new_journal(format=FORMAT + 1)
    journal.append("status", status={"a meaning": "of later"})
    journal.append("run", run_id=RUN_ID)
    journal.close()
    (entry,) = spool.entries()
    assert (entry.format, entry.run_id, entry.status) == (FORMAT + 1, RUN_ID, None)
    text = (
        f"{journal.directory} was written by a newer fitreel (format {FORMAT + 1} of journals; "
        f"this one reads up to {FORMAT}); update fitreel"
    )
    for _ in range(2):  # and is free again
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            spool.opened(journal.directory)
    journal = new_journal(format=FORMAT)
    journal.append("status", status="KILLED")
    journal.close()
    opened, entry = spool.opened(journal.directory)
    assert (entry.format, entry.status) == (FORMAT, "KILLED")
    opened.close()


# ---- opened and locked ------------------------------------------------------------------------


@pytest.mark.usefixtures("place")
def test_a_journal_without_a_record_is_none() -> None:
    journal = spool.new_journal()
    assert spool.entries() == []
    journal.close()
    for _ in range(2):  # and is free again
        with pytest.raises(FileNotFoundError, match=f"^{journal.directory} has no record$"):
            spool.opened(journal.directory)


def test_a_journal_that_is_removed_while_others_are_listed_is_left_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = new_journal()
    # The names of journals begin with the time: this one is listed first.
    monkeypatch.setattr(spool, "_paths", lambda: [place / NAME, kept.directory])
    assert [entry.directory for entry in spool.entries()] == [kept.directory]
    kept.close()


@pytest.mark.usefixtures("place")
def test_journals_are_claimed_unless_a_process_has_one() -> None:
    first, second = new_journal(), new_journal()
    paths = [first.directory, second.directory.with_name(NAME), second.directory]
    first.close()
    with spool.claimed(paths) as is_free:
        assert is_free is False
    second.close()
    with spool.claimed(paths) as is_free:  # one that is gone is nobody's
        assert is_free
        for path in (first.directory, second.directory):
            with pytest.raises(BlockingIOError):
                Journal(path)
    for path in (first.directory, second.directory):
        Journal(path).close()


def test_a_scratch_folder_is_gone_in_the_end_however_that_comes(place: Path) -> None:
    def use() -> None:
        with spool.scratch() as folder:
            (folder / "model").mkdir()
            assert folder.is_relative_to(place)
            assert spool.entries() == []
            spool.discard_remains()  # by another command: its process is alive
            assert (folder / "model").is_dir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert [path.name for path in place.iterdir()] == [spool.MARKER]


def test_entries_are_listed_by_their_age(place: Path) -> None:
    new_journal().close()
    (path,) = (each.directory for each in spool.entries())
    names = ["20261125T101113-00000000", "20261125T101112-ffffffff", "20260101T000000-aaaaaaaa"]
    for name in names:
        shutil.copytree(path, place / name)
    shutil.rmtree(path)
    assert [entry.directory.name for entry in spool.entries()] == sorted(names)


def test_a_spool_is_among_the_files_of_the_user_unless_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SPOOL, "mine")
    assert spool.directory() == tmp_path / "mine"
    for unset in ("", None):
        monkeypatch.setenv(SPOOL, unset) if unset is not None else monkeypatch.delenv(SPOOL)
        assert spool.directory() == platformdirs.user_state_path("fitreel") / "spool"


def test_a_place_that_cannot_be_written_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(SPOOL, str(tmp_path / "file/spool"))
    text = r"^.*Not a directory.*name another place with \$FITREEL_SPOOL$"
    with pytest.raises(OSError, match=text):
        spool.new_journal()
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    with (
        limited(0),
        pytest.raises(
            PermissionError, match=r"^cannot write into the spool: .*; name another .*SPOOL$"
        ),
    ):
        spool.new_journal()
