"""The command `fitreel compare` with real stores, real signals and a real server."""

import json
import os
import pkgutil
import re
import signal
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import imageio.v3 as iio
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests import processes
from tests.faults import SPOOL, client, journals, records, runs, wait_until
from tests.servers import Server
from tests.stored import tags_of

FILES = {"compare.gif", "compare.html", "compare.md", "compare.png"}
RATES = ("0.02", "0.1", "0.5")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a directory with four runs: three trained, one with points only."""
    return filled(tmp_path_factory.mktemp("work"))


def filled(directory: Path, **environment: str) -> Path:
    for rate in RATES:
        every = ("--epochs", "300", "--frame-every", "1", "--max-frames", "2", "--lr", rate)
        code, _, errors = processes.run("run", *every, directory=directory, **environment)
        assert code == 0, errors
    code, _, errors = processes.run("generate", directory=directory, **environment)
    assert code == 0, errors
    return directory


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def compare(directory: Path, spool: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    where = {SPOOL: str(spool)} | more
    return processes.run(
        "compare", *arguments, directory=directory, output_to=spool.parent, **where
    )


def compared(directory: Path, spool: Path, *arguments: str) -> Run:
    """Run `fitreel compare` successfully; return the run of the comparison."""
    code, output, errors = compare(directory, spool, *arguments)
    assert code == 0, errors
    assert journals(spool) == []
    (run_id,) = output.split()  # and nothing else
    run = client(directory).get_run(run_id)
    assert run.info.status == "FINISHED"
    return run


def by_rate(directory: Path) -> dict[str, str]:
    """Return the ids of the trained runs by their learning rate."""
    found = {
        run.data.params["lr"]: run.info.run_id
        for run in runs(client(directory))
        if "lr" in run.data.params
    }
    return {rate: found[rate] for rate in RATES}


def members(comparison: Run) -> list[str]:
    return list(json.loads(tags_of(comparison)["fitreel.compared_runs"]))


def files(store: MlflowClient, run_id: str) -> set[str]:
    return {entry.path for entry in store.list_artifacts(run_id)}


def test_the_best_runs_of_an_experiment_are_compared_in_a_new_run(
    directory: Path, spool: Path
) -> None:
    comparison = compared(directory, spool)
    store = client(directory)
    mse = {run: store.get_run(run).data.metrics["test_rmse"] for run in by_rate(directory).values()}
    assert members(comparison) == sorted(mse, key=lambda run: mse[run])
    assert comparison.info.run_name == "compare-3-runs"
    assert tags_of(comparison)["fitreel.kind"] == "comparison"
    assert comparison.data.params == {"metric": "test_rmse", "best": "6"}
    assert files(store, comparison.info.run_id) == FILES
    film = store.download_artifacts(comparison.info.run_id, "compare.gif", str(spool.parent))
    assert len(iio.imread(film)) == 200
    errors = (spool.parent / "err").read_text()
    assert re.search(rf"{min(mse.values()):.6g} \*", errors)
    assert f"in MLflow: fitreel open {comparison.info.run_id} --ui\n" in errors
    assert re.search(r"^compare: (.*/compare\.html)$", errors, re.MULTILINE)


def test_the_note_links_to_the_runs_and_shows_the_pictures(directory: Path, spool: Path) -> None:
    run = compared(directory, spool, "--best", "2")
    note = run.data.tags["mlflow.note.content"]
    home = run.info.experiment_id
    links = [f"](#/experiments/{home}/runs/{member})" for member in members(run)]
    assert [link for link in links if link in note] == links
    assert len(re.findall(r"\*\*0\.\d+\*\*", note)) == 1  # the best run
    picture = f"![compare.gif](get-artifact?path=compare.gif&run_uuid={run.info.run_id})"
    assert picture in note
    for name in FILES:
        link = f"[{name}](#/experiments/{home}/runs/{run.info.run_id}/artifacts/{name})"
        assert link in note


def test_named_runs_keep_their_order(directory: Path, spool: Path) -> None:
    slow, middle, fast = by_rate(directory).values()
    run = compared(directory, spool, fast, slow, fast, "--name", "it's mine", "--metric", "loss")
    assert members(run) == [fast, slow]
    assert run.info.run_name == "it's mine"
    assert run.data.params == {"metric": "loss"}
    # As with `mlflow run -P runs="A B"`: it has no positional arguments.
    run = compared(directory, spool, "--runs", f"{middle} {slow}", "--best", "6")
    assert members(run) == [middle, slow]


def test_best_and_filter_select_runs(directory: Path, spool: Path) -> None:
    slow, _, fast = by_rate(directory).values()
    words = "params.lr != '0.1'"
    run = compared(directory, spool, "--filter", words, "--metric", "test_r2", "--best", "4")
    assert set(members(run)) == {slow, fast}
    assert run.data.params == {"metric": "test_r2", "best": "4", "filter": words}
    r2 = [client(directory).get_run(each).data.metrics["test_r2"] for each in members(run)]
    assert r2 == sorted(r2, reverse=True)


def test_the_files_are_also_written_to_a_directory(directory: Path, spool: Path) -> None:
    out = spool.parent / "a new" / "directory"
    for _ in range(2):  # the second command replaces the files
        run = compared(directory, spool, "--out", str(out))
        assert {path.name for path in out.iterdir()} == FILES
        errors = (spool.parent / "err").read_text()
        assert [line for line in errors.splitlines() if line.startswith("wrote ")] == [
            f"wrote {out / name}" for name in sorted(FILES)
        ]
        for name in FILES:
            logged = client(directory).download_artifacts(run.info.run_id, name, str(spool.parent))
            assert (out / name).read_bytes() == Path(logged).read_bytes()


def test_unusable_runs_are_named_and_left_out(directory: Path, spool: Path) -> None:
    store = client(directory)
    slow, _, fast = by_rate(directory).values()
    (points,) = [
        run.info.run_id for run in runs(store) if run.info.run_name == "quadratic100-noise0.2"
    ]
    gone = [store.create_run("0", run_name=f"\x1b[2Jgone {n}").info.run_id for n in range(10)]
    for each in gone:
        store.delete_run(each)
    other = compared(directory, spool).info.run_id
    run = compared(directory, spool, slow, points, other, "nowhere", fast, *gone)
    assert members(run) == [slow, fast]
    lines = (spool.parent / "err").read_text().splitlines()
    assert [line for line in lines if line.startswith("left out: ")] == lines[:11]
    assert lines[0].startswith(f"left out: quadratic100-noise0.2: run {points} has no training/")
    assert lines[1] == f"left out: compare-3-runs: run {other} is a comparison, not an experiment"
    assert lines[2].startswith("left out: nowhere: there is no run 'nowhere'")
    assert lines[10] == "left out: and 3 more"


def test_a_comparison_goes_to_the_experiment_of_the_options(directory: Path, spool: Path) -> None:
    store = client(directory)
    slow, _, fast = by_rate(directory).values()
    assert compared(directory, spool, slow, fast).info.experiment_id == "0"
    run = compared(directory, spool, slow, fast, "--experiment", "comparisons")
    made = store.get_experiment_by_name("comparisons")
    assert made
    assert run.info.experiment_id == made.experiment_id
    run = compared(directory, spool, "--experiment", "Default")
    assert run.info.experiment_id == "0"


REFUSED = {
    "one": ("{slow}", "nothing to compare: only one of the runs named can be used, two are needed"),
    "one twice": ("{slow} {slow}", "nothing to compare: only one of the runs named can be used"),
    "one and points": ("{slow} {points}", "left out: quadratic100-noise0.2: run {points} has no"),
    "61": ("{many}", "at most 60 runs can be compared; got 61"),
    "ids and a filter": ("{slow} {fast} --filter params.lr='1'", "--best and --filter search for"),
    "ids and best": ("{slow} {fast} --best 3", "--best and --filter search for runs; leave them"),
    "no experiment": ("--experiment nowhere", "there is no experiment 'nowhere' in sqlite:///"),
    "no such metric": (
        "--metric nothing",
        "none of the runs whose nothing is a finite number",
    ),
    "a filter": ("--filter params.lr=0.1", "the filter does not work: Expected a quoted string"),
    "nothing found": (
        "--filter params.lr='7'",
        "none of the runs that match the filter and whose",
    ),
    "a file": ("{slow} {fast} --out mlflow.db", "--out must be a directory; mlflow.db is a file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_comparison_changes_nothing(directory: Path, spool: Path, case: str) -> None:
    arguments, message = REFUSED[case]
    (points,) = [
        run.info.run_id
        for run in runs(client(directory))
        if run.info.run_name == "quadratic100-noise0.2"
    ]
    slow, _, fast = by_rate(directory).values()
    words = {"slow": slow, "fast": fast, "points": points}
    words["many"] = " ".join(f"run{number}" for number in range(61))
    before = len(runs(client(directory)))
    code, output, errors = compare(directory, spool, *arguments.format(**words).split())
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert message.format(**words) in errors
    assert len(runs(client(directory))) == before
    assert journals(spool) == []


# ---- interrupted, killed, failed --------------------------------------------------------------


def make_drawing_endless() -> None:
    """Make the comparison draw until a signal ends it."""
    figure = pkgutil.resolve_name("fitreel.comparison.figure")
    figure.draw_comparison = lambda _: time.sleep(120)


def start_comparison(directory: Path, spool: Path) -> ForkServerProcess:
    """Start a comparison and wait until it draws."""
    where = {SPOOL: str(spool)}
    process = processes.start_after(
        make_drawing_endless, "compare", directory=directory, output_to=spool.parent, **where
    )

    def draws() -> bool:
        tags_of_records = [
            record.get("tags", {}) for journal in journals(spool) for record in records(journal)
        ]
        return any("fitreel.kind" in tags for tags in tags_of_records)

    wait_until(draws, "no comparison", pause=0.005)
    return process


def newest(directory: Path) -> Run:
    return max(runs(client(directory)), key=lambda run: run.info.start_time)


def fitreel(command: str, directory: Path, spool: Path, *arguments: str) -> tuple[int, str, str]:
    where = {SPOOL: str(spool)}
    return processes.run(command, *arguments, directory=directory, output_to=spool.parent, **where)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_comparison_leaves_no_journal(
    directory: Path, spool: Path, number: signal.Signals
) -> None:
    process = start_comparison(directory, spool)
    assert process.pid
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 128 + number, (spool.parent / "err").read_text()
    run = newest(directory)
    assert (run.info.status, journals(spool)) == ("KILLED", [])
    refused = f"run {run.info.run_id}, a comparison, cannot be resumed; start its command again"
    assert fitreel("resume", directory, spool, run.info.run_id) == (
        2,
        "",
        f"fitreel: {refused}\n",
    )
    assert fitreel("sync", directory, spool) == (0, "", "nothing to upload\n")


def test_sync_delivers_what_a_killed_comparison_left(directory: Path, spool: Path) -> None:
    process = start_comparison(directory, spool)
    process.kill()
    process.join()
    run_id = newest(directory).info.run_id
    assert len(journals(spool)) == 1
    code, output, errors = fitreel("resume", directory, spool, run_id)
    assert (code, output, errors.count("\n")) == (2, "", 1), errors
    assert "cannot be resumed; start its command again; fitreel sync uploads what it left" in errors
    code, _, errors = fitreel("reap", directory, spool)
    assert re.search(rf"{run_id} \S+: would be KILLED: process \d+ on \S+ is dead\n", errors)
    assert "resume" not in errors
    assert fitreel("sync", directory, spool) == (0, "", f"run {run_id}: delivered, KILLED\n")
    assert journals(spool) == []
    run = client(directory).get_run(run_id)
    assert (run.info.status, tags_of(run)["fitreel.kind"]) == ("KILLED", "comparison")
    code, _, errors = fitreel("resume", directory, spool, run_id)
    assert (code, errors.count("\n")) == (2, 1)


def test_a_failed_comparison_leaves_no_journal(directory: Path, spool: Path) -> None:
    out = spool.parent / "pictures"
    (out / "compare.gif").mkdir(parents=True)
    code, output, errors = compare(directory, spool, "--out", str(out))
    assert (code, output) == (2, ""), errors
    assert [line.split()[0] for line in errors.splitlines()] == ["run", "fitreel:"]
    assert "Is a directory" in errors
    assert [path.name for path in out.iterdir()] == ["compare.gif"]
    run = newest(directory)
    assert (run.info.status, journals(spool)) == ("FAILED", [])
    code, _, errors = fitreel("resume", directory, spool, run.info.run_id)
    assert (code, errors.count("\n")) == (2, 1)


# ---- a server ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        filled(server.directory, MLFLOW_TRACKING_URI=server.url)
        yield server


def test_runs_of_a_server_are_compared(server: Server, spool: Path) -> None:
    store = MlflowClient(server.url)
    code, output, errors = compare(spool.parent, spool, MLFLOW_TRACKING_URI=server.url)
    assert code == 0, errors
    run = store.get_run(output.strip())
    assert len(members(run)) == 3
    assert files(store, run.info.run_id) == FILES
    assert f"{server.url}/#/experiments/0/runs/{run.info.run_id}" in errors


def test_sync_delivers_a_comparison_after_the_server_has_died(server: Server, spool: Path) -> None:
    where = {SPOOL: str(spool), "MLFLOW_TRACKING_URI": server.url}
    process = processes.start("compare", "--patience", "1", directory=spool.parent, **where)
    wait_until(lambda: bool(journals(spool)), "no comparison", pause=0.005)
    wait_until(
        lambda: any(each["kind"] == "run" for each in records(journals(spool)[0])), "no run", 0.005
    )
    server.stop()
    process.join()
    errors = (spool.parent / "err").read_text()
    assert process.exitcode == 75, errors
    run_id = (spool.parent / "out").read_text().strip()
    server.start()
    code, _, errors = processes.run("sync", directory=spool.parent, **where)
    assert (code, errors) == (0, f"run {run_id}: delivered, FINISHED\n")
    assert journals(spool) == []
    store = MlflowClient(server.url)
    assert store.get_run(run_id).info.status == "FINISHED"
    assert files(store, run_id) == FILES
