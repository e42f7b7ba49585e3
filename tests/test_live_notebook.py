"""The live view of notebooks: in a real Jupyter server with a browser, and message by message."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import comm
import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, Page
from requests import ConnectionError as NoServer, get

from fitreel.data.dataset import Dataset
from fitreel.live.notebook import GAP, NotebookView
from fitreel.reel.listener import Frame as Shown
from fitreel.reel.probes import probes_of
from tests.browser import data, errorless, until
from tests.conftest import environment, free_port
from tests.faults import SPOOL, wait_until

CELLS = (
    "import fitreel\nfitted = fitreel.fit(fitreel.generate(), epochs=150, live=True, pace=0.1)",
    "import time\n"
    "with fitreel.film([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], live=True, name='line') as reel:\n"
    "    for step in range(10**6):\n"
    "        reel.frame(step, 1 / (1 + step), lambda x: x * 2)\n"
    "        time.sleep(0.02)",
)
# How many pixels of the fit are red, as the line of a model.
RED = """() => {
    const { ctx } = view.chart, { width, height } = ctx.canvas;
    const pixels = ctx.getImageData(0, 0, width, height).data;
    let found = 0;
    for (let at = 0; at < pixels.length; at += 4) {
        found += pixels[at] > 150 && pixels[at + 1] < 90 && pixels[at + 2] < 90;
    }
    return found;
}"""


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a Jupyter server with a notebook; yield its address and the notebook's file."""
    directory, port = tmp_path_factory.mktemp("jupyter"), free_port()
    cells = [
        {"cell_type": "code", "id": f"c{number}", "source": source, "metadata": {}, "outputs": []}
        | {"execution_count": None}
        for number, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    file = directory / "watched.ipynb"
    file.write_text(json.dumps(content | {"nbformat_minor": 5}))
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", SPOOL)
    variables = {name: str(directory / name.lower()) for name in places}
    options = (f"--ServerApp.port={port}", "--no-browser", "--allow-root")
    # Its news would be a request to the internet, and a question on the page.
    more = (
        "--IdentityProvider.token=secret",
        "--LabApp.news_url=None",
        f"--notebook-dir={directory}",
    )
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *more],
            cwd=directory,
            env=environment(**variables),
            stdout=log,
            stderr=log,
        ) as server,
    ):
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert server.poll() is None, (directory / "log").read_text()
            try:
                return get(f"{address}/api", timeout=10).ok
            except NoServer:
                return False

        wait_until(answers, "Jupyter's server")
        yield f"{address}/doc/tree/watched.ipynb?token=secret", file
        server.terminate()


def shown(page: Page, cell: int) -> Frame:
    """Return the page in the output of a cell."""
    handle = page.locator(".jp-CodeCell").nth(cell).locator("iframe").element_handle()
    frame = handle.content_frame()
    assert frame
    frame.wait_for_load_state()
    return frame


def run_cell(page: Page, cell: int) -> None:
    found = page.locator(".jp-CodeCell").nth(cell)

    def is_running() -> bool:
        # A page that was just loaded may not hear the first key.
        found.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1000)
        return found.locator(".jp-InputArea-prompt").inner_text().strip() != "[ ]:"

    wait_until(is_running, "the cell")


def test_the_output_of_a_cell_grows_and_becomes_the_player(
    jupyter: tuple[str, Path], browser: Browser
) -> None:
    address, file = jupyter
    with errorless(browser, viewport={"width": 1100, "height": 1500}) as page:
        page.goto(address)
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        run_cell(page, 0)
        live = shown(page, 0)
        until(live, "training?.frames.length >= 5")
        assert "training, step" in live.locator("#state").inner_text()
        assert live.locator("#stop").is_hidden()
        until(live, "curves.get('loss').steps.at(-1) > 50")
        assert live.evaluate(RED) > 300
        # The widget is replaced by the finished player, which the notebook's file keeps.
        page.locator('iframe[srcdoc*="noise_floor"]').wait_for()
        player = data(shown(page, 0).content())
        assert player["name"] == "relu20-sgd-lr0.1-e150"
        page.keyboard.press("Control+s")
        wait_until(lambda: "noise_floor" in file.read_text(), "the saved notebook")

        run_cell(page, 1)
        film = shown(page, 1)
        until(film, "training?.frames.length >= 3")
        assert film.locator("h1").inner_text() == "line"
        page.keyboard.press("Escape")
        page.keyboard.press("i")
        page.keyboard.press("i")
        until(film, "document.body.dataset.phase === 'stopped'")
        assert "the training was stopped at step" in film.locator("#state").inner_text()


