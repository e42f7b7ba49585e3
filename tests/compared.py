"""Runs to compare, trained for a few epochs, and hostile texts."""

from collections.abc import Mapping
from dataclasses import asdict

from fitreel.comparison.compared import OwnRun
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.settings import DataSettings, TrainingSettings
from fitreel.training.evaluation import evaluate
from fitreel.training.loop import fit

HOSTILE = [
    "<script>alert(1)</script>",
    r"$\frac{1}{0}$ $\undefined{$",
    "| a | `b` **c** \\| [d](javascript:e)\n# f\n\n---",
    "\u202egnp.exe\u202c ריצה",
    "\x1b[2J\x00\x9b",
    "漢字 \U0001f600 e" + "\u0301" * 300,
    "x" * 10_000,
    "",
]


def compared(
    place: int = 0,
    *,
    name: str | None = None,
    data: DataSettings = DataSettings(),
    dataset: Dataset | None = None,
    params: Mapping[str, str] = {},
    metrics: Mapping[str, float] = {},
    **settings: object,
) -> OwnRun:
    """Train for 60 epochs, unless ``settings`` differ, and measure the network."""
    training = TrainingSettings(**{"epochs": 60, **settings})  # type: ignore[arg-type]
    points = dataset or generate(data)
    trained = fit(points, training)
    texts = {key: str(value) for key, value in (asdict(data) | asdict(training)).items()}
    measured: dict[str, float] = evaluate(trained.network.weights(), points, data)
    measured["loss"] = trained.history.losses[-1].item()
    return OwnRun(
        f"{place:08x}" + "0" * 24,
        training.label if name is None else name,
        texts | dict(params),
        measured | dict(metrics),
        points,
        trained.history,
    )


def hostile() -> list[OwnRun]:
    """Return runs with hostile names, params and names of metrics."""
    return [
        compared(
            place, name=text, seed=place, params={text: text, "lr": text}, metrics={text: 1e300}
        )
        for place, text in enumerate(HOSTILE)
    ]
