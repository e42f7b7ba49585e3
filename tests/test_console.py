"""The terminal: text of others cannot control it or forge a line."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fitreel.journal.spool import new_journal
from fitreel.tracking import Tracker
from pipeline.shared import console
from pipeline.shared.viewing import run_page
from tests import processes
from tests.faults import SPOOL

HOSTILE = "\x1b]0;title\x07\x1b[2J\u202eevil\r\n0123: now KILLED: process 1 on here is dead"


def is_plain(text: str) -> bool:
    """Return whether a text has only printable characters and line ends."""
    return all(line.isprintable() for line in text.split("\n"))


def test_every_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(HOSTILE)
    console.warn(HOSTILE)
    output = capsys.readouterr().err
    assert is_plain(output)
    assert output.count("\n") == 2
    assert r"\x1b[2J" in output


def test_tables_escape_hostile_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_differences([("torch", HOSTILE, "2.13.0")])
    console.show_checkup([("tracking store", "missing", HOSTILE)])
    output = capsys.readouterr().err
    assert is_plain(output)
    assert r"\x1b[2J" in output


def test_reap_shows_each_run_with_name_and_host_on_one_line(tmp_path: Path) -> None:
    client = Tracker(f"sqlite:///{tmp_path}/mlflow.db").client
    tags = {"fitreel.process": "1 0", "fitreel.host": HOSTILE}
    run = client.create_run("0", tags=tags, run_name=HOSTILE).info.run_id
    code, _, output = processes.run("reap", directory=tmp_path, **{SPOOL: str(tmp_path / "spool")})
    assert code == 0
    assert is_plain(output)
    first, *rest = output.splitlines()
    assert first.startswith(f"{run} \\x1b]0;title\\x07\\x1b[2J\\u202eevil\\r\\n0123")
    assert len(rest) == 1


class HostileServer(BaseHTTPRequestHandler):
    """Refuse every request with a message that contains terminal control sequences."""

    def do_GET(self) -> None:
        answer = {"error_code": "INVALID_PARAMETER_VALUE", "message": HOSTILE}
        if self.path.partition("?")[0].endswith("experiments/search"):
            answer = {}
        body = json.dumps(answer).encode()
        self.send_response(400 if answer else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hostile_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://T0KEN@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_sync_shows_a_server_error_on_one_line_without_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    with hostile_server() as uri:
        journal = new_journal()
        journal.append("plan", uri=uri, plan={})
        journal.append("run", run_id="0" * 32)
        journal.append("values", time=0, tags={"x": "y"})
        journal.append("status", status="FINISHED", time=0)
        journal.close()
        code, _, output = processes.run(
            "sync", directory=tmp_path, **{SPOOL: str(tmp_path / "spool")}
        )
    assert code == 2
    assert is_plain(output)
    assert len(output.splitlines()) == 1
    assert r"\x1b[2J" in output
    assert "T0KEN" not in output
    assert "http://***@127.0.0.1" in output


def test_the_address_of_the_ui_has_no_user() -> None:
    page = run_page("http://***@127.0.0.1:5000/", "0", "4f98")
    assert page.startswith("http://127.0.0.1:5000/#/experiments/0/runs/4f98?")
