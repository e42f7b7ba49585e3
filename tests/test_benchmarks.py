"""The benchmarks: both sides do the same work, and the page shows every result."""

import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import optuna
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.__main__ import select
from benchmarks.limit import Limit, NoCompilerError
from benchmarks.page import PAGE, line, page
from benchmarks.results import Measured, load, measured_here, merged, save, summarise, verdict
from benchmarks.rows import ROWS
from benchmarks.sweeps import EVERY_LOSS, SCRIPT, SPACE
from benchmarks.timing import Times
from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from tests.conftest import ROOT, Command, environment


def trials(directory: Path) -> tuple[MlflowClient, list[Run]]:
    """Return the nested runs of a directory's store; assert that they have the same parent."""
    client = MlflowClient(f"sqlite:///{directory}/mlflow.db")
    runs = client.search_runs(["0"])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {parent.info.run_id}
    return client, nested


def of_trial(client: MlflowClient, run: Run) -> dict[str, object]:
    """Return what is tracked of a trial, except what its values or chance decide."""
    files = {Path(file.path).stem for file in client.list_artifacts(run.info.run_id)}
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert sorted(point.step for point in curve) == list(range(100))
    assert "weights" in files
    searched = {"lr", "hidden", "seed"}
    assert searched < run.data.params.keys()
    without = searched | {"frame_every"}  # a setting of films, which the script does not make
    return {
        "status": run.info.status,
        "metrics": set(run.data.metrics),
        "params": {name: run.data.params[name] for name in run.data.params.keys() - without},
    }


@pytest.fixture
def ours(fitreel: Command, tmp_path: Path) -> tuple[MlflowClient, list[Run]]:
    done = fitreel("sweep", "--trials", "2", "--space", SPACE, *EVERY_LOSS)
    assert done.returncode == 0, done.stderr
    return trials(tmp_path)


@pytest.mark.parametrize("how", ["log-metric", "log-batch"])
def test_the_script_tracks_the_same_as_a_sweep(
    how: str, ours: tuple[MlflowClient, list[Run]], tmp_path: Path
) -> None:
    there = tmp_path / "theirs"
    there.mkdir()
    script = [sys.executable, SCRIPT, how, "2"]
    output = subprocess.run(
        script, cwd=there, env=environment(), check=True, capture_output=True, text=True
    ).stdout
    assert float(output) > 0  # the script prints the seconds of the search
    seen = [of_trial(client, run) for client, runs in (ours, trials(there)) for run in runs]
    assert len(seen) == 4
    assert seen == [seen[0]] * 4
    kept = JournalStorage(JournalFileBackend(str(tmp_path / "optuna.log")))
    for storage in (kept, f"sqlite:///{there}/optuna.db"):
        (study,) = optuna.get_all_study_summaries(storage)
        assert study.n_trials == 2


@pytest.mark.needs("compiler")
def test_the_loops_in_c_train_like_fit(dataset: Dataset, tmp_path: Path) -> None:
    settings = [
        TrainingSettings(lr=lr, seed=seed, epochs=200) for seed, lr in enumerate((0.01, 0.1))
    ]
    limit = Limit(dataset, settings, tmp_path)
    limit.check(range(2))
    assert limit.seconds() > 0
    settings[1] = TrainingSettings(lr=0.1, seed=2, epochs=200)
    with pytest.raises(ArithmeticError, match="the losses of training 1 differ by"):
        limit.check(range(2))


def test_without_a_compiler_the_row_is_left_out(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompilerError, match="none of cc, gcc, clang is installed"):
        Limit(dataset, [TrainingSettings()], tmp_path)


def test_a_prefix_selects_its_rows() -> None:
    assert list(select(["sweep"])) == [name for name in ROWS if name.startswith("sweep-")]
    assert list(select(["help", "sweep-growth"])) == ["help", "sweep-growth"]
    assert list(select([])) == list(ROWS)


@pytest.fixture
def measured() -> Measured:
    """Return invented results of all rows except one."""
    results = {
        name: summarise(row, Times([1.0] * row.pairs, [2.0] * row.pairs), None, "Measured once.")
        for name, row in ROWS.items()
        if name != "stack-limit"
    }
    return measured_here(results, {"stack-limit": "no compiler"})


def test_the_page_shows_every_row(measured: Measured) -> None:
    text = page(measured)
    table = re.findall(r"^\| ([a-z-]+) \|.* \| (?:met|missed) \|$", text, re.MULTILINE)
    assert table == list(measured.results)
    assert re.findall(r"^- \*\*([a-z-]+)\*\*: .* Measured once\.$", text, re.MULTILINE) == table
    assert "- **stack-limit**: left out here; no compiler." in text
    assert "sweep-growth 3" in text
    for link in re.findall(r"\]\(\.\./([^)]+)\)", text):
        assert (ROOT / link).exists()


def test_the_page_is_generated_from_the_results(measured: Measured, tmp_path: Path) -> None:
    save(measured, tmp_path / "measured.json")
    assert page(load(tmp_path / "measured.json")) == page(measured)
    for name, row in ROWS.items():  # the note about a row is next to it
        assert row.note in page(measured)
        assert not row.note or f"- **{name}**: {row.note}\n" in page(measured)
    for package in ("torch", "mlflow", "optuna", "ray"):
        assert f"{package} {version(package)}" in page(measured)


def test_the_page_was_not_edited_by_hand() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(load())
    assert load().results.keys() | load().left_out.keys() == ROWS.keys()


def test_some_rows_are_measured_again_and_the_others_kept(measured: Measured) -> None:
    again = summarise(ROWS["help"], Times([1.0] * 5, [9.0] * 5))
    now = replace(measured, when="later", results={"help": again}, left_out={"film": "broken"})
    found = merged(measured, now)
    assert list(found.results) == [name for name in measured.results if name != "film"]
    assert found.results["help"] == again
    assert found.results["run"] == measured.results["run"]
    assert found.left_out == {"stack-limit": "no compiler", "film": "broken"}
    with pytest.raises(ValueError, match="the last results are of another machine"):
        merged(replace(measured, machine="another"), now)


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ((1.25, 1.25, 1.26, 1.28, 1.3), "met"),
        ((0.9, 0.9, 1.0, 1.2, 4.7), "met"),  # only one pair
        ((0.88, 1.1, 1.25, 1.6, 4.71), "unclear"),
        ((0.9, 1.2, 1.4, 1.5, 1.6), "unclear"),
        ((1.31, 1.4, 1.5, 1.6, 4.7), "missed"),
    ],
)
def test_a_goal_is_met_if_the_quartiles_agree_with_the_median(
    ratios: tuple[float, ...], expected: str
) -> None:
    row = ROWS["training"]  # at most 1.3 × its time
    result = summarise(row, Times(list(ratios), [1.0] * 5))
    assert verdict(row, result) == expected
    assert result.low <= result.ratio <= result.high
    faster = replace(row, goal=1 / row.goal, faster=True)
    assert verdict(faster, summarise(faster, Times(list(ratios), [1.0] * 5))) == expected
    cell = f"**{result.ratio:.2f}** ({result.low:.2f}–{result.high:.2f})"
    assert line("training", row, result).endswith(f" | {expected} |")
    assert cell in line("training", row, result)


def test_a_larger_film_misses_the_goal_whatever_the_time() -> None:
    row = ROWS["gif-naive"]
    assert verdict(row, summarise(row, Times([1.0] * 5, [99.0] * 5), (10, 20))) == "met"
    assert verdict(row, summarise(row, Times([1.0] * 5, [99.0] * 5), (20, 10))) == "missed"
