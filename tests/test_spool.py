"""The spool: only what is ours is used, and only that is removed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.journal import spool
from fitreel.journal.journal import Journal
from tests import processes
from tests.faults import SPOOL

NAME = "20261125T101112-0123abcd"  # as a journal's directory is named
RUN_ID = "0" * 32
COMMANDS = ["run", "sync", "reap", "doctor", f"resume {RUN_ID}"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spool of its own, not made yet."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def shared(place: Path) -> Path:
    """A directory of somebody's work, to which the variable was pointed."""
    for path in ("thesis/chapter1.tex", ".git/HEAD", f"{NAME}/data.csv"):
        (place / path).parent.mkdir(parents=True)
        (place / path).write_text("years of work")
    os.utime(place / "thesis", (0, 0))
    return place


def state(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give everything below a directory: mode, time, content."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (directory, *directory.rglob("*"))
    }


def begun(**fields: object) -> Journal:
    """Begin a journal that says what it is about."""
    journal = spool.new_journal()
    journal.append("plan", uri="sqlite:///mlflow.db", plan={}, **fields)
    return journal


# ---- a directory of something else ------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_of_something_else_is_refused_and_not_touched(
    shared: Path, tmp_path: Path, command: str
) -> None:
    before = state(shared)
    MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_experiments()  # reap asks it first
    code, _, errors = processes.run(*command.split(), directory=tmp_path, **{SPOOL: str(shared)})
    if command == "doctor":
        assert code == 1
    else:
        assert (code, errors.count("\n")) == (2, 1), errors
        assert f"{shared} is not a spool of fitreel: it has files" in errors
    assert "$FITREEL_SPOOL" in errors
    assert state(shared) == before


def test_a_new_one_is_marked_before_anything_else_is_in_it(place: Path) -> None:
    assert spool.entries() == []
    assert not place.exists()
    place.mkdir()
    assert spool.entries() == []
    journal = begun()
    assert sorted(place.iterdir()) == [journal.directory, place / spool.MARKER]
    assert [entry.directory for entry in spool.entries()] == [journal.directory]


def test_one_that_somebody_else_uses_too_keeps_what_is_theirs(shared: Path) -> None:
    (shared / spool.MARKER).touch()
    before = state(shared)
    spool.discard_remains()
    assert spool.entries() == []
    assert state(shared) == before


# ---- what dead processes left -----------------------------------------------------------------


def half_made(directory: Path) -> None:
    """A process died before it had written a record."""


