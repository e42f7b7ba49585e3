"""The note of a film of any model: what MLflow's UI shows as the description of its run."""

from fitreel.checks.text import code_span
from fitreel.reel.reel import Reel
from fitreel.tracking.facts import Facts
from fitreel.tracking.names import PLAYER, PREDICTIONS, film_path
from fitreel.tracking.note_parts import picture, row, table, way

MOST_ROWS = 20  # of the last values of metrics


def film_note(run: Facts, reel: Reel) -> str:
    """Return the note of a film in Markdown: the film, the last values, how to open it."""
    last = [
        # The program that filmed chose the names.
        row(code_span(name), f"{curve.values[-1]:.4g}")
        for name, curve in list(reel.curves.items())[:MOST_ROWS]
        if len(curve)
    ]
    if not reel.frames:
        return "\n\n".join(["**The training ended before the first frame of a film**", table(last)])
    play = f"Play it: {way(run, PLAYER)}, or look at the last {way(run, PREDICTIONS)}"
    return "\n\n".join([picture(run, film_path("gif")), play, table(last), _ways(run)])


def _ways(run: Facts) -> str:
    return (
        "**Open it** on your machine, or film it again\n\n"
        f"    fitreel open {run.run_id}\n"
        f"    fitreel animate --run {run.run_id} --fps 10 --format mp4"
    )
