"""The parts of a note: pictures and links in the Markdown that MLflow's UI shows for a run."""

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from fitreel.tracking.facts import Facts


def picture(run: "Facts", file: str) -> str:
    """Return the Markdown of a picture, whose address is relative to MLflow's page."""
    return f"![{file}](get-artifact?path={quote(file)}&run_uuid={quote(run.run_id)})"


def way(run: "Facts", file: str) -> str:
    """Return a link to an artifact of a run, in MLflow's viewer."""
    return f"[{file}](#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{quote(file)})"


def row(*cells: str) -> str:
    """Return a row of a table."""
    # The UI sets cells without any space between them.
    return "|" + "|".join(f"{cell}&emsp;" for cell in cells) + "|"


def table(rows: list[str]) -> str:
    """Return a table of rows, without a head; nothing of no rows."""
    # An empty paragraph, or what follows sticks to the table.
    return "\n".join([row("", ""), "|---|---|", *rows, "", "&nbsp;"]) if rows else ""
