"""URLs with secrets: how they, and messages about them, are shown."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"
PATHS = ("", "file", "sqlite")  # what may stand before a path, in which an @ is a letter
SCHEME = re.compile(r"[\w+.-]+(:[\w+.-]+)?")  # as in postgresql+psycopg, and in uc:http
AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:\d*)?")  # a host and a port
OPTION = re.compile(r"(?:^|[?&;#\s])([^=?&;#/\s]*)=")
SECRET = re.compile("pass|pwd|token|secret|key|auth|cred|sig|user|uid|login|odbc_connect|dsn", re.I)
PART = 4  # letters at least of a password's part that is looked for by itself


def masked(url: str) -> str:
    """Return a URL as others may see it: without user, password and options that look secret.

    Parsers disagree on where a password with @, / or # ends: what any of them could read as a
    part of it is hidden, and everything after the scheme if that is unclear.
    """
    scheme, slashes, rest = _split(url)
    if not _is_path(scheme, rest):
        user, at, rest = rest.rpartition("@")
        authority = re.split(r"[/?#]", rest)[0]
        if "?" in user or (slashes and not AUTHORITY.fullmatch(authority)):
            return f"{scheme}{slashes}{HIDDEN}"
        slashes += f"{HIDDEN}@" if at else ""
    for option in OPTION.finditer(rest):
        if SECRET.search(unquote_plus(option[1])):
            rest = rest[: option.end()] + HIDDEN  # and all after it: it may contain & or #
            break
    return f"{scheme}{slashes}{rest}"


def scrubbed(message: str, url: str) -> str:
    """Return a message about a URL without the URL's secrets."""
    message = message.replace(url, masked(url))
    # The longest first: a part of one must not be replaced inside of it. Only whole words, so that
    # a short password hides no other text.
    for secret in sorted(set(_secrets(url)), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, message)
    return message


def _split(url: str) -> tuple[str, str, str]:
    scheme, slashes, rest = url.partition("://")
    return (scheme, slashes, rest) if slashes and SCHEME.fullmatch(scheme) else ("", "", url)


def _is_path(scheme: str, rest: str) -> bool:
    return scheme.partition("+")[0] in PATHS and rest.startswith(("/", "./", "../"))


def _secrets(url: str) -> Iterator[str]:
    """Yield the secrets of a URL, as written and decoded."""
    scheme, _, rest = _split(url)
    user = "" if _is_path(scheme, rest) else rest.rpartition("@")[0]
    name, _, password = user.partition(":")
    found = [password]
    if scheme.startswith("http"):
        found += [user, name]  # a token has no name; a database may quote the user that it refuses
    found += [part for part in re.split("[:@/?#]", password) if len(part) >= PART]
    for option in OPTION.finditer(rest):
        if SECRET.search(unquote_plus(option[1])):
            found += [rest[option.end() :], re.split("[&;#]", rest[option.end() :])[0]]
    for secret in filter(None, found):
        yield from (secret, unquote(secret), unquote_plus(secret))
