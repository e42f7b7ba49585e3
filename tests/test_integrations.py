"""What the callbacks of all frameworks share: how a film ends, and what they say is missing."""

import copy
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from fitreel.integrations.filming import EndsWithBlock, Filming
from tests.conftest import environment
from tests.faults import runs
from tests.filmed import Film, films, only_film

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2


def square(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = x[:, 0] ** 2
    return found


def opened(**options: object) -> Filming:
    filming = Filming({"every": 1, **options})
    filming.start(X, Y, square)
    for step in range(3):
        filming.frame(step, 1 / (step + 1), square, {"val": step, "text": "x", "none": None})
    return filming


def test_metrics_that_are_no_numbers_are_left_out(film_store: MlflowClient) -> None:
    filming = opened()
    filming.point(2, {"val": 9.0, "an, odd: name": 1.0})
    filming.end()
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FINISHED", [0, 1, 2])
    assert found.points("val") == [(0, 0), (1, 1), (2, 2)]  # a step has one value
    assert found.run.data.metrics.keys() == {"loss", "val", "an_ odd: name"}


def test_what_is_not_open_takes_nothing() -> None:
    filming = Filming({})
    filming.frame(0, 1.0, square)
    filming.point(0, {"val": 1.0})
    filming.end()


def test_in_the_run_of_somebody_else_metrics_have_a_prefix(film_store: MlflowClient) -> None:
    with mlflow.start_run() as active:
        opened().end()
        opened(guest_prefix="again/").end()
        assert film_store.get_run(active.info.run_id).info.status == "RUNNING"
    found = Film(film_store, film_store.get_run(active.info.run_id))
    names = {"film/loss", "film/val", "again/loss", "again/val"}
    assert found.run.data.metrics.keys() == names
    assert found.reel().curves.keys() == {"loss", "val"}


def test_a_copy_and_a_pickle_have_no_film(film_store: MlflowClient) -> None:
    filming = opened(name="mine")
    for other in (copy.deepcopy(filming), pickle.loads(pickle.dumps(filming))):
        other.end()
        assert [run.info.status for run in runs(film_store)] == ["RUNNING"]
        other.start(X, Y)
        other.end()
        (other_run,) = [each.run for each in films(film_store) if each.status == "FINISHED"]
        film_store.delete_run(other_run.info.run_id)
    filming.end()
    assert only_film(film_store).status == "FINISHED"


def test_a_film_ends_when_its_callback_is_gone(film_store: MlflowClient) -> None:
    filming = opened()
    del filming
    gc.collect()
    found = only_film(film_store)
    assert (found.status, found.frames) == ("FAILED", [0, 1, 2])


def test_a_block_without_an_error_leaves_the_film_to_its_training(film_store: MlflowClient) -> None:
    class Callback(EndsWithBlock):
        filming_ = opened()

    with Callback():
        pass
    assert only_film(film_store).status == "FINISHED"


def test_a_film_that_cannot_be_made_is_a_warning(
    film_store: MlflowClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    filming = opened()
    monkeypatch.setattr("fitreel.tracking.filming.log_film", fail)
    with caplog.at_level(logging.WARNING, "fitreel"):
        filming.end()
    assert caplog.messages == ["the film could not be made: no room"]
    assert only_film(film_store).status == "FAILED"


def test_who_stops_a_frame_stops_the_training(film_store: MlflowClient) -> None:
    def stop(_: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    filming = opened()
    with pytest.raises(KeyboardInterrupt):
        filming.frame(3, 0.1, stop)
    assert only_film(film_store).status == "KILLED"


def test_predictions_column_by_column_are_kept(film_store: MlflowClient) -> None:
    """Some estimators of scikit-learn return such arrays."""

    def columns(x: np.ndarray) -> np.ndarray:
        return np.asfortranarray(np.tile([0.25, 0.75], (len(x), 1)))

    filming = Filming({"classes": ("no", "yes"), "every": 1})
    filming.start(X, (X[:, 0] > 0).astype(int), columns)
    filming.frame(0, 0.5, columns)
    filming.end()
    assert only_film(film_store).reel().recording().predictions[0, :, 1] == pytest.approx(0.75)


def test_no_other_thread_touches_the_filters_of_warnings(
    film_store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They belong to all threads: what another one puts back may be what the training had set."""
    threads = set()

    class Noted(warnings.catch_warnings):
        def __enter__(self) -> Any:
            threads.add(threading.current_thread())
            return super().__enter__()

    monkeypatch.setattr(warnings, "catch_warnings", Noted)
    opened().end()
    assert only_film(film_store).status == "FINISHED"
    assert threads <= {threading.main_thread()}


PROCESS = """
import os, signal, sys
import numpy as np
from fitreel.integrations.filming import Filming

filming = Filming({{"every": 1}})
square = lambda x: x[:, 0] ** 2
x = np.linspace(-1, 1, 20)[:, None]
filming.start(x, square(x), square)
for step in range(3):
    filming.frame(step, 0.1, square)
{end}
"""


@pytest.mark.parametrize(
    ("end", "code", "status"),
    [
        ("1 / 0", 1, "FAILED"),
        ("os.kill(os.getpid(), signal.SIGINT)", 1, "KILLED"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 128 + signal.SIGTERM, "KILLED"),
        ("sys.exit(3)", 3, "KILLED"),
    ],
)
def test_a_film_ends_with_the_process(
    film_store: MlflowClient, tmp_path: Path, end: str, code: int, status: str
) -> None:
    """A script in which a training raises, and the framework does not say so."""
    paths = os.pathsep.join(sys.path)
    places = environment(PYTHONPATH=paths, MLFLOW_TRACKING_URI=mlflow.get_tracking_uri())
    script = PROCESS.format(end=end)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=places,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    found = only_film(film_store)
    assert (found.status, found.frames) == (status, [0, 1, 2])


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("lightning", "lightning"),
        ("transformers", "transformers"),
        ("keras", "keras"),
        ("skorch", "skorch"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module: str, package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None; import fitreel.integrations.{module}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: FilmCallback for ")
    assert last.endswith(f"needs {package}: pip install 'fitreel[{module}]'")
