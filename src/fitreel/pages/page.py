"""A page: scripts, styles and data in one file. Data never becomes HTML or code."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fitreel.pictures.saved_file import SavedFile

# uPlot has 50 kB, draws on a canvas and needs no eval. Plotly and Vega bring a megabyte or more,
# and Vega compiles its expressions, which the policy of a page forbids.
CHARTS = ("uPlot.iife.min.js",)
STYLES = ("uPlot.min.css", "style.css")

HEIGHT = 780  # pixels of a page in a notebook, which scrolls if it is longer


class Page(SavedFile):
    """The file of a page: it serves as its path, and a notebook shows the page."""

    def _repr_html_(self) -> str:
        # In a frame without the notebook's origin: its scripts reach nothing outside of it.
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(self.path.read_text("utf-8"))}" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )


def write_page(path: Path, title: str, body: str, scripts: Sequence[str], data: Any) -> Page:
    """Write a page of static parts and data; ``title`` and ``data`` may contain any text."""
    path.write_text(page_text(title, body, scripts, data), encoding="utf-8", newline="\n")
    return Page(path)


def page_text(
    title: str, body: str, scripts: Sequence[str], data: Any, *, asks_server: bool = False
) -> str:
    """Return a page of static parts and data, as HTML.

    The policy lets this page's own scripts run, known by their hash, and nothing else; nothing
    is fetched, or with ``asks_server`` nothing but from the server of the page.
    """
    licence = f"/*\n{static('uPlot.LICENSE')}\n*/"
    script = "\n".join([licence, *map(static, (*CHARTS, *scripts))])
    # A browser hashes what it parsed: lines end with \n there.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Styles need no hash: they run nothing, and default-src keeps them from fetching anything.
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    # One pass: a $ in the title, the data or the scripts is not replaced again.
    return Template(static("page.html")).substitute(
        policy=policy + ("; connect-src 'self'" if asks_server else ""),
        title=html.escape(title),
        style="\n".join(map(static, STYLES)),
        body=Template(static(body)).substitute(transport=static("transport.html")),
        data=as_json(data),
        script=script,
    )


@cache
def static(name: str) -> str:
    """Return the text of a file that the pages are made of."""
    return (files("fitreel.pages") / "static" / name).read_text("utf-8")


def as_json(data: Any) -> str:
    """Return data as JSON that no HTML parser takes for the end of its script."""
    # A browser cannot parse NaN in JSON: better an error here than an empty page.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", text)


def packed(numbers: ArrayLike, kind: DTypeLike) -> str:
    """Return numbers for the page: base64 of little-endian values."""
    array = np.ascontiguousarray(numbers, dtype=np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(array.tobytes()).decode()
