"""The journal: whole records or none, in order, whatever the last write came to."""

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from filelock import lock_descriptor

from fitreel.journal.journal import Journal, Record, decode, encode, read, writing

RECORDS: list[dict[str, Any]] = [
    {"kind": "values", "tags": {"a": "ü"}},
    {"kind": "losses", "values": [0.1, 1e-30]},
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path, create=True)
    for record in RECORDS:
        made.append(**record)
    return made


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that is no journal's, and what somebody keeps there."""
    made = tmp_path_factory.mktemp("elsewhere")
    (made / "tmp12345678").mkdir()
    (made / "secret").touch(0o600)
    return made


def records(directory: Path) -> list[dict[str, object]]:
    return [record for _, record in read(directory)]


def test_what_is_appended_is_read_in_order(journal: Journal, tmp_path: Path) -> None:
    assert records(tmp_path) == RECORDS
    journal.append("status", status="FINISHED")
    assert records(tmp_path)[-1] == {"kind": "status", "status": "FINISHED"}


def test_it_can_be_read_on_from_any_record(journal: Journal) -> None:
    (first, _), (second, _) = journal.records()
    assert [record for _, record in journal.records(first)] == RECORDS[1:]
    assert list(journal.records(second)) == []


def test_a_torn_last_line_is_left_out_and_written_over(journal: Journal, tmp_path: Path) -> None:
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


def test_one_process_has_it_at_a_time(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="in use by a living process"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_what_is_kept_is_replaced_whole(journal: Journal, tmp_path: Path) -> None:
    assert journal.kept("checkpoint") is None
    journal.keep("checkpoint", {"epoch": 1})
    journal.keep("checkpoint", {"epoch": 2})
    assert journal.kept("checkpoint") == {"epoch": 2}
    # A death between writing and renaming leaves the last one.
    (tmp_path / "checkpoint.new").write_bytes(b"half of a")
    assert journal.kept("checkpoint") == {"epoch": 2}
    (tmp_path / "checkpoint").write_bytes(encode({"epoch": 3})[:-4])
    assert journal.kept("checkpoint") is None


def test_it_is_its_owners_to_read(journal: Journal) -> None:
    assert (journal.directory / "journal").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_less_than_a_line_gets_the_rest(tmp_path: Path) -> None:
    """And where it has no room for that, what it took of the line is cut off."""
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
def test_flushing_has_the_disk_keep_it(tmp_path: Path) -> None:
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


def test_one_that_is_replaced_is_not_written_over(journal: Journal, tmp_path: Path) -> None:
    """So there is a whole one at any moment: whoever has the old one open reads it to its end."""
    journal.keep("checkpoint", {"epoch": 1})
    with (tmp_path / "checkpoint").open("rb") as old:
        journal.keep("checkpoint", {"epoch": 2})
        assert decode(old.read()) == {"epoch": 1}


def test_an_error_of_the_disk_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/journal'"),
        Path("/dev/full").open("wb", buffering=0) as full,
        writing(tmp_path / "journal"),
    ):
        full.write(b"a record")


def test_room_is_set_aside_for_the_last_words(journal: Journal, tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size > 100_000
    journal.make_room()
    assert not reserve.exists()


def test_it_is_gone_when_it_is_removed(journal: Journal, tmp_path: Path) -> None:
    (journal.folder() / "rst.png").touch()
    journal.keep("checkpoint", {"epoch": 1})
    journal.remove()
    assert not tmp_path.exists()


def test_what_is_not_its_own_stays_when_it_is_removed(
    journal: Journal, tmp_path: Path, elsewhere: Path
) -> None:
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


def test_none_is_made_where_one_is_opened(journal: Journal, tmp_path: Path) -> None:
    journal.remove()
    for directory in (tmp_path, tmp_path / "of none"):
        with pytest.raises(FileNotFoundError):
            Journal(directory)
    assert not tmp_path.exists()
    tmp_path.mkdir()
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_whose_lock_was_deleted_can_be_opened(journal: Journal, tmp_path: Path) -> None:
    journal.close()
    (tmp_path / "lock").unlink()
    reopened(Journal(tmp_path))
    assert records(tmp_path) == RECORDS


@pytest.mark.parametrize(
    ("is_taken", "error"), [(False, FileNotFoundError), (True, BlockingIOError)]
)
def test_one_that_is_removed_while_it_is_opened_is_never_opened_again(
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_taken: bool,
    error: type[OSError],
) -> None:
    others = list[Journal]()

    def too_late(file: int, *, blocking: bool) -> bool:
        monkeypatch.undo()
        journal.remove()
        if is_taken:
            tmp_path.mkdir()
            others.append(Journal(tmp_path, create=True))
        return lock_descriptor(file, blocking=blocking)

    monkeypatch.setattr("fitreel.journal.lock.lock_descriptor", too_late)
    with pytest.raises(error):
        Journal(tmp_path)
    assert tmp_path.exists() == is_taken


# ---- the files that its records name ----------------------------------------------------------


def test_a_record_names_a_file_of_its_own(journal: Journal) -> None:
    file = journal.folder() / "dataset.csv"
    file.touch()
    name = f"{file.parent.name}/{file.name}"
    assert journal.file({"kind": "dataset", "file": name, "path": "data/x.csv"}, "file") == file
    folder = {"kind": "artifacts", "folder": file.parent.name, "to": None}
    assert journal.file(folder, "folder") == file.parent


LEADS_OUT: dict[str, Record] = {
    "up": {"folder": "../../elsewhere"},
    "up and back": {"folder": "tmp/../tmp"},
    "absolute": {"folder": "/etc"},
    "of Windows": {"folder": "..\\elsewhere"},
    "nothing": {"folder": ""},
    "the whole": {"folder": "."},
    "no text": {"folder": 1},
    "not there": {},
    "missing": {"folder": "tmp00000000"},
    "a link": {"folder": "link"},
    "below a link": {"folder": "link/tmp12345678"},
    "a link inside": {"folder": "with link"},
    "a pipe inside": {"folder": "with pipe"},
    "up in the run": {"folder": "plain", "to": "../../other"},
    "away from the run": {"folder": "plain", "to": "/tmp"},
    "a list": {"folder": "plain", "to": ["data"]},
    "an address that goes up": {"folder": "plain", "path": "data/../../x.csv"},
}


@pytest.mark.parametrize("record", LEADS_OUT.values(), ids=LEADS_OUT)
def test_one_that_leads_elsewhere_is_damage(
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


def test_artifacts_that_are_a_link_are_damage(
    journal: Journal, tmp_path: Path, elsewhere: Path
) -> None:
    (tmp_path / "artifacts").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="is damaged"):
        journal.file({"kind": "artifacts", "folder": "tmp12345678"}, "folder")


@pytest.mark.parametrize("text", [b"[]", b"1", b'{"of": "no kind"}'])
def test_a_line_that_is_no_record_is_damage(journal: Journal, tmp_path: Path, text: bytes) -> None:
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(ValueError, match="is damaged"):
        list(journal.records())


def test_a_death_while_it_is_removed_leaves_no_journal(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or sync would deliver it once more, without its files."""

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    journal.folder()
    monkeypatch.setattr(shutil, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        journal.remove()
    assert not (tmp_path / "journal").exists()
