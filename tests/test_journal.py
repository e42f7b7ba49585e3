"""The journal: complete records in order, even if the last write was cut off."""

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from filelock import lock_descriptor

from fitreel.checks.durability import writing
from fitreel.journal.journal import Journal
from fitreel.journal.records import Record, decode, encode, read

RECORDS: list[dict[str, Any]] = [
    {"kind": "values", "tags": {"a": "ü"}},
    {"kind": "losses", "values": [0.1, 1e-30]},
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    created = Journal(tmp_path, create=True)
    for record in RECORDS:
        created.append(**record)
    return created


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory outside the journal, with files of the user."""
    created = tmp_path_factory.mktemp("elsewhere")
    (created / "tmp12345678").mkdir()
    (created / "secret").touch(0o600)
    return created


def records(directory: Path) -> list[dict[str, object]]:
    return [record for _, record in read(directory)]


def test_appended_records_are_read_in_order(journal: Journal, tmp_path: Path) -> None:
    assert records(tmp_path) == RECORDS
    journal.append("status", status="FINISHED")
    assert records(tmp_path)[-1] == {"kind": "status", "status": "FINISHED"}


def test_reading_can_start_after_any_record(journal: Journal) -> None:
    (first, _), (second, _) = journal.records()
    assert [record for _, record in journal.records(first)] == RECORDS[1:]
    assert list(journal.records(second)) == []


def test_an_incomplete_last_line_is_ignored_and_overwritten(
    journal: Journal, tmp_path: Path
) -> None:
    whole = (tmp_path / "journal").read_bytes()
    journal.close()
    for length in range(len(whole)):
        (tmp_path / "journal").write_bytes(whole[:length])
        kept = whole[:length].count(b"\n")
        assert records(tmp_path) == RECORDS[:kept]
        again = Journal(tmp_path)
        again.append("status", status="KILLED")
        again.close()
        assert records(tmp_path) == [*RECORDS[:kept], {"kind": "status", "status": "KILLED"}]


def test_a_damaged_line_is_reported_after_those_before_it(journal: Journal, tmp_path: Path) -> None:
    whole = bytearray((tmp_path / "journal").read_bytes())
    place = whole.index(b"1e-30")
    whole[place] = ord("2")
    (tmp_path / "journal").write_bytes(whole)
    found = read(tmp_path)
    assert next(found)[1] == RECORDS[0]
    with pytest.raises(ValueError, match=r"journal is damaged at byte \d+"):
        next(found)
    with pytest.raises(ValueError, match="is damaged"):
        Journal.append(reopened(journal), "status")


def reopened(journal: Journal) -> Journal:
    journal.close()
    return Journal(journal.directory)


def test_any_flipped_bit_is_noticed() -> None:
    line = encode(RECORDS[0])
    for place in range(len(line) - 1):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[place] ^= 1 << bit
            assert decode(bytes(flipped)) is None


def test_only_one_process_at_a_time_can_open_a_journal(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="in use by a living process"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_a_checkpoint_is_replaced_completely(journal: Journal, tmp_path: Path) -> None:
    assert journal.kept("checkpoint") is None
    journal.keep("checkpoint", {"epoch": 1})
    journal.keep("checkpoint", {"epoch": 2})
    assert journal.kept("checkpoint") == {"epoch": 2}
    # A kill between writing and renaming leaves the previous checkpoint.
    (tmp_path / "checkpoint.new").write_bytes(b"half of a")
    assert journal.kept("checkpoint") == {"epoch": 2}
    (tmp_path / "checkpoint").write_bytes(encode({"epoch": 3})[:-4])
    assert journal.kept("checkpoint") is None


def test_only_the_owner_can_read_a_journal(journal: Journal) -> None:
    assert (journal.directory / "journal").stat().st_mode & 0o777 == 0o600


def test_a_partly_written_line_is_completed_or_cut_off(tmp_path: Path) -> None:
    """If the disk has no space for the rest, the part that was written is cut off."""
    code = """
import resource, signal, sys
from pathlib import Path
from fitreel.journal.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]), create=True)
journal.append("values", text="whole")
end = (journal.directory / "journal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (end + 10, resource.RLIM_INFINITY))
try:
    journal.append("values", text="too long")
except OSError as error:
    print(error.strerror, (journal.directory / "journal").stat().st_size - end)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append("values", text="again")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large 0\n"
    assert [record["text"] for record in records(tmp_path)] == ["whole", "again"]


@pytest.mark.needs("strace")
def test_flush_writes_to_the_disk(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from fitreel.journal.journal import Journal
journal = Journal(Path(sys.argv[1]), create=True)
journal.append("values")
journal.flush()
"""
    trace = tmp_path / "trace"
    strace = ["strace", "-y", "-e", "trace=write,fsync", "-o", str(trace)]
    subprocess.run([*strace, sys.executable, "-c", code, str(tmp_path)], check=True)
    calls = [
        line.partition("(")[0] for line in trace.read_text().splitlines() if "/journal>" in line
    ]
    assert calls == ["write", "fsync"]


def test_a_replaced_checkpoint_is_not_overwritten(journal: Journal, tmp_path: Path) -> None:
    """A complete checkpoint exists at any moment: readers of the old file can finish."""
    journal.keep("checkpoint", {"epoch": 1})
    with (tmp_path / "checkpoint").open("rb") as old:
        journal.keep("checkpoint", {"epoch": 2})
        assert decode(old.read()) == {"epoch": 1}


def test_a_disk_error_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/journal'"),
        Path("/dev/full").open("wb", buffering=0) as full,
        writing(tmp_path / "journal"),
    ):
        full.write(b"a record")


def test_space_is_reserved_for_the_status(journal: Journal, tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size > 100_000
    journal.make_room()
    assert not reserve.exists()
    reserve.mkdir()  # what cannot be freed is not an error: the status is written all the same
    journal.make_room()


def test_a_journal_whose_first_record_is_damaged_starts_again(
    journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "journal").write_bytes(b"0badc0de {}\n")
    assert journal.mend() == f"{tmp_path / 'journal'} is damaged at byte 0"
    journal.append("values")
    assert [record for _, record in journal.records()] == [{"kind": "values"}]


def test_a_delivery_that_is_ahead_of_its_journal_goes_back_in_doubt(
    journal: Journal, tmp_path: Path
) -> None:
    journal.append("trial")
    whole = (tmp_path / "journal").stat().st_size
    for position, damage, expected in (
        (whole, b"", {"position": whole}),
        (whole + 1, b"", {"position": whole, "trials": 1, "doubt": True}),
        (whole + 100, b"0badc0de {}\n", {"position": whole, "trials": 1, "doubt": True}),
    ):
        with (tmp_path / "journal").open("ab") as file:
            file.write(damage)
        journal.keep("delivered", {"position": position})
        journal.rewind()
        assert journal.kept("delivered") == expected
    journal.keep("delivered", {"position": whole + 100})
    assert journal.mend() == f"{tmp_path / 'journal'} is damaged at byte {whole}"
    assert journal.kept("delivered") == {"position": whole, "trials": 1, "doubt": True}


def test_a_delivery_whose_position_is_lost_starts_again_in_doubt(
    journal: Journal, tmp_path: Path
) -> None:
    again = {"position": 0, "trials": 0, "doubt": True}
    assert journal.mend() is None  # nothing was delivered, and nothing is lost
    assert journal.kept("delivered") is None
    (tmp_path / "delivered").write_bytes(b"")
    journal.rewind()
    assert journal.kept("delivered") == again
    (tmp_path / "delivered").unlink()
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"0badc0de {}\n")
    assert journal.mend() is not None
    assert journal.kept("delivered") == again


def test_remove_deletes_the_journal(journal: Journal, tmp_path: Path) -> None:
    (journal.folder() / "rst.png").touch()
    journal.keep("checkpoint", {"epoch": 1})
    journal.remove()
    assert not tmp_path.exists()


def test_remove_keeps_files_of_the_user(journal: Journal, tmp_path: Path, elsewhere: Path) -> None:
    folder = journal.folder()
    for path in (tmp_path / "thesis", tmp_path / "artifacts/thesis"):
        path.write_text("years of work")
    (folder / "link").symlink_to(elsewhere)
    journal.remove()
    assert sorted(tmp_path.rglob("*")) == [
        tmp_path / "artifacts",
        tmp_path / "artifacts/thesis",
        tmp_path / "thesis",
    ]
    assert len(list(elsewhere.iterdir())) == 2

    (tmp_path / "artifacts/thesis").unlink()
    (tmp_path / "artifacts").rmdir()
    (tmp_path / "artifacts").symlink_to(elsewhere)
    Journal(tmp_path, create=True).remove()
    assert len(list(elsewhere.iterdir())) == 2


# ---- opened again -----------------------------------------------------------------------------


def test_opening_does_not_create_a_journal(journal: Journal, tmp_path: Path) -> None:
    journal.remove()
    for directory in (tmp_path, tmp_path / "of none"):
        with pytest.raises(FileNotFoundError):
            Journal(directory)
    assert not tmp_path.exists()
    tmp_path.mkdir()
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_journal_whose_lock_was_deleted_can_be_opened(journal: Journal, tmp_path: Path) -> None:
    journal.close()
    (tmp_path / "lock").unlink()
    reopened(Journal(tmp_path))
    assert records(tmp_path) == RECORDS


@pytest.mark.parametrize(
    ("is_taken", "error"), [(False, FileNotFoundError), (True, BlockingIOError)]
)
def test_a_journal_that_is_removed_while_it_is_opened_stays_closed(
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_taken: bool,
    error: type[OSError],
) -> None:
    others = list[Journal]()

    def remove_then_lock(file: int, *, blocking: bool) -> bool:
        monkeypatch.undo()
        journal.remove()
        if is_taken:
            tmp_path.mkdir()
            others.append(Journal(tmp_path, create=True))
        return lock_descriptor(file, blocking=blocking)

    monkeypatch.setattr("fitreel.journal.lock.lock_descriptor", remove_then_lock)
    with pytest.raises(error):
        Journal(tmp_path)
    assert tmp_path.exists() == is_taken


# ---- files that records name ------------------------------------------------------------------


def test_a_record_names_a_file_of_its_journal(journal: Journal) -> None:
    file = journal.folder() / "dataset.csv"
    file.touch()
    name = f"{file.parent.name}/{file.name}"
    assert journal.file({"kind": "dataset", "file": name, "path": "data/x.csv"}, "file") == file
    folder = {"kind": "artifacts", "folder": file.parent.name, "to": None}
    assert journal.file(folder, "folder") == file.parent


LEADS_OUT: dict[str, Record] = {
    "parent directory": {"folder": "../../elsewhere"},
    "parent and back": {"folder": "tmp/../tmp"},
    "absolute": {"folder": "/etc"},
    "Windows path": {"folder": "..\\elsewhere"},
    "empty": {"folder": ""},
    "the folder of all artifacts": {"folder": "."},
    "not text": {"folder": 1},
    "no folder": {},
    "missing folder": {"folder": "tmp00000000"},
    "a link": {"folder": "link"},
    "below a link": {"folder": "link/tmp12345678"},
    "a link inside": {"folder": "with link"},
    "a pipe inside": {"folder": "with pipe"},
    "to a parent directory of the run": {"folder": "plain", "to": "../../other"},
    "to an absolute path": {"folder": "plain", "to": "/tmp"},
    "to a list": {"folder": "plain", "to": ["data"]},
    "path with a parent directory": {"folder": "plain", "path": "data/../../x.csv"},
}


@pytest.mark.parametrize("record", LEADS_OUT.values(), ids=LEADS_OUT)
def test_a_record_that_leads_outside_its_journal_is_damage(
    journal: Journal, tmp_path: Path, elsewhere: Path, record: Record
) -> None:
    artifacts = tmp_path / "artifacts"
    for name in ("plain", "with link/deep", "with pipe"):
        (artifacts / name).mkdir(parents=True)
    (artifacts / "link").symlink_to(elsewhere)
    (artifacts / "with link/deep/data.csv").symlink_to(elsewhere / "secret")
    os.mkfifo(artifacts / "with pipe/data.csv")
    with pytest.raises(ValueError, match="journal is damaged: folder in a record of artifacts"):
        journal.file({"kind": "artifacts"} | record, "folder")


def test_a_link_instead_of_the_artifacts_is_damage(
    journal: Journal, tmp_path: Path, elsewhere: Path
) -> None:
    (tmp_path / "artifacts").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="is damaged"):
        journal.file({"kind": "artifacts", "folder": "tmp12345678"}, "folder")


@pytest.mark.parametrize("text", [b"[]", b"1", b'{"of": "no kind"}'])
def test_a_line_that_is_not_a_record_is_damage(
    journal: Journal, tmp_path: Path, text: bytes
) -> None:
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(ValueError, match="is damaged"):
        list(journal.records())


def test_a_kill_during_remove_leaves_no_journal(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise sync would deliver it again, without its files."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    journal.folder()
    monkeypatch.setattr(shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        journal.remove()
    assert not (tmp_path / "journal").exists()
