"""The summary: the content of a comparison's tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from fitreel.comparison.runs import Comparison
from fitreel.settings import parse
from fitreel.settings.metrics import METRICS

RUN, ALIKE, SEEDS = "run", "equal but for the seed", "seeds"  # headers
LONG = 12  # characters; the whole number is in the run


@dataclass(frozen=True)
class Table:
    """The text of a table; names and params are text from outside."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]]  # row and column
    numbers_from: int  # the first column of numbers


def main_metrics(comparison: Comparison) -> list[str]:
    """Return the metrics to show: the chosen one, then the usual ones that any run has."""
    wanted = dict.fromkeys([comparison.metric, *METRICS])
    return [name for name in wanted if name in comparison.metrics]


def runs_table(comparison: Comparison, most_params: int) -> Table:
    """Return a row for each run: its label, the first differing params, the main metrics."""
    params, metrics = comparison.differing[:most_params], main_metrics(comparison)
    numbers_from = 1 + len(params)
    rows = [
        (
            label,
            *(_brief(run.params.get(name, "–")) for name in params),
            *(number(run.metrics[name]) if name in run.metrics else "–" for name in metrics),
        )
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
    ]
    best = {
        (place, column)
        for column, name in enumerate(metrics, start=numbers_from)
        for place in comparison.best[name]
    }
    return Table((RUN, *params, *metrics), tuple(rows), frozenset(best), numbers_from)


def groups_table(comparison: Comparison) -> Table:
    """Return a row for each group: its label, its seeds, mean ± interval of the main metrics."""
    metrics = main_metrics(comparison)
    rows = []
    for group in comparison.groups:
        seeds = [comparison.runs[place].params.get("seed", "–") for place in group.runs]
        means = [
            f"{number(found.mean)} ± {number(found.half_width)}" if found else "–"
            for found in map(group.metrics.get, metrics)
        ]
        rows.append((group.label, f"{len(seeds)}: {_listed(seeds)}", *means))
    return Table((ALIKE, SEEDS, *metrics), tuple(rows), frozenset(), 2)


def more_params(comparison: Comparison, most_params: int) -> str:
    """Return how many more params differ than are shown; an empty text if none."""
    more = len(comparison.differing) - most_params
    return (
        "" if more <= 0 else "1 more param differs" if more == 1 else f"{more} more params differ"
    )


def number(value: float) -> str:
    """Return a number with four significant digits."""
    return f"{value:.4g}"


def _brief(param: str) -> str:
    """Return a number that a sampler drew, 0.5046798646478564, rounded as in run names."""
    try:
        return param if len(param) < LONG else f"{parse(param, float):g}"
    except ValueError:
        return param


def _listed(texts: Sequence[str], most: int = 5) -> str:
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[: most - 1])} and {len(texts) - most + 1} more"