class Line(comm.base_comm.BaseComm):
    """The line to a notebook; it keeps what is sent."""

    def __init__(self, sent: list[dict[str, Any]], **options: Any) -> None:
        self._sent = sent
        super().__init__(**options)

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        if msg_type == "comm_msg":
            self._sent.append(data["content"] if data["method"] == "custom" else data["state"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of what widgets send."""
    found = list[dict[str, Any]]()
    monkeypatch.setattr(comm, "create_comm", lambda **options: Line(found, **options))
    return found


def train(view: NotebookView, dataset: Dataset, is_over: Callable[[], bool]) -> int:
    """Show a training without any work; return its last step."""
    probes, step = probes_of(dataset), -1
    view.start(dataset, probes, None, "name")
    while not is_over():
        step += 1
        view.on_point(step, {"loss": 1 / (1 + step)})
        view.on_frame(Shown(step, 1 / (1 + step), np.zeros(len(probes.inputs), np.float32)))
    return step


def test_messages_are_few_and_the_last_has_the_end(
    sent: list[dict[str, Any]], dataset: Dataset
) -> None:
    view = NotebookView()
    started = time.monotonic()
    step = train(view, dataset, lambda: time.monotonic() - started > 0.5)
    assert 2 <= len(sent) <= (time.monotonic() - started) / GAP + 3
    view.finish(None)
    view.close()
    counted = [message for message in sent if not message["is_whole"]]
    assert [message["number"] for message in counted] == list(range(1, len(counted) + 1))
    news = counted[-1]["news"]
    assert news["points"]["loss"][0][-1] == news["frames"][-1]["step"] == step
    assert news["state"]["phase"] == "ended"


def test_a_browser_that_was_not_ready_gets_all_later(
    sent: list[dict[str, Any]], dataset: Dataset
) -> None:
    train(NotebookView(), dataset, lambda: sum(message["is_whole"] for message in sent) == 2)
    whole = [message for message in sent if message["is_whole"]]
    assert sent[0]["news"]["start"]["name"] == "name"
    for message in whole:
        before = sent[sent.index(message) - 1]
        assert message["number"] == before["number"]
        assert message["news"]["start"] == sent[0]["news"]["start"]
        assert message["news"]["points"]["loss"][0][0] == 0
        last = before["news"]["points"]["loss"][0][-1]
        assert message["news"]["points"]["loss"][0][-1] == last


def test_a_training_that_is_broken_off_says_so(
    sent: list[dict[str, Any]], dataset: Dataset
) -> None:
    view = NotebookView()
    view.start(dataset, probes_of(dataset), 10, "name")
    view.resume = "fitreel resume 1234"
    view.close()
    state = sent[-1]["news"]["state"]
    assert (state["phase"], state["resume"]) == ("stopped", "fitreel resume 1234")


def test_outside_of_jupyter_the_widget_itself_becomes_the_player(
    sent: list[dict[str, Any]], dataset: Dataset, tmp_path: Path
) -> None:
    page = tmp_path / "player.html"
    page.write_text("<p>the player</p>")
    view = NotebookView()
    view.start(dataset, probes_of(dataset), 10, "name")
    view.finish(page)
    view.close()
    assert sent[-1] == {"page": "<p>the player</p>"}


@pytest.mark.parametrize("missing", ["anywidget", "IPython"])
def test_the_missing_extra_is_named(missing: str) -> None:
    code = f"import sys; sys.modules['{missing}'] = None; import fitreel.live.notebook"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: to watch a training in a notebook, {missing} is missing: "
        "pip install 'fitreel[notebook]'"
    )
