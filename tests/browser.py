"""A real Chromium, and helpers that read its pages: pixels, texts, errors."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, expect, sync_playwright

from tests.needs import require

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# Every page of MLflow requests the current user; a server without authentication answers 404. And
# MLflow's own layout reports an error when pictures in a note load late.
ERRORS_OF_MLFLOW = ("/mlflow/users/current", "/static-files/static/js/main.")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless browser."""
    require("browser")
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def errorless(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page; at the end assert that its console has no errors except MLflow's own."""
    errors: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        address = message.location["url"]
        if message.type == "error" and not any(each in address for each in ERRORS_OF_MLFLOW):
            errors.append(f"{message.text} ({address})")

    page = browser.new_page(**options)
    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    yield page
    page.close()
    assert not errors, errors


def pixel(page: Page | Frame, chart: str, x: float, y: float) -> tuple[int, int, int]:
    """Return the colour of a chart of our pages at (x, y) on its axes."""
    red, green, blue, _ = page.evaluate(
        f"""([x, y]) => {{
            const chart = {chart};
            const left = chart.valToPos(x, "x", true), top = chart.valToPos(y, "y", true);
            return [...chart.ctx.getImageData(Math.round(left), Math.round(top), 1, 1).data];
        }}""",
        [x, y],
    )
    return red, green, blue


def is_red(colour: tuple[int, int, int]) -> bool:
    """Return whether a pixel has the colour of the line of a fit."""
    red, green, blue = colour
    return red > 150 and green < 90 and blue < 90


def scrub(page: Page | Frame, place: int) -> None:
    """Move the slider to a step, as a user does."""
    page.locator("#scrub").fill(str(place))


def smallest_text(page: Page) -> float:
    """Return the size of the smallest text of a page, in pixels."""
    sizes = "[...document.querySelectorAll('body *')].map(e => getComputedStyle(e).fontSize)"
    return min(float(size.removesuffix("px")) for size in page.evaluate(sizes))


def until(page: Page | Frame, condition: str) -> None:
    """Wait until a condition is true; Playwright's wait needs eval, which our pages forbid."""
    for _ in range(1500):
        if page.evaluate(condition):
            return
        time.sleep(0.02)
    raise TimeoutError(condition)


def numbers(text: str) -> list[float]:
    """Return the numbers in a text of our pages."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", plain)]


def data(html: str) -> Any:
    """Return the data embedded in one of our pages."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    return json.loads(text)
