"""Time limits of requests: longer for files, and as the user sets them."""

import os
import threading
from pathlib import Path

import pytest
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT

from fitreel.tracking.store.limits import CALL, MOST, TRANSFER, RequestLimit, largest_file, transfer


def now() -> int:
    return int(MLFLOW_HTTP_REQUEST_TIMEOUT.get())


def test_longer_requests_do_not_shorten_each_other() -> None:
    limit = RequestLimit()
    limit.start(4)
    assert now() == 4
    limit.settle()
    inside, over = threading.Event(), threading.Event()

    def upload() -> None:
        with limit.allowing(300):
            inside.set()
            over.wait()

    thread = threading.Thread(target=upload)
    with limit.allowing(60):
        assert now() == 60
        thread.start()
        inside.wait()
        assert now() == 300
    assert now() == 300  # the upload is still running
    over.set()
    thread.join()
    assert now() == CALL


def test_a_slow_server_gets_longer_up_to_a_limit() -> None:
    limit = RequestLimit()
    limit.start(CALL)
    limit.stretch()
    assert now() == 2 * CALL
    for _ in range(9):
        limit.stretch()
    assert now() == MOST * CALL
    limit.start(CALL)
    assert now() == CALL


def test_limits_that_the_user_sets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    limit = RequestLimit()
    limit.start(CALL)
    with limit.allowing(300):
        assert now() == 7
    limit.stretch()
    assert now() == 7


def test_a_child_process_distinguishes_its_parents_limits_from_the_users() -> None:
    RequestLimit().start(CALL)
    child = RequestLimit()  # as a child process, with the environment of its parent
    with child.allowing(300):
        assert now() == 300
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == f"{CALL:.0f}"


def test_large_files_may_take_longer(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "large").write_bytes(bytes(1_000_000))
    (tmp_path / "small").write_bytes(b"1")
    assert largest_file(tmp_path) == 1_000_000
    assert transfer(largest_file(tmp_path)) == TRANSFER + 20
