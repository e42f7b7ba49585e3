"""Text from outside: what names and run ids may contain, and what is safe to show."""

import re
from urllib.parse import urlsplit

from fitreel.checks.urls import masked

LONGEST_NAME = 250  # what MLflow's databases keep of a run's name
LONGEST_URI = 500  # SQLite opens no longer path
LONGEST_PATH = 1000
LONGEST_FILTER = 4000
JOINERS = "\u200c\u200d"  # not printable by themselves, but Persian and emoji are written with them


def plain(text: str) -> str:
    """Return text as one line that controls no terminal and no page.

    Control characters, right-to-left marks and the like are written as Python writes them.
    """
    if text.isprintable():
        return text
    return "".join(letter if _is_plain(letter) else ascii(letter)[1:-1] for letter in text)


def shortened(text: str, most: int = 80) -> str:
    """Return text without its middle if it has more than ``most`` characters."""
    tail = most // 4
    return text if len(text) <= most else f"{text[: most - tail - 1]}…{text[-tail:]}"


def shown(text: str, most: int = 80) -> str:
    """Return text from outside as a message or a terminal shows it: plain, and shortened."""
    return plain(shortened(text, most))


def brief(value: object) -> str:
    """Return a setting as a table shows it: a real number with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def code_span(text: str) -> str:
    """Return text as a Markdown code span in which nothing has a meaning, in tables too."""
    line = shown(" ".join(text.replace("`", "'").split())) or " "
    # A backslash right before the one that escapes would take its meaning.
    return "`" + line.replace("\\|", "\\ |").replace("|", r"\|") + "`"


def check_name(text: str) -> str:
    """Return the name of a run or an experiment; ValueError if it is not one."""
    return _check(text, LONGEST_NAME)


def check_model(text: str) -> str:
    """Return the name of a registered model; ValueError if MLflow or a filter does not allow it."""
    if found := set(_check(text, LONGEST_NAME)) & set("/:@%'\""):
        raise ValueError(f"'{shown(text)}' has a {min(found)}, which no registered model has")
    return text


def check_uri(text: str) -> str:
    """Return a tracking URI; ValueError if it is not one. No store is contacted."""
    seen = f"'{shown(masked(_check(text, LONGEST_URI)))}'"
    try:
        parts = urlsplit(text)
        # To read the port raises ValueError if it is not a number that is possible.
        lacks_host = parts.scheme in ("http", "https") and not (parts.hostname and parts.port != 0)
    except ValueError:  # which quotes what may be half a password
        raise ValueError(
            f"{seen} is not a URL: a port is at most 65535, and in a password / is %2F, [ is %5B"
        ) from None
    if lacks_host:
        raise ValueError(f"{seen} names no host")
    if parts.scheme.startswith("sqlite"):
        if parts.path in ("", "/", "/:memory:"):
            raise ValueError(f"{seen} names no file; its runs would be lost")
        if parts.query:
            raise ValueError(f"{seen} has options behind a ?, which are not supported here")
    return text


def check_path(text: str) -> str:
    """Return the path of a file or a directory; ValueError if it is not one."""
    return _check(text, LONGEST_PATH)


def check_filter(text: str) -> str:
    """Return a search filter; ValueError if it is empty or invisible. MLflow parses it."""
    return _check(text, LONGEST_FILTER)


def check_metric(text: str) -> str:
    """Return a metric's name; ValueError if MLflow does not allow it."""
    if not re.fullmatch(r"[\w/.\- :]{1,250}", text) or not text.strip():
        raise ValueError(f"'{shown(text)}' is not the name of a metric")
    return text


def is_run_id(text: str) -> bool:
    """Return whether a run can have this id."""
    return bool(re.fullmatch(r"[0-9A-Za-z][\w-]{0,255}", text, re.ASCII))


def _check(text: str, most: int) -> str:
    if not text.strip():
        raise ValueError("it is empty; leave the option out")
    if len(text) > most:
        raise ValueError(f"it has {len(text):,} characters; at most {most:,} are allowed")
    for place, letter in enumerate(text, start=1):
        if not _is_plain(letter):
            raise ValueError(f"its character {place} is {letter!a}, which cannot be seen")
    return text


def _is_plain(letter: str) -> bool:
    return letter.isprintable() or letter in JOINERS
