"""Many commands start at once on a database that does not exist yet."""

import shutil
from pathlib import Path

import pytest

from tests import processes
from tests.faults import SPOOL, client, journals, losses, runs

EPOCHS = 300


@pytest.mark.parametrize("experiment", [None, "together"])
def test_commands_that_start_at_once_all_finish(
    tmp_path: Path, torture: bool, experiment: str | None
) -> None:
    for turn in range(10 if torture else 1):
        directory, spool = tmp_path / f"fresh-{turn}", tmp_path / "spool"
        directory.mkdir()
        started = []
        for number in range(32 if torture else 4 if experiment else 8):
            output = tmp_path / f"{turn}-{number}"
            output.mkdir()
            named = ("--experiment", experiment) if experiment else ()
            every = ("--epochs", str(EPOCHS), "--seed", str(number), "--max-frames", "10")
            where = {SPOOL: str(spool)}
            process = processes.start(
                "run", *every, *named, directory=directory, output_to=output, **where
            )
            started.append((output, process))
        for output, process in started:
            process.join()
            assert process.exitcode == 0, (output / "err").read_text()
        ids = {(output / "out").read_text().strip() for output, _ in started}
        found = runs(client(directory))
        assert {run.info.run_id for run in found} == ids
        assert len(ids) == len(started)
        for run in found:
            assert run.info.status == "FINISHED"
            assert len(losses(client(directory), run.info.run_id)) == EPOCHS
        names = [each.name for each in client(directory).search_experiments()]
        assert sorted(names) == sorted(["Default", *([experiment] if experiment else [])])
        (first,) = {run.info.experiment_id for run in found}
        assert (first == "0") == (experiment is None)
        assert journals(spool) == []
        assert {path.name for path in directory.iterdir()} == {"mlflow.db", "mlruns"}
        shutil.rmtree(directory)
