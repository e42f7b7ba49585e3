"""The terminal: what others wrote drives nothing, and forges no line."""

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
from tests import processes
from tests.faults import SPOOL

HOSTILE = "\x1b]0;title\x07\x1b[2J\u202eevil\r\n0123: now KILLED: process 1 on here is dead"


def is_plain(text: str) -> bool:
    """Tell whether all of it but the ends of its lines can be seen."""
    return all(line.isprintable() for line in text.split("\n"))


def test_what_is_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(HOSTILE)
    console.warn(HOSTILE)
    said = capsys.readouterr().err
    assert is_plain(said)
    assert said.count("\n") == 2
    assert r"\x1b[2J" in said


def test_tables_show_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_differences([("torch", HOSTILE, "2.13.0")])
    console.show_checkup([("tracking store", "missing", HOSTILE)])
    said = capsys.readouterr().err
    assert is_plain(said)
    assert r"\x1b[2J" in said


def test_reap_shows_names_and_hosts_of_runs_on_a_line_each(tmp_path: Path) -> None:
    client = Tracker(f"sqlite:///{tmp_path}/mlflow.db").client
    tags = {"fitreel.process": "1 0", "fitreel.host": HOSTILE}
    run = client.create_run("0", tags=tags, run_name=HOSTILE).info.run_id
    code, _, said = processes.run("reap", directory=tmp_path, **{SPOOL: str(tmp_path / "spool")})
    assert code == 0
    assert is_plain(said)
    first, *rest = said.splitlines()
    assert first.startswith(f"{run} \\x1b]0;title\\x07\\x1b[2J\\u202eevil\\r\\n0123")
    assert len(rest) == 1


class Insolent(BaseHTTPRequestHandler):
    """Refuse every request with a message that drives a terminal."""

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
def insolent() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Insolent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://T0KEN@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_sync_shows_what_a_server_says_on_a_line_and_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))
    with insolent() as uri:
        journal = new_journal()
        journal.append("plan", uri=uri, plan={})
        journal.append("run", run_id="0" * 32)
        journal.append("values", time=0, tags={"x": "y"})
        journal.append("status", status="FINISHED", time=0)
        journal.close()
        code, _, said = processes.run(
            "sync", directory=tmp_path, **{SPOOL: str(tmp_path / "spool")}
        )
    assert code == 2
    assert is_plain(said)
    assert len(said.splitlines()) == 1
    assert r"\x1b[2J" in said
    assert "T0KEN" not in said
    assert "http://***@127.0.0.1" in said


def test_the_way_to_the_ui_asks_a_browser_for_the_user(tmp_path: Path) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.run() as run:
        pass
    way = console._way_to_ui(run, "http://***@127.0.0.1:5000/")
    assert way.startswith("http://127.0.0.1:5000/#/experiments/0/runs/")
