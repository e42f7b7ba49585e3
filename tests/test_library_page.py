"""The page of the library: its examples are typed in order, and give what it shows."""

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pytest
import torch

import fitreel
from tests.browser import numbers
from tests.conftest import ROOT

PAGE = (ROOT / "docs/library.md").read_text(encoding="utf-8")
FILES = {
    *("rst.gif", "points.csv", "points.png", "player.html", "slow.mp4", "weights.png"),
    *("diabetes.csv", "own.gif"),
}


class Example(NamedTuple):
    """A cell of a notebook: what is typed and what is shown."""

    line: int
    typed: str
    shown: str


def examples() -> Iterator[Example]:
    pattern = r"```python\n(.*?)```(?:\n```text\n(.*?)```)?"
    for match in re.finditer(pattern, PAGE, re.DOTALL):
        yield Example(PAGE[: match.start()].count("\n") + 1, match[1], match[2] or "")


def run(typed: str, names: dict[str, Any]) -> str:
    """Run a cell; return what it prints and, as a notebook does, its last value or its error."""
    *statements, last = ast.parse(typed).body
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(ast.Module(statements, []), "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                print("" if value is None else repr(value))
            else:
                exec(compile(ast.Module([last], []), "cell", "exec"), names)
        except (TypeError, ValueError) as error:
            print(f"{type(error).__name__}: {error}")
    return printed.getvalue()


def words(text: str) -> str:
    """Return a text with a # for every number."""
    return re.sub(r"[-−]?\d[\d,]*(\.\d+)?", "#", text.strip())


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
    for example in examples():
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
    seen = "\n".join(example.typed + example.shown for example in examples())
    assert public <= set(re.findall(r"\b\w+\b", seen))
    assert public == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
