"""`fitreel watch`: a training of another process, seen from its journal or from the store."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from fitreel.data.dataset import Dataset
from fitreel.live.controls import Controls
from fitreel.reel.listener import Frame
from fitreel.reel.of_history import record_frames
from fitreel.reel.probes import Probes
from fitreel.tracking import Outcome, Tracker, WatchedRun
from pipeline.watch import described, follow
from tests import processes
from tests.browser import errorless, until
from tests.conftest import environment
from tests.faults import SPOOL, losses, wait_until
from tests.servers import Server

# Films a line, one frame for each line that it is sent.
FILMING = """
import sys, fitreel
uri = sys.argv[1]
with fitreel.film([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], tracking_uri=uri, name="line", every=1) as reel:
    print(flush=True)
    for line in sys.stdin:
        step = int(line)
        reel.frame(step, 1 / (1 + step), lambda x: x * step, metrics={"val_loss": 2.0 + step})
"""


class Seen:
    """A live view that keeps what it is shown, and stops after so many points."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.name = ""
        self.steps: int | None = None
        self.points = dict[int, dict[str, float]]()
        self.frames = list[Frame]()
        self._stop_after = stop_after
        self.controls = Controls()
        self.note = self.resume = ""

    def start(self, dataset: Dataset, probes: Probes, steps: int | None, name: str) -> None:
        self.dataset, self.probes, self.steps, self.name = dataset, probes, steps, name

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        if values:
            assert step not in self.points, "a point came twice"
            self.points[step] = dict(values)
        if len(self.points) >= self._stop_after:
            raise KeyboardInterrupt

    def on_frame(self, frame: Frame) -> None:
        assert frame.step in self.points, "a frame came before its loss"
        self.frames.append(frame)

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return True

    def finish(self, page: Path | None) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a spool of this test, for its processes and for this one."""
    monkeypatch.setenv(SPOOL, str(tmp_path / "spool"))


def database(directory: Path) -> str:
    return f"sqlite:///{directory / 'mlflow.db'}"


@contextmanager
def ready(tracker: Tracker, run_id: str) -> Iterator[WatchedRun]:
    """Watch a run from where it has its rows."""
    with WatchedRun(tracker, run_id) as watched:
        wait_until(lambda: watched.begin() is not None, "the rows")
        yield watched


def training(directory: Path) -> tuple[Tracker, str]:
    """Wait until a run in the store of a directory is trained; return both."""
    wait_until((directory / "mlflow.db").exists, "the store")
    tracker = Tracker(database(directory), may_create=False)
    return tracker, run_of(tracker)


def run_of(tracker: Tracker) -> str:
    """Wait until the first run of a store is trained."""
    found = list[str]()

    def is_there() -> bool:
        runs = tracker.client.search_runs([tracker.default_experiment_id()])
        found.extend(run.info.run_id for run in runs if "loss" in run.data.metrics)
        return bool(found)

    wait_until(is_there, "the first loss in the store")
    return found[0]


@contextmanager
def filming(uri: str, directory: Path, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that films; it ends its film when its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", FILMING, uri],
        cwd=directory,
        env=environment(**changes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        _, errors = process.communicate()
    assert process.returncode == 0, errors


def send(process: "subprocess.Popen[str]", *steps: int) -> None:
    assert process.stdin
    for step in steps:
        process.stdin.write(f"{step}\n")
        process.stdin.flush()
        time.sleep(0.12)  # what lies less than 0.1 s apart is written together, with the next


def test_a_run_of_another_process_is_seen_from_its_journal(tmp_path: Path) -> None:
    options = ("--epochs", "12000", "--checkpoint-every", "200", "--max-frames", "3")
    process = processes.start("run", *options, directory=tmp_path)
    tracker, run_id = training(tmp_path)
    seen = Seen()
    with WatchedRun(tracker, run_id) as watched:
        assert follow(watched, seen) == Outcome("FINISHED")
        assert described(watched, Outcome("FINISHED")).endswith(f"fitreel open {run_id}")
    process.join()
    assert seen.name == "relu20-sgd-lr0.1-e12000"
    assert seen.steps == 12000
    stored = losses(tracker.client, run_id)
    assert [values["loss"] for values in seen.points.values()] == stored
    history = tracker.source(run_id).history()
    wanted = record_frames(seen.dataset, history, np.arange(len(history.frame_epochs)), seen.probes)
    places = {epoch: place for place, epoch in enumerate(wanted.epochs.tolist())}
    assert len(seen.frames) > 50
    for frame in seen.frames:
        assert np.array_equal(frame.predictions, wanted.predictions[places[frame.step]])
        assert frame.loss == stored[frame.step]
    assert seen.frames[-1].step == 11995


def test_a_film_is_seen_while_it_grows_and_stays_as_it_is(tmp_path: Path) -> None:
    late = list[int]()
    with filming(database(tmp_path), tmp_path) as process:
        send(process, 0, 1, 2)
        tracker, run_id = training(tmp_path)
        with ready(tracker, run_id) as watched:
            early = watched.news()
            assert early.points[0] == {"loss": 1.0, "val_loss": 2.0}
            assert early.frames[1].predictions == pytest.approx(np.linspace(0, 2, 200))
            assert watched.outcome() is None
            send(process, 5, 6)

            def has_come() -> bool:
                late.extend(watched.news().points)
                return 5 in late

            wait_until(has_come, "step 5")
            assert set(early.points).isdisjoint(late)
            # Asleep, so that all that changes is our doing.
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            before = contents(tmp_path)
            with ready(tracker, run_id) as again:
                assert again.news().points.keys() >= {0, 1, 2, 5}
                assert again.outcome() is None
            assert contents(tmp_path) == before
            process.send_signal(signal.SIGCONT)


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_run_of_another_machine_is_seen_from_the_store(tmp_path: Path) -> None:
    with (
        Server(tmp_path) as server,
        filming(server.url, tmp_path, **{SPOOL: str(tmp_path / "other")}) as process,
    ):
        send(process, 0, 1, 2, 3)
        tracker = Tracker(server.url, may_create=False)
        run_id = run_of(tracker)
        stopped, seen = Seen(stop_after=3), Seen()
        with WatchedRun(tracker, run_id) as watched:
            assert not watched.is_here
            with pytest.raises(KeyboardInterrupt):
                follow(watched, stopped)
            assert stopped.points[2] == {"loss": pytest.approx(1 / 3), "val_loss": 4.0}
            assert process.poll() is None, "to stop watching must not end the run"
            assert tracker.source(run_id).status == "RUNNING"
        assert process.stdin
        process.stdin.close()
        process.stdin = None
        with WatchedRun(tracker, run_id) as watched:
            assert follow(watched, seen) == Outcome("FINISHED")
            assert seen.points.keys() == {0, 1, 2, 3}
            assert seen.frames == []
            with watched.player() as page:
                assert page.read_text()


def test_the_page_ends_the_watching_and_not_the_training(tmp_path: Path, browser: Browser) -> None:
    program = tmp_path / "browser"
    program.write_text(
        f'#!/bin/sh\necho "$1" > {tmp_path}/new\nmv {tmp_path}/new {tmp_path}/opened\n'
    )
    program.chmod(0o755)
    (tmp_path / "watch").mkdir()
    with filming(database(tmp_path), tmp_path) as process:
        send(process, 0, 1, 2)
        training(tmp_path)
        watching = processes.start(
            *("watch", "line", "--live", "browser"),
            directory=tmp_path,
            output_to=tmp_path / "watch",
            BROWSER=str(program),
        )
        wait_until((tmp_path / "opened").exists, "the browser")
        with errorless(browser) as page:
            page.goto((tmp_path / "opened").read_text().strip())
            until(page, "training?.frames.length >= 2")
            send(process, 5, 6)
            until(page, "curves.get('val_loss').steps.at(-1) === 6")
            state = page.locator("#state")
            expect(state).to_contain_text("the buttons act on the watching alone")
            page.locator("#stop").click()
            page.locator("#stop").click()
            expect(state).to_contain_text("no longer watched at step 6")
            expect(state).to_contain_text("fitreel watch ")
        watching.join()
        assert watching.exitcode == 0
        assert " goes on; watch it again: fitreel watch " in (tmp_path / "watch/err").read_text()
        assert process.poll() is None


def test_a_run_whose_process_died_is_reported(tmp_path: Path) -> None:
    long = ("--epochs", "10000000", "--frame-every", "1000", "--checkpoint-every", "100")
    process = processes.start("run", *long, directory=tmp_path)
    tracker, run_id = training(tmp_path)
    seen = Seen()
    with ready(tracker, run_id) as watched:
        assert process.pid
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        outcome = follow(watched, seen)
    assert seen.points
    assert outcome.status is None
    assert outcome.reason.startswith(f"process {process.pid} on ")
    assert outcome.reason.endswith(f"is dead; resume it with: fitreel resume {run_id}")
    code, output, errors = processes.run("watch", "latest", directory=tmp_path)
    line = f"run {run_id} is over: {outcome.reason}; show it with: fitreel show {run_id}\n"
    assert (code, output, errors) == (0, "", line)


def test_what_is_over_or_no_training_is_said_in_a_line(tmp_path: Path) -> None:
    short = ("--epochs", "20", "--max-frames", "3")
    code, output, errors = processes.run("run", *short, directory=tmp_path)
    assert code == 0, errors
    run_id = output.strip()
    code, output, errors = processes.run("watch", directory=tmp_path)
    line = f"run {run_id} is over: FINISHED; open it with: fitreel open {run_id}\n"
    assert (code, output, errors) == (0, "", line)
    for arguments, message in (
        (("latest", "--live", "off"), "live must be on, window, browser or terminal"),
        (("nothing",), "there is no run 'nothing'"),
    ):
        code, output, errors = processes.run("watch", *arguments, directory=tmp_path)
        assert (code, output) == (2, "")
        assert errors.startswith(f"fitreel: {message}")
    with Tracker(database(tmp_path)).run() as run:
        run.set_tags({"fitreel.kind": "sweep"})
    with pytest.raises(ValueError, match=r"is a sweep; watch shows a training$"):
        WatchedRun(Tracker(database(tmp_path)), run.run_id)
