"""The walk through the documents: the commands that they show, in order, and their pictures.

A test types all of them in one fresh directory, as a reader would, and compares the pictures;
screenshots.py types the same commands to make the pictures.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (  # in the order in which a reader meets them
    "README.md",
    "docs/lesson.md",
    "docs/runs.md",
    "docs/comparing.md",
    "docs/sweeping.md",
    "docs/own-data.md",
    "docs/stages.md",
    "docs/reliability.md",
)
PROGRAMS = ("fitreel", "mlflow", "make", "pip", "python", "source", "optuna", "RUN=$(fitreel")
NOT_TYPED = {  # the beginning of a command, and why nobody types it in the walk
    "make run": "it sets up an environment first; MAKE_RUN is what it runs then",
    "make test": "it is what types all this",
    "pip install": "all that is installed already",
    "source": "the environment is active already",
    "mlflow models serve": "it serves until Ctrl-C; tests/test_served_table.py asks such a server",
    "fitreel run --live browser": "tests/test_live_commands.py watches such a run",
    "fitreel watch RUN --live browser": "tests/test_watch.py watches a run on a server",
    "fitreel --install-completion": "it writes into the files of a shell",
}
MAKE_RUN = "mlflow run . --env-manager local"
# Of the pictures that commands leave, where: the oldest file that fits, as a later page may type
# a command again.
PICTURES = {
    "rst.gif": "mlruns/0/*/artifacts/rst.gif",
    "rst.png": "mlruns/0/*/artifacts/rst.png",
    "compare.gif": "compare.gif",
    "compare.png": "compare.png",
    "settings.png": "mlruns/*/*/artifacts/settings.png",
    "best.gif": "pictures/compare.gif",
    "own-data.gif": "own/rst.gif",
    "own-data-importance.png": "own/importance.png",
    "own-data-classes.gif": "moons/rst.gif",
    "lesson-rate.gif": "rate/compare.gif",
    "lesson-dead.png": "dead/rst.png",
    "lesson-width.gif": "width/compare.gif",
    "lesson-step.gif": "step/compare.gif",
    "lesson-rule.gif": "rule/compare.gif",
    "lesson-luck.png": "luck/compare.png",
}


def commands(page: str) -> list[str]:
    """Return the commands that a page shows, in order, without comments."""
    return list(_commands((ROOT / page).read_text(encoding="utf-8")))


def _commands(text: str) -> Iterator[str]:
    for block in re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE):
        for line in textwrap.dedent(block).replace("\\\n", " ").splitlines():
            command = " ".join(re.sub(r"\s#\s.*", "", line).split())
            if command.split(" ")[0] in PROGRAMS:
                yield command


def why_not_typed(command: str) -> str | None:
    """Return why the walk leaves out a command; None if it is typed."""
    return next((why for start, why in NOT_TYPED.items() if command.startswith(start)), None)


def typed(page: str) -> list[str]:
    """Return the commands of a page that the walk types."""
    found = [MAKE_RUN if command == "make run" else command for command in commands(page)]
    return [command for command in found if why_not_typed(command) is None]


def images(page: str) -> list[str]:
    """Return the names of the pictures that a page shows."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"!\[[^\]]*\]\((?:docs/)?images/([^)]+)\)", text)


def has_left(directory: Path, name: str) -> bool:
    """Return whether the walk has left a picture in a directory."""
    return any(directory.glob(PICTURES[name]))


def picture(directory: Path, name: str) -> Path:
    """Return a picture that the walk left in a directory."""
    return min(directory.glob(PICTURES[name]), key=lambda path: path.stat().st_mtime)
