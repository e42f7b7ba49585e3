"""Shared fixtures and helpers: MLflow without telemetry, small experiments, the command line."""

import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.settings import TrainingSettings
from fitreel.training.loop import Fit, fit
from tests.needs import NEEDS, require

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from mlflow.tracking import MlflowClient
    from playwright.sync_api import Browser, Page

    from fitreel.tracking import Tracker
    from tests.forked import Forks

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
READ_LATE = {"MLFLOW_TRACKING_URI", "FITREEL_SPOOL"}  # variables that are not read in an import
Command = Callable[..., subprocess.CompletedProcess[str]]

# A model that a test loads, and so imports, has to stay as it was saved.
sys.dont_write_bytecode = True


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a command: MLflow's defaults, no telemetry, our Python first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path, "COLUMNS": "100"} | changes


def forget_mlflow() -> None:
    """Remove MLflow's variables from this process, and what fitreel noted of them."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ.pop("FITREEL_REQUEST_TIMEOUT", None)


def copy_project(directory: Path) -> Path:
    """Copy the MLflow project, so that the test has its own mlflow.db."""
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(ROOT / name, directory)
    for name in ("pipeline", "src"):
        shutil.copytree(ROOT / name, directory / name)
    return directory


def on_terminal(typed: str, directory: Path, **changes: str) -> str:
    """Run a command on a new terminal; return what the terminal shows."""
    require("terminal")
    return subprocess.run(
        ["script", "--quiet", "--return", "--command", typed, "/dev/null"],
        cwd=directory,
        env=environment(TERM="xterm", **changes),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="session")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a virtual display with a free number; yield the environment of commands on it."""
    require("display")
    reading, writing = os.pipe()
    # Without -noreset the server restarts when its last window closes; connecting then fails.
    options = ["-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    options += ["-displayfd", str(writing)]
    with subprocess.Popen(
        ["Xvfb", *options], pass_fds=[writing], stderr=subprocess.DEVNULL
    ) as server:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        runtime = str(tmp_path_factory.mktemp("runtime"))
        yield environment(DISPLAY=f":{number}", XDG_RUNTIME_DIR=runtime)
        server.terminate()


def git(directory: Path, *arguments: str) -> str:
    """Run git with a made-up author; return its output."""
    require("git")
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(
        ["git", *who, *arguments], cwd=directory, capture_output=True, text=True, check=True
    ).stdout.strip()


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="run the long tests: hours of faults")
    parser.addoption("--no-skips", action="store_true", help="fail tests instead of skipping them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--torture"):
        long = [item for item in items if item.get_closest_marker("torture")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            require(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and item.config.getoption("--no-skips")
        and _reason(report) not in {each.reason for each in NEEDS.values() if each.may_be_missing}
    ):
        report.outcome, report.longrepr = "failed", f"--no-skips: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    skipped = Counter(map(_reason, terminalreporter.getreports("skipped")))
    if skipped:
        terminalreporter.section("not tried")
    for reason, count in skipped.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")


def _reason(report: pytest.TestReport) -> str:
    _, _, reason = cast("tuple[str, int, str]", report.longrepr)
    return reason.removeprefix("Skipped: ")


@pytest.fixture
def torture(request: pytest.FixtureRequest) -> bool:
    """Return whether to run the long version of a test."""
    return bool(request.config.getoption("--torture"))


@pytest.fixture(scope="module", autouse=True)
def own_default_store() -> Iterator[None]:
    """Forget at the end of a file which store and experiment its tests made MLflow's default."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
    forget_mlflow()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def quiet_mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    yield
    # A store that a test opened must not become the default of the commands of the next test.
    forget_mlflow()


@pytest.fixture(scope="session", autouse=True)
def spool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Use a spool for the tests, separate from the user's."""
    directory = tmp_path_factory.mktemp("spool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FITREEL_SPOOL", str(directory))
        yield directory


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.stores import new_store

    return new_store(tmp_path_factory.mktemp("database"))


@pytest.fixture
def film_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["MlflowClient"]:
    """Open a store, to which films go, in a temporary directory, which becomes the current one."""
    import mlflow

    from tests.faults import client
    from tests.stores import new_store

    new_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield client(tmp_path)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def commands(spool: Path) -> Iterator["Forks"]:  # noqa: ARG001
    """Start a process that has imported and used everything, and forks for each command."""
    from tests.forked import forks

    with forks() as server:
        yield server


@pytest.fixture
def fitreel(tmp_path: Path, bare_fitreel: Command) -> Command:
    """Return a function that runs `fitreel` in a temporary directory with its own mlflow.db."""
    from tests.stores import new_store

    new_store(tmp_path)
    return bare_fitreel


@pytest.fixture
def bare_fitreel(tmp_path: Path, commands: "Forks") -> Command:
    """Return a function that runs `fitreel` in a temporary directory that is empty.

    A new process takes three seconds to import everything, so that a fork runs it, unless
    variables of the environment are given that may matter while it imports.
    """

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        if changes.keys() <= READ_LATE:
            done = commands.run(list(arguments), tmp_path, **environment(**changes))
            return subprocess.CompletedProcess(
                ["fitreel", *arguments], done.code, done.stdout, done.stderr
            )
        return subprocess.run(
            ["fitreel", *arguments],
            cwd=tmp_path,
            env=environment(**changes),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return generate()


@pytest.fixture(scope="session")
def trained(dataset: Dataset) -> Fit:
    """Train the original's experiment for only 60 epochs: 13 frames."""
    return fit(dataset, TrainingSettings(epochs=60))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from tests.browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """Open a page; at the end assert that its console has no errors except MLflow's own."""
    from tests.browser import errorless

    with errorless(browser) as page:
        yield page


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Tracker"]:
    """Open a new store in a temporary directory, which becomes the current one."""
    import mlflow

    from fitreel.tracking import Tracker
    from tests.stores import new_store

    directory = tmp_path_factory.mktemp("store")
    new_store(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield Tracker(f"sqlite:///{directory}/mlflow.db")
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
