"""The live page in a real browser, and what its server answers to others."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.live.browser import BrowserView
from fitreel.live.hook import LiveHook
from fitreel.pages.player import write_player
from fitreel.settings import TrainingSettings
from fitreel.training.loop import fit
from tests.browser import errorless, is_red, numbers, pixel, scrub, until
from tests.kinds import KINDS, dataset_of

ENDLESS = 1_000_000  # epochs


class Watched:
    """A training in a thread of its own that a live page shows."""

    def __init__(self, dataset: Dataset, epochs: int = ENDLESS, pace: float = 0.01) -> None:
        self.dataset, self.settings = dataset, TrainingSettings(epochs=epochs, lr=0.02)
        self.view = BrowserView(pace)
        self.epoch = 0
        self.ended_by: BaseException | None = None
        self.page: Path | None = None
        self._thread = threading.Thread(target=self._train, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self.view.controls.stop()
        if self._thread.ident:
            self.join()
        self.view.close()

    def last_prediction(self) -> tuple[float, float]:
        """Return x and y in the middle of the line of the last frame."""
        watched = self.view._watched
        assert watched.shown
        middle = len(watched.shown.probes.x) // 2
        return watched.shown.probes.x[middle].item(), watched.frames[-1].predictions[middle].item()

    def _train(self) -> None:
        try:
            hook = LiveHook(self.view, self.dataset, self.settings, "moons <b>&amp;</b>")

            def on_epoch(epoch: int, loss: float, training: object) -> None:
                self.epoch = epoch
                hook(epoch, loss, training)  # type: ignore[arg-type]

            history = fit(self.dataset, self.settings, on_epoch).history
            hook.show_end(history)
            if self.page:
                write_player(self.dataset, history, self.page, "the finished player")
            self.view.finish(self.page)
        except KeyboardInterrupt as error:
            self.view.resume = "fitreel resume RUN"
            self.ended_by = error
        finally:
            self.view.close()


@pytest.fixture(autouse=True)
def without_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep views from opening a browser of their own."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def watched() -> Iterator[Watched]:
    training = Watched(generate())
    yield training
    training.stop()


def step(page: Page) -> int:
    """Return the step that the page says the training is at."""
    return int(numbers(page.locator("#state").inner_text())[0])


def frames(page: Page) -> int:
    return int(page.evaluate("training?.frames.length ?? 0"))


@contextmanager
def opened(browser: Browser, watched: Watched) -> Iterator[Page]:
    """Open the page of a training, and wait for its first frames."""
    with errorless(browser) as page:
        page.goto(watched.view.address)
        until(page, "training?.frames.length > 3")
        yield page


def pause(page: Page, watched: Watched) -> None:
    page.locator("#pause").click()
    expect(page.locator("#state")).to_contain_text("paused at")
    until(page, f"curves.get('loss').steps.at(-1) === {watched.epoch}")


def test_the_page_waits_for_the_training_and_then_grows(browser: Browser, watched: Watched) -> None:
    with errorless(browser) as page:
        page.goto(watched.view.address)
        expect(page.locator("#state")).to_have_text("waiting for the training to start")
        expect(page.locator("#pause")).to_be_disabled()
        watched.start()
        until(page, "training?.frames.length > 3")
        expect(page.locator("h1")).to_have_text("moons <b>&amp;</b>")
        before, shown = step(page), numbers(page.locator("#moment").inner_text())
        until(page, f"curves.get('loss').steps.at(-1) > {before + 20}")
        until(page, f"training.frameEpochs[frame] > {shown[0]}")
        assert step(page) > before
        assert "of 1,000,000" in page.locator("#state").inner_text()


def test_a_pause_stops_the_training_at_what_the_page_shows(
    browser: Browser, watched: Watched
) -> None:
    watched.start()
    with opened(browser, watched) as page:
        pause(page, watched)
        at = watched.epoch
        until(page, f"training.frameEpochs.at(-1) === {at}")
        until(page, "frame === training.frames.length - 1")
        assert is_red(pixel(page, "view.chart", *watched.last_prediction()))
        page.wait_for_timeout(200)
        assert watched.epoch == at
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#pause")).to_have_text("Pause")
        until(page, f"curves.get('loss').steps.at(-1) > {at}")


def test_an_earlier_frame_stays_in_sight_while_the_training_goes_on(
    browser: Browser, watched: Watched
) -> None:
    watched.start()
    with opened(browser, watched) as page:
        scrub(page, 1)
        shown = numbers(page.locator("#moment").inner_text())
        until(page, f"training.frames.length > {frames(page) + 5}")
        assert numbers(page.locator("#moment").inner_text()) == shown
        page.get_by_role("button", name="Last frame").click()
        place = page.evaluate("transport.place")
        until(page, f"transport.place > {place}")


def test_the_pace_changes_by_steps(browser: Browser, watched: Watched) -> None:
    watched.start()
    with opened(browser, watched) as page:
        page.get_by_role("button", name="Slower").click()
        expect(page.locator("#state")).to_contain_text("0.02 s a frame")
        page.get_by_role("button", name="Slower").click()
        expect(page.locator("#state")).to_contain_text("0.05 s a frame")
        assert watched.view.controls.pace == 0.05
        for _ in range(3):
            page.get_by_role("button", name="Faster").click()
        expect(page.locator("#state")).to_contain_text("full speed")
        assert watched.view.controls.pace == 0


def test_two_presses_stop_the_training_as_ctrl_c_does(browser: Browser, watched: Watched) -> None:
    watched.start()
    with opened(browser, watched) as page:
        page.get_by_role("button", name="Stop").click()
        page.wait_for_timeout(200)
        assert watched.ended_by is None
        page.get_by_role("button", name="Press again to stop").click()
        expect(page.locator("#state")).to_contain_text("the training was stopped at step")
        expect(page.locator("#state kbd")).to_have_text("fitreel resume RUN")
        watched.join()
        assert isinstance(watched.ended_by, KeyboardInterrupt)
        assert step(page) == watched.epoch
        expect(page.locator("#stop")).to_be_disabled()
        scrub(page, 0)  # what was seen stays
        assert numbers(page.locator("#moment").inner_text())[0] == 0


def test_a_stop_ends_a_paused_training(browser: Browser, watched: Watched) -> None:
    watched.start()
    with opened(browser, watched) as page:
        pause(page, watched)
        page.locator("#stop").click()
        page.locator("#stop").click()
        expect(page.locator("#state")).to_contain_text("stopped")
    watched.join()


def test_a_reload_and_a_second_page_show_the_same(browser: Browser, watched: Watched) -> None:
    watched.start()
    with opened(browser, watched) as page, opened(browser, watched) as other:
        pause(page, watched)
        expect(other.locator("#pause")).to_have_text("Continue")
        until(other, f"curves.get('loss').steps.at(-1) === {watched.epoch}")
        page.reload()
        until(page, f"training?.frameEpochs.at(-1) === {watched.epoch}")
        expect(page.locator("#state")).to_have_text(other.locator("#state").inner_text())
        assert page.evaluate("curves.get('loss').values") == other.evaluate(
            "curves.get('loss').values"
        )
        assert page.evaluate("training.frameEpochs[0]") == 0
        other.locator("#pause").click()
        until(page, f"curves.get('loss').steps.at(-1) > {watched.epoch}")
        expect(page.locator("#pause")).to_have_text("Pause")


def test_the_page_becomes_the_finished_player(browser: Browser, tmp_path: Path) -> None:
    watched = Watched(generate(), epochs=60)
    watched.page = tmp_path / "player.html"
    with errorless(browser) as page, errorless(browser) as other:
        page.goto(watched.view.address)
        other.goto(watched.view.address)
        watched.start()
        watched.join()  # the server is gone: the pages have all that they need
        for each in (page, other):
            expect(each.locator("h1")).to_have_text("the finished player")
            scrub(each, 0)
            assert numbers(each.locator("#moment").inner_text())[0] == 0
            scrub(each, 12)
            assert numbers(each.locator("#moment").inner_text())[0] == 60


def test_without_a_player_the_page_keeps_what_it_has(browser: Browser) -> None:
    watched = Watched(generate(), epochs=60)
    with errorless(browser) as page:
        page.goto(watched.view.address)
        watched.start()
        watched.join()
        expect(page.locator("#state")).to_have_text("the training has ended at step 60 of 60")
        assert page.evaluate("training.frameEpochs.at(-1)") == 60
        assert is_red(pixel(page, "view.chart", *watched.last_prediction()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_prediction_is_drawn(browser: Browser, kind: str) -> None:
    watched = Watched(dataset_of(kind))
    watched.start()
    with opened(browser, watched) as page:
        pause(page, watched)
        until(page, "frame === training.frames.length - 1")
        box = "[0, 0, view.chart.ctx.canvas.width, view.chart.ctx.canvas.height]"
        painted = (
            f"new Set(new Uint32Array(view.chart.ctx.getImageData(...{box}).data.buffer)).size"
        )
        assert page.evaluate(painted) > 20
    watched.stop()


# ---- who may ask


def ask(
    watched: Watched, path: str | None = None, method: str = "GET", body: str = "", **headers: str
) -> http.client.HTTPResponse:
    """Send a request to the server, by default one for the page."""
    address = urlsplit(watched.view.address)
    assert address.port
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    connection.request(method, address.path if path is None else path, body, headers)
    return connection.getresponse()


def origin(watched: Watched) -> str:
    return watched.view.address.rpartition("/")[0].rpartition("/")[0]


def path(watched: Watched, name: str = "") -> str:
    return urlsplit(watched.view.address).path + name


def test_only_this_machine_can_reach_the_server(watched: Watched) -> None:
    address = urlsplit(watched.view.address)
    assert watched.view._server.server_address[0] == "127.0.0.1"
    assert len(address.path) > 40
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", address.port or 0)) != 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_token_is_refused(watched: Watched, method: str) -> None:
    right = path(watched)
    for wrong in ("/", "/control", f"{right[:-2]}/", f"/x{right[1:]}", "/%2e/", "*"):
        for name in ("", "events", "control"):
            answer = ask(watched, wrong + name, method, "stop")
            assert answer.status == 403, wrong
            assert answer.read() == b"Forbidden\n"
    watched.view.controls.check()


@pytest.mark.parametrize(
    "host", ["example.org", "example.org:80", "127.0.0.1.example.org", "[", "", "10.0.0.1"]
)
@pytest.mark.parametrize("name", ["", "events"])
def test_another_host_is_refused(watched: Watched, host: str, name: str) -> None:
    """The name of a page elsewhere may lead here."""
    assert ask(watched, path(watched, name), Host=host).status == 403
    assert ask(watched, path(watched, "control"), "POST", "stop", Host=host).status == 403
    watched.view.controls.check()


@pytest.mark.parametrize(
    "other", ["https://example.org", "null", "http://127.0.0.1:1", "http://localhost", "https"]
)
def test_another_origin_is_refused(watched: Watched, other: str) -> None:
    for method in ("GET", "POST"):
        for name in ("", "events", "control"):
            assert ask(watched, path(watched, name), method, "stop", Origin=other).status == 403
    watched.view.controls.check()


def test_commands_are_posted(watched: Watched) -> None:
    control = path(watched, "control")
    assert ask(watched, control).status == 405
    assert ask(watched, path(watched, "control?pause")).status == 404
    assert not watched.view.controls.is_paused
    assert ask(watched, control, "POST", "pause", Origin=origin(watched)).status == 204
    assert watched.view.controls.is_paused
    # Forwarded by ssh to another port of another machine.
    far = {"Host": "localhost:1234", "Origin": "http://localhost:1234"}
    assert ask(watched, control, "POST", "resume", **far).status == 204
    assert not watched.view.controls.is_paused
    for name in ("", "events"):
        assert ask(watched, path(watched, name), "POST", "pause").status == 405


@pytest.mark.parametrize("body", ["", "dance", "PAUSE", "stop " * 10])
def test_anything_else_is_no_command(watched: Watched, body: str) -> None:
    assert ask(watched, path(watched, "control"), "POST", body).status == 400
    watched.view.controls.check()


@pytest.mark.parametrize("length", ["-1", "x", "9" * 30, "²"])
def test_a_wrong_length_is_refused(watched: Watched, length: str) -> None:
    headers = {"Content-Length": length.encode().decode("latin-1")}
    assert ask(watched, path(watched, "control"), "POST", "stop", **headers).status == 400
    watched.view.controls.check()


def test_the_page_can_ask_its_server_alone(watched: Watched) -> None:
    answer = ask(watched)
    text = answer.read().decode()
    assert answer.status == 200
    assert "default-src 'none'" in text
    assert "connect-src 'self'" in text
    assert watched.view._server.token not in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert answer.headers["Server"] == "fitreel "
    assert ask(watched, path(watched, "other")).status == 404


# ---- the training never waits for a viewer


def news(watched: Watched) -> Iterator[dict[str, object]]:
    """Yield what the server sends to a viewer."""
    with ask(watched, path(watched, "events")) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def test_a_viewer_that_does_not_read_holds_nobody_up(capfd: pytest.CaptureFixture[str]) -> None:
    watched = Watched(dataset_of("regions"), epochs=300, pace=0)
    address = urlsplit(watched.view.address)
    with socket.create_connection(("127.0.0.1", address.port)) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2000)
        silent.sendall(f"GET {address.path}events HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        watched.start()
        while watched.epoch < 299:
            watched._thread.join(0.05)
    watched.join()
    assert "Traceback" not in capfd.readouterr().err


def test_a_viewer_that_comes_late_gets_all_in_few_points() -> None:
    watched = Watched(generate(), pace=0)
    watched.start()
    while len(watched.view._watched.curves.get("loss", ())) <= 5000:  # shown many at once
        watched._thread.join(0.05)
    watched.view.controls.pause()
    found = list(zip(range(2), news(watched), strict=False))
    first = found[0][1]
    steps, values = first["points"]["loss"]  # type: ignore[index]
    assert 1000 < len(steps) <= 2002
    assert steps[0] == 0
    assert 5000 <= steps[-1] <= watched.epoch
    assert values[0] == max(values)
    shown = first["frames"]
    assert isinstance(shown, list)
    assert 3 < len(shown) <= 200
    assert np.all(np.diff([each["step"] for each in shown]) > 0)
    watched.stop()


def test_too_many_viewers_are_refused(watched: Watched) -> None:
    viewers = [ask(watched, path(watched, "events")) for _ in range(20)]
    assert {each.status for each in viewers} == {200}
    assert ask(watched, path(watched, "events")).status == 503
    viewers.pop().close()
    while (answer := ask(watched, path(watched, "events"))).status == 503:
        pass
    assert answer.status == 200
