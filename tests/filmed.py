"""What the tests of the integrations share: a store, the films in it, and the page's examples."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from PIL import Image

from fitreel.reel.files import load_reel, load_rows
from fitreel.reel.reel import Reel
from fitreel.tracking.names import KIND_TAG, PLAYER, PREDICTIONS, REEL, ROWS
from tests.conftest import ROOT
from tests.faults import runs

PAGE = ROOT / "docs/integrations.md"


class Film(NamedTuple):
    """A run with a film, as the store has it."""

    store: MlflowClient
    run: Run

    @property
    def status(self) -> str:
        return str(self.run.info.status)

    def points(self, metric: str) -> list[tuple[int, float]]:
        found = self.store.get_metric_history(self.run.info.run_id, metric)
        return sorted((point.step, point.value) for point in found)

    def steps(self, metric: str) -> list[int]:
        return [step for step, _ in self.points(metric)]

    def file(self, path: str) -> Path:
        return Path(self.store.download_artifacts(self.run.info.run_id, path))

    def reel(self) -> Reel:
        return load_reel(self.file(REEL), *load_rows(self.file(ROWS)))

    @property
    def frames(self) -> list[int]:
        """Return the steps of its frames, all of which are in the pictures."""
        steps = self.reel().recording().epochs.tolist()
        with Image.open(self.file("rst.gif")) as film:
            assert film.n_frames == len(steps)  # type: ignore[attr-defined]
        assert self.file(PLAYER).stat().st_size > 10_000
        assert len(self.file(PREDICTIONS).read_text().splitlines()) > 1
        return list(map(int, steps))


def films(store: MlflowClient) -> list[Film]:
    """Return all films of a store, the oldest first."""
    found = [run for run in runs(store) if run.data.tags.get(KIND_TAG) == "film"]
    return [Film(store, run) for run in sorted(found, key=lambda run: run.info.start_time)]


def only_film(store: MlflowClient) -> Film:
    (found,) = films(store)
    return found


def type_example(heading: str) -> dict[str, Any]:
    """Run the example of a section of the page; return its names, its last value as ``_``."""
    section = (
        PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    )
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, str(PAGE), "exec"), names)
    return names
