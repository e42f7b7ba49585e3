import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from fitreel.pages.page import as_json, packed, write_page
from tests.browser import data

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--\u2028'\"&"


def test_json_contains_nothing_that_ends_a_script() -> None:
    text = as_json({"name": HOSTILE})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": HOSTILE}


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"loss": float("nan")})


def test_numbers_are_packed_little_endian() -> None:
    assert packed(np.array([1, 258], dtype=">i8"), np.int32) == "AQAAAAIBAAA="


def test_text_in_title_and_data_stays_text(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, HOSTILE, "player.html", (), {"name": HOSTILE})
    assert data(path.read_text()) == {"name": HOSTILE}
    page.goto(path.as_uri())
    assert page.title() == HOSTILE
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0


def test_no_script_runs_but_those_of_the_page(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, "", "player.html", ("network.js",), {})
    injected = path.read_text().replace("</header>", "</header><script>window.evil = 1</script>")
    path.write_text(injected)
    errors: list[str] = []
    opened = browser.new_page()
    opened.on("console", lambda message: errors.append(message.text))
    opened.goto(path.as_uri())
    assert opened.evaluate("[typeof window.evil, typeof uPlot]") == ["undefined", "function"]
    assert "Content Security Policy" in errors[0]
    opened.close()


def test_the_page_has_the_licence_of_the_charting_library(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, "", "player.html", (), {})
    assert "Copyright (c) 2022 Leon Sorokin" in path.read_text()
    assert "The above copyright notice" in path.read_text()
