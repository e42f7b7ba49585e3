"""Make the pictures of the documents by their commands, a real MLflow server and Chromium."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from docs import walk

IMAGES = Path(__file__).parent / "images"
BIN = Path(sys.executable).parent
EXPERIMENT = "rates"  # of the README
# The pictures that are taken of pages; the others are made by the commands of the documents.
TAKEN = {
    *("charts.png", "select.png", "side-by-side.png", "run.png", "artifacts.png"),
    *("player.png", "comparison.png"),
}
MAKING = ("fitreel run", "fitreel sweep", "fitreel compare", "mlflow run")
# MLflow derives the colour of a run from its id, so two runs may look alike. These do not.
COLOURS = {"0.02": "#de7921", "0.1": "#137dae", "0.5": "#c82d4c"}
DEFAULT = "0.1"
WIDTH, HEIGHT = 1280, 720
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ENVIRONMENT = {name: value for name, value in os.environ.items() if "MLFLOW" not in name} | {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # job runners would leave queues in /dev/shm
    "LOGNAME": "you",  # the pictures do not show who made them
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "BROWSER": "true",
}
# The button of MLflow's assistant covers the lower right corner of the page.
STYLE = "[data-assistant-ui] { visibility: hidden }"


def main() -> None:
    """Write everything into docs/images."""
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(1)
    )  # so that the finally block stops the server
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fitreel-") as directory:
        folder = Path(directory)
        for document in ("README.md", "docs/lesson.md", "docs/sweeping.md"):
            walk_through(document, folder)
        runs = {rate: run_of(folder, rate) for rate in COLOURS}
        with served(folder) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=BROWSER_OPTIONS
            )
            page = browser.new_page()
            for rate, run in runs.items():
                colour(page, server, run, COLOURS[rate])
            photograph_ui(page, server, runs[DEFAULT])
            (player,) = folder.glob(f"mlruns/*/{runs[DEFAULT]}/artifacts/player.html")
            photograph_pages(page, player, folder / "compare.html")
            browser.close()


def walk_through(page: str, folder: Path) -> None:
    """Type the commands of a page that make pictures, and copy those that are new."""
    before = {name for name in walk.PICTURES if walk.has_left(folder, name)}
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(walk.ROOT / name, folder)
    for name in ("pipeline", "src"):
        shutil.copytree(walk.ROOT / name, folder / name, dirs_exist_ok=True)
    for command in walk.typed(page):
        if command.startswith(MAKING) and "--live" not in command:
            # One of the lesson's trainings diverges, as it should.
            subprocess.run(["bash", "-c", command], cwd=folder, env=ENVIRONMENT, check=False)
    for name in walk.PICTURES.keys() - before:
        if walk.has_left(folder, name):
            shutil.copy(walk.picture(folder, name), IMAGES / name)


def run_of(folder: Path, rate: str) -> str:
    """Return the id of the README's run with a learning rate."""
    listed = subprocess.run(
        ["fitreel", "list", "--experiment", EXPERIMENT, "--json"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    runs = json.loads(listed.stdout)["runs"]
    (found,) = [run["run_id"] for run in runs if f"-lr{rate}-" in run["name"]]
    return str(found)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the runs of a folder; always kill the server and its workers at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            ["mlflow", "server", "--port", str(port), "--workers", "1"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while not answers(port):
                if server.poll() is not None:
                    raise RuntimeError((folder / "server.log").read_text())
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def answers(port: int) -> bool:
    """Return whether a server listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def colour(page: Page, server: str, run: str, value: str) -> None:
    """Set the colour of a run, as the palette in its row of the UI does."""
    tag = {"run_id": run, "key": "mlflow.runColor", "value": value}
    expect(page.request.post(f"{server}/api/2.0/mlflow/runs/set-tag", data=tag)).to_be_ok()


def photograph_ui(page: Page, server: str, run: str) -> None:
    """Take screenshots of MLflow's pages."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(f"{server}/#/experiments")
    page.get_by_role("button", name="Close", exact=True).click()  # MLflow's assistant
    page.get_by_text("Model training").click()

    page.get_by_role("link", name=EXPERIMENT).click()
    page.get_by_role("link", name=f"lr{DEFAULT}-").wait_for()
    runs = page.url.partition("?")[0]
    page.goto(f"{runs}?compareRunsMode=CHART")
    page.get_by_placeholder("Search metric charts").fill("loss")
    corner = page.get_by_test_id("draggable-card-resize-handle")
    expect(corner).to_have_count(1)
    corner.drag_to(
        page.locator("body"), target_position={"x": WIDTH - 55, "y": HEIGHT - 30}, steps=10
    )
    for rate in COLOURS:
        page.get_by_text(f"lr{rate}-e1000 (loss)").wait_for()
    page.locator("path.js-line").last.wait_for()
    shoot(page, "charts")

    page.goto(runs)
    for rate in COLOURS:
        row = page.get_by_role("row").filter(has_text=f"lr{rate}-")
        row.get_by_label("toggle row selection").check()
    shoot(page, "select")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text("Parallel Coordinates Plot").wait_for()
    page.locator(".js-plotly-plot").first.wait_for()
    shoot(page, "side-by-side")

    page.goto(f"{runs}/{run}")
    page.get_by_text("Show more").click()
    page.locator("img[src*='rst.gif']").evaluate("picture => picture.decode()")
    page.set_viewport_size({"width": WIDTH, "height": 860})
    shoot(page, "run")

    page.goto(f"{runs}/{run}/artifacts")
    page.get_by_text("rst.png").click()
    image = page.get_by_alt_text("rst.png")
    image.evaluate("image => image.decode()")
    end_at(page, image, "bottom", margin=30)
    shoot(page, "artifacts")


def photograph_pages(page: Page, player: Path, comparison: Path) -> None:
    """Take screenshots of fitreel's own pages, opened from disk."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(player.as_uri())
    page.locator("#scrub").fill("40")
    page.get_by_role("button", name="neuron 2", exact=True).click()
    page.screenshot(path=IMAGES / "player.png", full_page=True)
    page.goto(comparison.as_uri())
    page.locator("#scrub").fill("40")
    page.locator("#scrub").blur()
    page.screenshot(path=IMAGES / "comparison.png", full_page=True)


def end_at(page: Page, element: Locator, edge: str, margin: int) -> None:
    """Set the height of the window so that it ends at an edge of an element."""
    y = element.evaluate(f"element => element.getBoundingClientRect().{edge}")
    page.set_viewport_size({"width": WIDTH, "height": int(y) + margin})


def shoot(page: Page, name: str) -> None:
    """Take a screenshot of the window after it has settled."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / f"{name}.png", style=STYLE, animations="disabled")


if __name__ == "__main__":
    main()
