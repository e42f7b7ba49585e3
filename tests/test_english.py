"""The project speaks plain English: messages, docstrings, comments and documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

CODE = [
    path
    for name in ("src", "pipeline", "benchmarks", "docs", "tests")
    for path in sorted((ROOT / name).rglob("*.py"))
    if path != Path(__file__)  # which has them all
]
PAGES = sorted((ROOT / "src/fitreel/pages/static").glob("*.*"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# What we do not write, and what we write instead.
WORDS = {
    r"(?<!\.)\b(tells?|told|telling)\b": "report, say, show",
    r"\b(go|goes|gone|going|went) on with\b": "resume, continue",
    r"\banew\b": "again",
    r"\bfor want of\b": "because … is missing",
    r"\bof old\b": "as in the original",
    r"\bbegun\b": "started",
    r"\bin vain\b": "useless",
    r"\brid of\b": "removes",
    r"\bwhoever\b": "rephrase",
    r"\bthere is none\b": "… is missing",
    r"\bhinges?\b": "kink",
    r"\bleast possible\b": "noise floor",
    r"(?<!\bthere )\b(is|are) no (?!longer\b|better\b|more\b|faster\b)[a-z]+\b": "is not a …",
}
# How a docstring of a function may not start, and how it does instead.
STARTS = "Give|Tell|Say|Hold|Lend|Learn|Know|Have|Let|Part|Name|Put|Picture"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)


@pytest.mark.parametrize(
    "path", [*CODE, *PAGES, *DOCUMENTS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_words_are_everyday_words(path: Path) -> None:
    if path.name.startswith("uPlot"):
        return
    found = [
        f"line {number}: {match[0]!r} → {instead}"
        for number, line in texts(path)
        for pattern, instead in WORDS.items()
        for match in re.finditer(pattern, line, re.IGNORECASE)
    ]
    assert not found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_say_what_a_function_does(path: Path) -> None:
    found = [
        f"{node.name}: {text.splitlines()[0]}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        if re.match(rf"({STARTS})\b", text := ast.get_docstring(node) or "")
    ]
    assert not found
