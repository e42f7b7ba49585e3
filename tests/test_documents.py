"""The documents give what they show: a reader types every command of them, in one directory."""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from PIL import Image, ImageSequence

from docs import screenshots, walk
from fitreel.tracking.names import KIND_TAG, TRIAL_TAG
from tests import processes
from tests.conftest import copy_project, environment
from tests.faults import SPOOL, wait_until

# Commands that end with another exit code than 0, as the page says.
EXIT_CODES = {"fitreel run --experiment rate --name wild --lr 2": 1}
SHELL = re.compile(r"[$&|;<>]")  # what only a shell understands
MOST_DIFFERENCE = 3.0  # of 255, the mean over all pixels: other processors draw slightly others


class Reader:
    """Somebody who types the commands of the documents in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        browser = directory / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" >> {directory}/opened\n')
        browser.chmod(0o755)
        self._own = {SPOOL: str(directory / "spool"), "BROWSER": f"{browser} %s"}

    def type(self, command: str, kind: str | None = None) -> None:
        """Run a command, in which RUN stands for the newest run of a kind; assert its exit code."""
        command = self._with_runs(command, kind)
        if command.endswith("--ui"):
            code, errors = self._serve(command)
        elif command.startswith(("fitreel ", "mlflow ")) and not SHELL.search(command):
            program, *words = shlex.split(command)
            run = processes.run if program == "fitreel" else processes.mlflow
            code, _, errors = run(*words, directory=self.directory, **self._own)
        else:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.directory,
                env=environment(**self._own),
                capture_output=True,
                text=True,
                check=False,
            )
            code, errors = done.returncode, done.stderr
        assert code == EXIT_CODES.get(command, 0), f"{command}\n{errors}"

    def _with_runs(self, command: str, kind: str | None) -> str:
        # A client that opens a missing store would create one, with artifacts in this directory.
        if "RUN" not in command or "RUN=" in command:
            return command
        ids = [run.info.run_id for run in self.runs(kind)]
        newest = iter(ids)
        return re.sub(r"\$?\bRUN\b", lambda _: next(newest), command)

    def runs(self, kind: str | None = None) -> Iterator[Run]:
        """Yield the finished runs of a kind, the newest first; None are trained networks."""
        client = MlflowClient(f"sqlite:///{self.directory / 'mlflow.db'}")
        experiments = [each.experiment_id for each in client.search_experiments()]
        for run in client.search_runs(experiments, "attributes.status = 'FINISHED'"):
            tags, is_trained = run.data.tags, kind is not None or "loss" in run.data.metrics
            if tags.get(KIND_TAG) == kind and TRIAL_TAG not in tags and is_trained:
                yield run

    def named(self, name: str) -> Run:
        """Return the run of a name."""
        (run,) = [run for run in self.runs() if run.info.run_name == name]
        return run

    def _serve(self, command: str) -> tuple[int, str]:
        """Run a command that serves pages until Ctrl-C."""
        opened = self.directory / "opened"
        before = opened.read_text()
        process = processes.start(*shlex.split(command)[1:], directory=self.directory, **self._own)
        wait_until(lambda: opened.read_text() != before, "no page was opened", pause=0.1)
        assert process.pid
        os.kill(process.pid, signal.SIGINT)
        process.join()
        errors = (self.directory / "err").read_text()
        return (0 if process.exitcode == 130 else 1), errors


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(copy_project(tmp_path_factory.mktemp("reader")))


@pytest.mark.parametrize("page", walk.PAGES)
def test_every_command_works_and_leaves_the_pictures_shown(
    reader: Reader, page: str, torture: bool
) -> None:
    kind = "sweep" if page == "docs/sweeping.md" else None
    for command in walk.typed(page):
        if command != LIVE:
            reader.type(command if torture else shorter(page, command), kind)
    # The README shows a picture of a page that is read later, where it is compared.
    later = {
        name for each in walk.PAGES[walk.PAGES.index(page) + 1 :] for name in walk.images(each)
    }
    for name in walk.images(page):
        if name in walk.PICTURES and (name not in later or walk.has_left(reader.directory, name)):
            assert_alike(walk.picture(reader.directory, name), walk.ROOT / "docs/images" / name)


# Pages whose sweeps leave no picture: a few of their hundreds of trials show that they work.
SHORT_SWEEPS = ("docs/stages.md",)


def shorter(page: str, command: str) -> str:
    """Return a command with few trials if no picture shows them."""
    return re.sub(r"(trials[ =])\d+", r"\g<1>6", command) if page in SHORT_SWEEPS else command


LIVE = "fitreel run --live --pace"
WIDTH = 100  # characters of a line of prose


@pytest.mark.needs("display")
def test_the_line_that_opens_a_window(
    tmp_path: Path, display: dict[str, str], torture: bool
) -> None:
    assert LIVE in walk.typed("README.md")
    command = LIVE if torture else f"{LIVE} --epochs 50"  # all 200 frames take 20 seconds
    done = subprocess.run(
        shlex.split(command), cwd=tmp_path, env=display, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def assert_alike(found: Path, shown: Path) -> None:
    """Assert that two pictures show the same, in every frame."""
    with Image.open(found) as ours, Image.open(shown) as theirs:
        assert ours.size == theirs.size
        assert getattr(ours, "n_frames", 1) == getattr(theirs, "n_frames", 1)
        frames = zip(ImageSequence.Iterator(ours), ImageSequence.Iterator(theirs), strict=True)
        for number, (one, other) in enumerate(frames):
            pixels = [np.asarray(each.convert("RGB"), np.float32) for each in (one, other)]
            difference = float(np.abs(pixels[0] - pixels[1]).mean())
            assert difference < MOST_DIFFERENCE, f"{found}, frame {number}: {difference:.1f}"


ROW = re.compile(r"^\| (\w+) \| [^|]+ \| ([0-9.]+) \| (\d+) \|$", re.MULTILINE)
MEAN = re.compile(r"^\| ([0-9.]+) \| ([0-9.]+) ± ([0-9.]+) \|$", re.MULTILINE)


def test_the_numbers_of_the_lesson_are_those_of_its_runs(reader: Reader) -> None:
    lesson = (walk.ROOT / "docs/lesson.md").read_text()
    rows = ROW.findall(lesson)
    assert len(rows) == 11
    for name, error, dead in rows:
        metrics = reader.named(name).data.metrics
        assert float(f"{metrics['test_rmse']:.3g}") == float(error), name
        assert metrics["dead_neurons"] == int(dead), name
    table = (reader.directory / "luck/compare.md").read_text()
    means = MEAN.findall(lesson)
    assert len(means) == 2
    for rate, mean, half in means:
        found = re.search(rf"\| `lr {rate}` \|.*?\| ([0-9.e-]+) ± ([0-9.e-]+) \|", table)
        assert found, table
        assert float(f"{float(found[1]):.3g}") == float(mean)
        assert float(f"{float(found[2]):.2g}") == float(half)


def test_every_page_and_picture_is_known() -> None:
    pages = {"README.md", *(f"docs/{path.name}" for path in (walk.ROOT / "docs").glob("*.md"))}
    # These have no command to type: see the reasons at their commands below.
    others = {
        "docs/architecture.md": "it has no commands",
        "docs/benchmarks.md": "make bench takes half an hour",
        "docs/own-data-benchmarks.md": "make bench-data takes half an hour",
        "docs/filming.md": "tests/test_filming_page.py runs its examples",
        "docs/integrations.md": "tests/test_integrations_*.py run its examples",
        "docs/live.md": "tests/test_live_*.py look at what is watched",
        "docs/library.md": "tests/test_library_page.py runs its examples",
        "docs/scaling.md": "it needs several machines; tests/test_ray.py types its sweep",
    }
    assert pages == {*walk.PAGES, *others}
    shown = {name for page in pages for name in walk.images(page)}
    files = {path.name for path in (walk.ROOT / "docs/images").iterdir()}
    assert shown <= files
    assert files - shown - {"architecture.svg"} <= {"artifacts.png"}
    alone = {"architecture.svg", "filming.gif", "compare-models.gif"}  # other tests compare them
    assert shown - alone <= {*walk.PICTURES, *screenshots.TAKEN}


def test_a_comment_and_a_continued_line_are_read_as_a_shell_does(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    lines = (
        "Text",
        "",
        "    fitreel run  # a comment",
        "    fitreel sweep \\",
        "        --trials 3",
    )
    page.write_text("".join(f"{line}\n" for line in lines))
    assert walk.commands(str(page)) == ["fitreel run", "fitreel sweep --trials 3"]


def test_the_times_that_the_readme_claims_were_measured() -> None:
    readme = (walk.ROOT / "README.md").read_text(encoding="utf-8")
    measured = json.loads((walk.ROOT / "benchmarks/measured.json").read_text())["results"]["run"]
    assert "five seconds a run" in readme
    assert measured["medians"][0] <= 5
    assert "less than a fifth of the time of the script" in readme
    assert measured["ratio"] >= 5


DOCUMENTS = sorted(
    path.relative_to(walk.ROOT)
    for path in (*walk.ROOT.glob("*.md"), *walk.ROOT.glob("docs/*.md"))
    if not path.name.endswith("benchmarks.md")  # a program writes them
)


@pytest.mark.parametrize("page", DOCUMENTS, ids=str)
def test_lines_of_prose_have_one_width(page: Path) -> None:
    text = (walk.ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "!", "    ", "#"))]
    assert not [line for line in lines if len(line) > WIDTH]


def test_make_run_runs_what_the_walk_types() -> None:
    assert f"/{walk.MAKE_RUN}\n" in (walk.ROOT / "Makefile").read_text()
