"""What is known of a run: pipeline.show."""

import json
from pathlib import Path

import pytest

from fitreel.settings import DataSettings
from fitreel.tracking import Tracker
from pipeline.show import show


@pytest.fixture
def run(tmp_path: Path) -> tuple[str, str]:
    """Create a run with a setting, a metric and two files; return the store and the run's id."""
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with tracker.run(name="a run") as run:
        run.log_settings(DataSettings(noise=0.5))
        run.log_metrics({"loss": 0.25})
        with run.artifacts() as folder:
            (folder / "one.txt").write_text("1")
        with run.artifacts("data") as folder:
            (folder / "two.txt").write_text("2")
    return tracker.client.tracking_uri, run.run_id


def test_settings_metrics_and_files_of_a_run_are_shown(
    run: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    uri, run_id = run
    show("a run", as_json=True, tracking_uri=uri)
    found = json.loads(capsys.readouterr().out)
    assert (found["run_id"], found["name"], found["status"]) == (run_id, "a run", "FINISHED")
    assert found["params"]["noise"] == "0.5"
    assert found["metrics"] == {"loss": 0.25}
    assert list(found["files"]) == ["data/two.txt", "one.txt"]
    assert Path(found["files"]["data/two.txt"]).read_text() == "2"

    show("latest", tracking_uri=uri)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run_id: {run_id}"
    assert "  loss  0.25" in lines
    assert f"  one.txt       {found['files']['one.txt']}" in lines