def not_locked_yet(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def torn(directory: Path) -> None:
    (directory / "journal").write_bytes(b"0123abcd {")


def half_removed(directory: Path) -> None:
    (directory / "journal").unlink()
    (directory / "checkpoint").touch()
    (directory / "artifacts/tmp0123abc_").mkdir(parents=True)
    (directory / "artifacts/tmp0123abc_/rst.gif").touch()


@pytest.mark.parametrize("leave", [half_made, not_locked_yet, torn, half_removed])
def test_what_a_dead_process_left_without_a_record_goes(
    place: Path, leave: Callable[[Path], None]
) -> None:
    journal = spool.new_journal()
    leave(journal.directory)
    spool.discard_remains()  # its process lives
    lives = leave != not_locked_yet
    assert journal.directory.exists() == lives
    journal.close()
    spool.discard_remains()
    assert list(place.iterdir()) == [place / spool.MARKER]


def thesis(directory: Path) -> None:
    (directory / "thesis.tex").touch()


def thesis_among_artifacts(directory: Path) -> None:
    (directory / "artifacts").mkdir()
    (directory / "artifacts/thesis.tex").touch()


def repository(directory: Path) -> None:
    (directory / ".git").mkdir()


def link_as_artifacts(directory: Path) -> None:
    (directory / "artifacts").symlink_to("/etc")


def directory_as_checkpoint(directory: Path) -> None:
    (directory / "checkpoint").mkdir()


@pytest.mark.parametrize(
    "put",
    [thesis, thesis_among_artifacts, repository, link_as_artifacts, directory_as_checkpoint],
)
def test_what_holds_more_than_ours_stays_as_it_is(place: Path, put: Callable[[Path], None]) -> None:
    journal = spool.new_journal()
    journal.close()
    put(journal.directory)
    before = state(place)
    spool.discard_remains()
    assert state(place) == before


def test_one_that_was_taken_for_a_dead_ones_is_begun_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def just_removed(path: Path, *arguments: object, **options: object) -> None:
        mkdir(path, *arguments, **options)  # type: ignore[arg-type]
        if spool.NAME.fullmatch(path.name):
            monkeypatch.undo()
            monkeypatch.setenv(SPOOL, str(place))
            spool.discard_remains()
            assert not path.exists()

    monkeypatch.setattr(Path, "mkdir", just_removed)
    journal = begun()
    assert [entry.directory for entry in spool.entries()] == [journal.directory]


# ---- who else can write there -----------------------------------------------------------------


def link(place: Path) -> None:
    place.rename(place.with_name("real"))
    place.symlink_to("real")


def for_the_group(place: Path) -> None:
    place.chmod(0o770)


def for_all(place: Path) -> None:
    place.chmod(0o707)


def in_an_open_directory(place: Path) -> None:
    place.parent.chmod(0o777)


def of_another(place: Path) -> None:
    if os.getuid():
        pytest.skip("to give a directory to another user needs root")
    os.chown(place, 65534, 65534)


def no_directory(place: Path) -> None:
    place.rename(place.with_name("real"))
    place.touch()


UNSAFE: dict[str, Callable[[Path], None]] = {
    "is a symbolic link": link,
    "others can write in": for_the_group,
    "others can write in ": for_all,
    "others can exchange": in_an_open_directory,
    "belongs to another user": of_another,
    "is no directory": no_directory,
}


@pytest.mark.parametrize("message", UNSAFE)
def test_one_that_others_can_fill_is_refused(
    place: Path, tmp_path_factory: pytest.TempPathFactory, message: str
) -> None:
    begun().close()
    UNSAFE[message](place)
    before = state(place)
    for use in (spool.new_journal, spool.entries, spool.discard_remains):
        with pytest.raises(OSError, match=rf"{message}.*; fix that, or name another .*SPOOL"):
            use()
    said = tmp_path_factory.mktemp("said")
    code, output, errors = processes.run("sync", directory=said, **{SPOOL: str(place)})
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert message in errors
    assert state(place) == before


@pytest.mark.usefixtures("place")
def test_a_sticky_directory_and_one_of_a_group_may_hold_it(tmp_path: Path) -> None:
    for mode in (0o1777, 0o775):
        tmp_path.chmod(mode)
        begun().close()
    assert len(spool.entries()) == 2


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_what_is_made_for_it_is_its_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "state/fitreel/spool"))
    journal = begun()
    for path in (journal.directory, *journal.directory.parents[:3]):
        assert path.stat().st_mode & 0o077 == 0
    assert len(spool.entries()) == 1


def planted_link(directory: Path) -> None:
    directory.rename(directory.parent / "elsewhere")
    directory.symlink_to("elsewhere")


@pytest.mark.parametrize("plant", [planted_link, for_the_group, of_another])
def test_a_journal_that_somebody_else_put_there_is_not_read(
    place: Path, tmp_path_factory: pytest.TempPathFactory, plant: Callable[[Path], None]
) -> None:
    journal = begun()
    journal.close()
    plant(journal.directory)
    (entry,) = spool.entries()
    assert (entry.uri, entry.run_id) == ("", None)
    with pytest.raises(PermissionError):
        spool.opened(journal.directory)
    said = tmp_path_factory.mktemp("said")
    code, _, errors = processes.run("sync", directory=said, **{SPOOL: str(place)})
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
        # As fitreel 0.2.0 wrote them.
        ([{"kind": "status", "status": "FAILED"}], False),
        ([{"kind": "status", "status": "KILLED"}], False),
        ([{"kind": "status", "status": "FINISHED"}], True),
        ([DIVERGED, {"kind": "status", "status": "FAILED"}], True),
        ([DIVERGED, {"kind": "status", "status": "KILLED"}], False),
        # What the last record says counts, also of a run that was resumed.
        ([DIVERGED, {"kind": "status", "status": "FAILED", "resumable": True}], False),
        ([{"kind": "status", "status": "KILLED"}, {"kind": "status", "status": "RUNNING"}], False),
        ([DIVERGED], False),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_journal_says_whether_its_command_can_be_resumed(
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
    begun().close()
    (entry,) = spool.entries()
    assert entry.is_over
