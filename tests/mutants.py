"""The mutants of a module: small faults, put into it one by one; the tests have to notice each.

    python -m tests.mutants src/fitreel/journal/journal.py tests/test_journal.py …

The faults are those of mutmut, which has to be installed (pip install mutmut), and two more: a call
whose result nobody uses is left out, and a condition is turned round. One process imports and
collects everything once, and finds which lines each test reaches. Each mutant is a fork of it, with
the code of one function replaced, that runs only the tests that reach the line, the quick ones
first. Constants of modules and defaults of arguments stay as they are.
"""

import difflib
import gc
import os
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import libcst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

SLOWER = 5  # times the tests' usual seconds, and 5 more, are given to a mutant; 65 at most
OUTCOMES = {0: "survived", 2: "not tried", 3: "not tried"}  # by the exit status of a fork


class Places(libcst.CSTVisitor):
    """The places of mutants: nodes inside of functions, but not their types."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: list[tuple[int, libcst.CSTNode, libcst.CSTNode]] = []
        self._depth = 0

    def visit_Annotation(self, node: libcst.Annotation) -> bool:  # noqa: ARG002, N802
        return False

    def visit_Param(self, node: libcst.Param) -> bool:  # noqa: ARG002, N802
        return False

    def visit_Decorator(self, node: libcst.Decorator) -> bool:  # noqa: ARG002, N802
        return False

    def on_visit(self, node: libcst.CSTNode) -> bool:
        self._depth += isinstance(node, libcst.FunctionDef)
        if self._depth:
            line = self.get_metadata(PositionProvider, node).start.line
            self.found += [(line, node, new) for new in changed(node)]
        return bool(super().on_visit(node))

    def on_leave(self, original_node: libcst.CSTNode) -> None:
        super().on_leave(original_node)
        self._depth -= isinstance(original_node, libcst.FunctionDef)


def changed(node: libcst.CSTNode) -> Iterator[libcst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            # Of the changes of a text only the first: the others change the case of its letters.
            news = list(operator(node))
            yield from news[:1] if isinstance(node, libcst.SimpleString) else news
    if isinstance(node, libcst.Expr) and isinstance(node.value, libcst.Call):
        yield libcst.Expr(libcst.Ellipsis())
    if isinstance(node, libcst.If):
        opposite = libcst.UnaryOperation(libcst.Not(), parenthesised(node.test))
        yield node.with_changes(test=opposite, whitespace_before_test=libcst.SimpleWhitespace(" "))


def parenthesised(node: libcst.BaseExpression) -> libcst.BaseExpression:
    return node.with_changes(lpar=[libcst.LeftParen()], rpar=[libcst.RightParen()])


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each mutant, and the whole module with it."""
    wrapper = MetadataWrapper(libcst.parse_module(source))
    places = Places()
    wrapper.visit(places)
    for line, old, new in places.found:
        text = wrapper.module.deep_replace(old, new)
        assert isinstance(text, libcst.Module)
        if text.code != source:
            yield line, text.code


def codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Yield the code of each function by its qualified name, those of functions in it excluded."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_flags & 2:  # a function has local variables of its own, a class has not
                yield each.co_qualname, each
            else:
                yield from codes(each)


def put_in(path: Path, text: str) -> bool:
    """Replace the code of the live functions; return whether one was changed."""
    old = dict(codes(compile(path.read_text(), str(path), "exec")))
    new = dict(codes(compile(text, str(path), "exec")))
    names = {name for name, code in new.items() if old[name] != code}
    found = [
        each
        for each in gc.get_objects()
        if type(each) is FunctionType  # isinstance would ask proxies, which may fail
        and each.__code__.co_filename == str(path)
        and each.__qualname__ in names
    ]
    for each in found:
        each.__code__ = new[each.__qualname__]
    return bool(found)


def run(item: Any, following: Any) -> None:
    """Run a test; after the last one the session follows: what all tests share stays set up."""
    item.ihook.pytest_runtest_protocol(item=item, nextitem=following)


class Hunt:
    """A plugin of pytest that runs the tests once for each mutant."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = ""
        self._reached: dict[int, set[str]] = defaultdict(set)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._has_failed = False

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        # A fork cannot wait for the server of commands; they would not have the mutant either.
        items[:] = [item for item in items if "commands" not in item.fixturenames]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        self._has_failed = self._has_failed or report.failed

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != str(self._path):
            return None
        if event in ("call", "line"):
            self._reached[frame.f_lineno].add(self._name)
        return self._trace

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item, following in pairwise((*session.items, session)):
            self._name = item.nodeid
            threading.settrace(self._trace)
            sys.settrace(self._trace)
            run(item, following)
            sys.settrace(None)
            threading.settrace(None)
        if self._has_failed:
            raise SystemExit("the tests fail without any mutant")
        counts = Counter[str]()
        source = self._path.read_text()
        # Some do not work in a fork, as those that wait for a process of the fixtures.
        work = [each for each in session.items if self._try([each], source, session) == "survived"]
        for item in session.items:
            if item not in work:
                print(f"left out, it fails in a fork: {item.nodeid}", file=sys.stderr)
        for line, text in mutants(source):
            names = self._reached[line] or self._reached_before(line)
            items = [item for item in work if item.nodeid in names]
            items.sort(key=lambda item: self._seconds[item.nodeid])
            outcome = self._try(items, text, session) if items else "not reached"
            counts[outcome] += 1
            if outcome != "killed":
                difference = difflib.unified_diff(source.split("\n"), text.split("\n"), n=0)
                shown = "\n".join(each for each in difference if each[:3] not in ("---", "+++"))
                print(f"{outcome}, {len(items)} tests, line {line}\n{shown}\n", file=sys.stderr)
        print(
            f"{self._path}: {counts.total()} mutants, {dict(counts)}", file=sys.stderr, flush=True
        )
        return True

    def _reached_before(self, line: int) -> set[str]:
        """Return the tests of the nearest line above that has any: a statement has many lines."""
        above = [each for each, names in self._reached.items() if names and line - 8 < each < line]
        return self._reached[max(above)] if above else set()

    def _try(self, items: list[pytest.Item], text: str, session: pytest.Session) -> str:
        limit = SLOWER * min(sum(self._seconds[item.nodeid] for item in items), 12) + 5
        child = os.fork()
        if child == 0:
            os.setsid()
            status = 3
            try:
                manager = session.config.pluginmanager
                manager.unregister(manager.get_plugin("terminalreporter"))
                status = self._survives(items, text, session)
            finally:
                os._exit(status)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return OUTCOMES.get(os.waitstatus_to_exitcode(status), "killed")
            time.sleep(0.01)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timed out"

    def _survives(self, items: list[pytest.Item], text: str, session: pytest.Session) -> int:
        if text != self._path.read_text() and not put_in(self._path, text):
            return 2
        for item, following in pairwise((*items, session)):
            run(item, following)
            if self._has_failed:
                return 1
        return 0


if __name__ == "__main__":
    module, *tests = sys.argv[1:]
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faulthandler"]
    sys.exit(pytest.main([*arguments, *tests], plugins=[Hunt(Path(module).resolve())]))
