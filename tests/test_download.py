"""A table from a path, from standard input, by HTTP, and from a run's artifacts."""

import gzip
import io
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import mlflow
import pyarrow
import pytest
from pyarrow import parquet

from fitreel.data.table import limits
from fitreel.tracking import download, fetch

ROWS = b"a,y\n1,1.5\n2,2.5\n"
PAGE = b"<!doctype html><title>Sign in</title>"


class Answers(BaseHTTPRequestHandler):
    """A server whose paths say how it answers."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/never.csv":
            time.sleep(3)
            return
        if path == "/moved.csv":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        body = {"/page": PAGE, "/rows.csv": ROWS, "/packed": gzip.compress(ROWS)}.get(path, ROWS)
        self.send_response(404 if path == "/missing.csv" else 200)
        if path == "/declared.csv":
            self.send_header("Content-Length", str(10**10))
        self.end_headers()
        with suppress(OSError):  # the reader may have had enough
            while path in ("/endless.csv", "/dripping.csv"):
                self.wfile.write(ROWS if path == "/dripping.csv" else ROWS * 10_000)
                time.sleep(0.02)
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_path_is_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetch("sub/a.csv", tmp_path) == Path("sub/a.csv")
    assert fetch("~/a.csv", tmp_path) == tmp_path / "a.csv"
    assert fetch("file:///some/a%20b.csv", tmp_path) == Path("/some/a b.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (ROWS, ".csv"),
        (ROWS.replace(b",", b"\t"), ".tsv"),
        (gzip.compress(ROWS, mtime=0), ".csv.gz"),
        ("parquet", ".parquet"),
        ("packed parquet", ".parquet.gz"),
    ],
)
def test_standard_input_is_recognised_by_its_content(
    content: bytes | str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(content, str):
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table({"a": [1], "y": [2]}), buffer)
        packed = "packed" in content
        content = gzip.compress(buffer.getvalue()) if packed else buffer.getvalue()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    found = fetch("-", tmp_path)
    assert found.name == f"standard-input{suffix}"
    assert found.read_bytes() == content


def test_an_empty_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(ValueError, match="standard input is empty"):
        fetch("-", tmp_path)


def test_an_endless_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 3 * 2**20)
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        with pytest.raises(ValueError, match="at most 3,145,728 are allowed"):
            fetch("-", tmp_path)


def test_files_by_http(server: str, tmp_path: Path) -> None:
    first, second = (fetch(f"{server}/rows.csv?version={n}", tmp_path) for n in (1, 2))
    assert first != second  # of the same name
    assert first.name == second.name == "rows.csv"
    assert first.read_bytes() == second.read_bytes() == ROWS
    assert fetch(f"{server}/packed", tmp_path).name == "packed.csv.gz"
    assert fetch(f"{server}/..%2f..%2fa", tmp_path).parent.parent == tmp_path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/page", "page is an HTML or XML page, not a table"),
        ("/missing.csv", "/missing.csv answers 404 Not Found"),
        ("/never.csv", "/never.csv does not answer within 0 s"),
        ("/dripping.csv", r"/dripping.csv cannot be read: only [\d,]+ bytes came in 0 s"),
        ("/declared.csv", "declared.csv has 10,000,000,000 bytes; at most 2,000,000 are allowed"),
        ("/endless.csv", r"endless.csv has [\d,]+ bytes; at most 2,000,000 are allowed"),
        ("/moved.csv", "/moved.csv answers 302 .*"),
    ],
)
def test_an_answer_that_is_not_a_table_is_one_line(
    server: str, path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE", 0.3)
    monkeypatch.setattr(download, "PATIENCE", 0.4)
    monkeypatch.setattr(limits, "MOST_BYTES", 2_000_000)
    with pytest.raises(ValueError, match=f"^[^\n]*{message}$"):
        fetch(f"{server}{path}", tmp_path)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    address = "http://user:secret@127.0.0.1:9/a.csv"
    with pytest.raises(ValueError, match=r"127.0.0.1:9/a.csv cannot be read") as caught:
        fetch(address, tmp_path)
    assert "secret" not in str(caught.value)


def test_an_artifact_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        mlflow.log_text(ROWS.decode(), "input/rows.csv")
    found = fetch(f"runs:/{run.info.run_id}/input/rows.csv", tmp_path)
    assert found.read_bytes() == ROWS
    with pytest.raises(ValueError, match="cannot be read: there is no such file"):
        fetch(f"runs:/{run.info.run_id}/input/other.csv", tmp_path)
    with pytest.raises(ValueError, match="cannot be read: "):
        fetch("runs:/0123456789abcdef0123456789abcdef/rows.csv", tmp_path)
    monkeypatch.setattr(limits, "MOST_BYTES", 5)
    with pytest.raises(ValueError, match=r"rows\.csv has 16 bytes"):
        fetch(f"runs:/{run.info.run_id}/input/rows.csv", tmp_path)


def test_an_unknown_scheme(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^nonsense://a/b\.csv cannot be read: [^\n]+$"):
        fetch("nonsense://a/b.csv", tmp_path)
