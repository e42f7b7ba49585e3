"""The tags of a run: few in the store, all of them in code; those of older runs are still read."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from fitreel.settings import TrainingSettings
from fitreel.tracking import Tracker, best_runs, newest_runs, reap
from fitreel.tracking.facts import Facts
from fitreel.tracking.names import (
    COMPARED_TAG,
    DIGESTS_TAG,
    DIVERGED_TAG,
    FACTS_TAG,
    HEARTBEAT_TAG,
    INSTALLATION_TAG,
    JOURNAL_TAG,
    OUTCOME_TAG,
    OWNER_TAG,
    PROCESS_TAG,
    REAPED_TAG,
    SHA256_TAG,
    VERSION_TAG,
)
from fitreel.tracking.packing import packed, unpacked
from fitreel.tracking.reaper import examine
from tests.conftest import Command
from tests.stored import as_in_0_3_0, tags_of

VISIBLE = {"version", "kind", "trial", "outcome", "owner", "facts"}


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_what_is_packed_comes_back() -> None:
    tags = {
        VERSION_TAG: "1",
        SHA256_TAG: "abc",
        DIVERGED_TAG: "7",
        DIGESTS_TAG: '{"weights.safetensors": "00"}',
        COMPARED_TAG: '["a", "b"]',
        PROCESS_TAG: "1 started 2",
    }
    stored = packed(tags, tags)
    assert stored.keys() == {VERSION_TAG, OUTCOME_TAG, OWNER_TAG, FACTS_TAG}
    assert stored[OUTCOME_TAG] == "diverged"
    # JSON within JSON stays readable.
    assert json.loads(stored[FACTS_TAG])["compared_runs"] == ["a", "b"]
    assert unpacked(stored) == tags | {OUTCOME_TAG: "diverged"}


def test_a_packed_tag_is_written_as_a_whole_and_only_if_it_changed() -> None:
    tags = {SHA256_TAG: "abc", PROCESS_TAG: "1", "mine": "x"}
    assert packed(["mine"], tags) == {"mine": "x"}
    assert json.loads(packed([DIVERGED_TAG], tags | {DIVERGED_TAG: "7"})[FACTS_TAG]) == {
        "dataset_sha256": "abc",
        "diverged_epoch": "7",
    }


def test_facts_replace_the_tags_of_an_older_version_as_a_whole() -> None:
    older = {PROCESS_TAG: "1", INSTALLATION_TAG: "here", SHA256_TAG: "abc"}
    assert unpacked(older) == older
    now = unpacked(older | {OWNER_TAG: '{"process": "2", "else": "?"}'})
    assert now == {PROCESS_TAG: "2", SHA256_TAG: "abc"}


@pytest.mark.parametrize("text", ["", "{", "7", "[1]", "null", "[" * 100_000])
def test_a_tag_that_is_no_json_object_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^run abc: tag fitreel\.facts is not a JSON object$"):
        Facts("abc", "0", "name", {}, {}, {FACTS_TAG: text})


def columns(store: Path, table: str) -> set[str]:
    with sqlite3.connect(store) as database:
        return {key for (key,) in database.execute(f"SELECT DISTINCT key FROM {table}")}


def test_an_experiment_has_few_columns(fitreel: Command, tmp_path: Path) -> None:
    """One of each: a run, a sweep with trials that diverge and learn nothing, a comparison."""
    first = fitreel("run", "--epochs", "30").stdout.strip()
    space = ("--space", "lr=1e-6|0.1|1e6", "--sampler", "grid", "--epochs", "9", "--hidden", "3")
    assert fitreel("sweep", *space).returncode == 0
    second = fitreel("run", "--epochs", "20").stdout.strip()
    assert fitreel("compare", first, second).returncode == 0
    tags = {tag for tag in columns(tmp_path / "mlflow.db", "tags") if tag.startswith("fitreel.")}
    assert tags == {f"fitreel.{name}" for name in VISIBLE}
    metrics = columns(tmp_path / "mlflow.db", "latest_metrics")
    assert {name for name in metrics if "/" not in name} == {
        *("loss", "train_rmse", "test_rmse", "test_r2", "dead_neurons"),
    }
    assert {name.partition("/")[0] for name in metrics if "/" in name} == {"system"}
    assert not [
        name for name in columns(tmp_path / "mlflow.db", "params") if name.startswith("best_")
    ]
    store = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert len(store.search_runs(["0"], "tags.`fitreel.outcome` = 'diverged'")) == 1
    # The sweep has the metrics of its best trial, whose model it has.
    (sweep,) = store.search_runs(["0"], "tags.`fitreel.kind` = 'sweep'")
    (best,) = [
        run
        for run in store.search_runs(["0"], "tags.`fitreel.trial` LIKE '%'")
        if tags_of(run)["fitreel.trial"] == tags_of(sweep)["fitreel.best_trial"]
    ]
    same = ("train_rmse", "test_rmse", "test_r2", "dead_neurons")
    assert [sweep.data.metrics[name] for name in same] == [best.data.metrics[name] for name in same]


def test_a_run_that_is_opened_again_has_one_owner(tracker: Tracker) -> None:
    with tracker.run() as run:
        before = dict(run.tags)
    owner = dict.fromkeys((PROCESS_TAG, INSTALLATION_TAG, REAPED_TAG), "of the dead")
    for tag, text in packed(owner, owner).items():
        tracker.client.set_tag(run.run_id, tag, text)
    with tracker.run(tracker.source(run.run_id)) as again:
        assert again.tags[PROCESS_TAG] == before[PROCESS_TAG]
    stored = tags_of(tracker.client.get_run(run.run_id))
    assert stored[JOURNAL_TAG] == again.tags[JOURNAL_TAG] != before[JOURNAL_TAG]
    assert REAPED_TAG not in stored
    assert stored.get(INSTALLATION_TAG) == before.get(INSTALLATION_TAG)


def test_facts_that_a_later_command_does_not_change_stay(tracker: Tracker) -> None:
    with tracker.run() as run:
        run.set_tags({SHA256_TAG: "abc", VERSION_TAG: "0"})
    with tracker.run(tracker.source(run.run_id)) as again:
        again.set_tags({DIVERGED_TAG: "3"})
    found = tracker.source(run.run_id)
    assert (found.tags[SHA256_TAG], found.tags[DIVERGED_TAG]) == ("abc", "3")
    assert found.tags[OUTCOME_TAG] == "diverged"


@pytest.fixture
def older(fitreel: Command, tmp_path: Path) -> tuple[MlflowClient, str]:
    """Create a run and give it the tags and the metrics of fitreel 0.3.0."""
    run_id = fitreel("run", "--epochs", "40").stdout.strip()
    store = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    provenance = tmp_path / "mlruns/0" / run_id / "artifacts/training/provenance.json"
    as_in_0_3_0(store, run_id, animate_seconds="0.4", **json.loads(provenance.read_text()))
    provenance.unlink()
    for name in ("test_mse", "test_mae", "noise_floor"):
        store.log_metric(run_id, name, store.get_run(run_id).data.metrics["test_rmse"] ** 2)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        for table in ("metrics", "latest_metrics"):
            database.execute(f"DELETE FROM {table} WHERE key LIKE 'system/%' OR key LIKE 'dead%'")
    return store, run_id


def test_a_run_of_0_3_0_is_read_by_every_command(
    older: tuple[MlflowClient, str], fitreel: Command, tmp_path: Path
) -> None:
    store, run_id = older
    assert fitreel("reproduce", run_id).stderr == "identical: 40 losses, bit for bit\n"
    assert fitreel("animate", "--run", run_id, "--fps", "10").returncode == 0
    other = fitreel("run", "--epochs", "30").stdout.strip()
    for metric in ("test_rmse", "test_mse"):
        done = fitreel("compare", run_id, other, "--metric", metric)
        assert done.returncode == 0
        assert metric in done.stderr
        best = best_runs(Tracker(store.tracking_uri), "0", 2, metric).runs
        assert [run.run_id for run in best] == [run_id, other]
    # A digest in an old tag is still compared.
    weights = tmp_path / "mlruns/0" / run_id / "artifacts/weights.safetensors"
    shutil.copy(tmp_path / "mlruns/0" / other / "artifacts/weights.safetensors", weights)
    assert "is not what run" in fitreel("evaluate", "--run", run_id).stderr


def test_a_dead_run_of_0_3_0_is_reaped(tracker: Tracker) -> None:
    with tracker.run() as run:
        run.log_settings(TrainingSettings())
    as_in_0_3_0(tracker.client, run.run_id, process="999999999 started 1.00")
    tracker.client.update_run(run.run_id, "RUNNING")
    (verdict,) = examine(tracker, 3600)
    assert verdict.status == "KILLED"
    assert reap(tracker, verdict)
    tags = tags_of(tracker.client.get_run(run.run_id))
    assert tags[REAPED_TAG] == verdict.reason
    assert tags[HEARTBEAT_TAG]
    assert newest_runs(tracker, None, 1)[0].status == "KILLED"
