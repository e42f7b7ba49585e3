"""The command line with a real tracking server, which also stores the artifacts."""

from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from fitreel.data.files import load_dataset
from tests.conftest import Command
from tests.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running.url


def test_a_run_on_a_server_is_complete(bare_fitreel: Command, server: str, tmp_path: Path) -> None:
    done = bare_fitreel("run", "--epochs", "40", MLFLOW_TRACKING_URI=server)
    assert done.returncode == 0, done.stderr
    (run_id,) = done.stdout.split()  # and no output of MLflow
    assert f"{server}/#/experiments/0/runs/{run_id}" in "".join(done.stderr.split())
    assert not list(tmp_path.iterdir())

    client = MlflowClient(server)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri is not None
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    losses = client.get_metric_history(run_id, "loss")
    assert [point.step for point in losses] == list(range(40))
    film = client.download_artifacts(run_id, "rst.gif", str(tmp_path))
    assert len(iio.imread(film)) == 9

    assert run.inputs is not None
    source = mlflow.data.get_source(run.inputs.dataset_inputs[0].dataset)
    assert len(load_dataset(Path(source.load()))) == 100


def test_stages_read_from_a_server(fitreel: Command, server: str) -> None:
    where = ("--tracking-uri", server)
    (run_id,) = fitreel("generate", "--experiment", "chained", *where).stdout.split()
    for stage in (("train", "--epochs", "40"), ("evaluate",), ("animate",)):
        done = fitreel(*stage, "--run", run_id, *where)
        assert done.returncode == 0, done.stderr
    run = MlflowClient(server).get_run(run_id)
    assert run.data.metrics["test_rmse"] > 0


def test_what_a_server_lacks_is_reported(fitreel: Command, server: str) -> None:
    where = ("--tracking-uri", server)
    done = fitreel("train", "--run", "0123456789abcdef0123456789abcdef", *where)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is no run '0123456789abcdef0123456789abcdef'" in done.stderr
    (run_id,) = fitreel("generate", *where).stdout.split()
    done = fitreel("animate", "--run", run_id, *where)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "has no training/history.csv; log it first" in done.stderr
