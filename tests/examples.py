"""The examples of a page, typed as in a notebook: what each prints, or shows for its last line."""

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class Example(NamedTuple):
    """A cell of a notebook: what is typed and what is shown."""

    line: int
    typed: str
    shown: str


def examples(page: str) -> Iterator[Example]:
    """Yield the examples of a page, in order."""
    pattern = r"```python\n(.*?)```(?:\n```text\n(.*?)```)?"
    for match in re.finditer(pattern, page, re.DOTALL):
        yield Example(page[: match.start()].count("\n") + 1, match[1], match[2] or "")


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
