"""The page of the library: its examples are typed in order, and give what it shows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch

import fitreel
from tests.browser import numbers
from tests.conftest import ROOT
from tests.examples import examples, run, words

PAGE = (ROOT / "docs/library.md").read_text(encoding="utf-8")
CALLED = "render_reel write_reel_player"  # by the methods of a reel
FILES = {
    *("rst.gif", "points.csv", "points.png", "player.html", "slow.mp4", "weights.png"),
    *("diabetes.csv", "own.gif", "trees.gif"),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine several wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_examples_give_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for example in examples(PAGE):
        shown = run(example.typed, names)
        where = f"docs/library.md:{example.line}\n{shown}"
        assert words(shown) == words(example.shown), where
        # The last digits are not the same on every processor.
        assert numbers(shown) == pytest.approx(numbers(example.shown), rel=0.02), where
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert "pyplot" not in matplotlib.get_backend()


def test_every_public_name_is_used_and_listed() -> None:
    public = {name for name in fitreel.__all__ if not name.startswith("_")}
    # Typed, or a result, as History is.
    # `film` needs a store: the page of filming types it.
    pages = [PAGE, (ROOT / "docs/filming.md").read_text(encoding="utf-8")]
    seen = "\n".join(each.typed + each.shown for page in pages for each in examples(page))
    assert public <= set(re.findall(r"\b\w+\b", f"{seen} {CALLED}"))
    assert public == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
