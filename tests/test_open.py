"""The viewing of a run in a browser: pipeline.open, pipeline.shared.viewing, tracking.ui."""

import json
import os
import signal
from pathlib import Path

import pytest
import requests

from fitreel.tracking import Tracker
from fitreel.tracking.ui import server_of
from pipeline.open import open_run
from tests import processes
from tests.faults import wait_until
from tests.servers import Server

SHORT = ("run", "--epochs", "20", "--max-frames", "3")


@pytest.fixture
def browser(tmp_path: Path) -> dict[str, str]:
    """Replace the browser by a program that writes down what it is asked to open."""
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    program.chmod(0o755)
    return {"BROWSER": f"{program} %s"}


def opened(tmp_path: Path) -> list[str]:
    return (tmp_path / "opened").read_text().split()


def test_a_run_shows_its_player_at_the_end_and_open_shows_it_again(
    tmp_path: Path, browser: dict[str, str]
) -> None:
    code, output, errors = processes.run(*SHORT, "--open", directory=tmp_path, **browser)
    assert code == 0, errors
    run_id = output.strip()
    player = tmp_path / "mlruns/0" / run_id / "artifacts/player.html"
    assert player.is_file()
    assert f"player: {player}\n" in errors
    code, output, errors = processes.run("open", run_id[:8], directory=tmp_path, **browser)
    assert (code, output, errors) == (0, f"{player.as_uri()}\n", "")
    assert opened(tmp_path) == [player.as_uri()] * 2


def test_to_open_the_player_it_must_be_made(tmp_path: Path) -> None:
    code, _, errors = processes.run("run", "--open", "--player", "off", directory=tmp_path)
    assert (code, errors) == (2, "fitreel: --open shows the player; leave out --player off\n")


def test_a_run_without_a_page_is_reported(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with Tracker(uri).run(name="empty") as run:
        pass
    with pytest.raises(FileNotFoundError, match=rf"^run {run.run_id} has no page to open; log one"):
        open_run("empty", tracking_uri=uri)


def test_without_a_browser_the_address_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with Tracker(uri).run(name="a run") as run, run.artifacts() as folder:
        (folder / "player.html").write_text("<p>")
    open_run("a run", as_json=True, tracking_uri=uri)
    output, errors = capsys.readouterr()
    found = json.loads(output)
    assert found["run_id"] == run.run_id
    assert found["address"].endswith("/artifacts/player.html")
    assert errors == f"no browser was found; open this address in one: {found['address']}\n"


def test_a_player_on_a_server_is_copied_and_its_page_is_opened_there(
    tmp_path: Path, browser: dict[str, str]
) -> None:
    (tmp_path / "server").mkdir()
    with Server(tmp_path / "server") as server:
        own = {"MLFLOW_TRACKING_URI": server.url, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        code, output, errors = processes.run(*SHORT, directory=tmp_path, **own)
        assert code == 0, errors
        run_id = output.strip()
        page = f"{server.url}/#/experiments/0/runs/{run_id}?workflowType=machine_learning"
        assert f"in MLflow: {page}\n" in errors
        for more in ((), ("--ui",)):
            code, _, errors = processes.run("open", *more, directory=tmp_path, **own, **browser)
            assert (code, errors) == (0, "")
    copy = tmp_path / "cache/fitreel" / run_id / "player.html"
    assert opened(tmp_path) == [copy.as_uri(), page]
    assert b"Content-Security-Policy" in copy.read_bytes()


def test_without_a_server_one_is_started_and_stopped(
    tmp_path: Path, browser: dict[str, str]
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with Tracker(uri).run(name="a run") as run:
        pass
    process = processes.start("open", "--ui", directory=tmp_path, **browser)
    wait_until((tmp_path / "opened").exists, "no page was opened", pause=0.1)
    (page,) = opened(tmp_path)
    address = page.partition("/#/")[0]
    assert address.startswith("http://127.0.0.1:")
    port = int(address.rpartition(":")[2])
    # The page is that of this store, and a second call would find this server.
    assert server_of(run.run_id, port) == address
    assert server_of("0" * 32, port) is None
    assert requests.get(address, timeout=10).ok
    assert process.pid
    os.kill(process.pid, signal.SIGINT)
    process.join(20)
    assert process.exitcode is not None
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=10)
