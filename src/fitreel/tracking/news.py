"""The news of a run that is watched: new points and frames, from its journals or the store."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.journal.checkpoints import unpack
from fitreel.journal.filming import CURVE, SHOTS, frames_of, points_of
from fitreel.journal.following import Followed
from fitreel.journal.records import Record
from fitreel.reel.listener import Frame
from fitreel.reel.of_history import record_network
from fitreel.reel.probes import Probes, shape_of_frame
from fitreel.reel.reel import LOSS
from fitreel.reel.thinning import thinned
from fitreel.settings import TrainingSettings
from fitreel.tracking.store.client import Client
from fitreel.training.network import Network
from fitreel.training.weights import Weights

MOST_FRAMES = 50  # of one look: who comes late sees what was before in a moment
GAP = 1.0  # seconds between two questions to the store
SHARE = 10  # … or so many times what its last answer took: a history is read as a whole


@dataclass
class News:
    """What came since the last look: the values of steps, by step, and frames."""

    points: dict[int, dict[str, float]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)


class _NewPoints:
    """The points of curves whose steps rise; those that were seen are left out."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def add(self, news: News, name: str, points: Iterable[tuple[int, float]]) -> None:
        """Add the points of a curve that are new."""
        for step, value in points:
            if step > self._last.get(name, -1):
                self._last[name] = step
                news.points.setdefault(step, {})[name] = value


class NewsOfJournals:
    """The news of a run whose journals are on this machine."""

    def __init__(
        self,
        journals: Sequence[Followed],
        dataset: Dataset,
        probes: Probes,
        settings: TrainingSettings | None,
    ) -> None:
        """Begin with what there is; ``settings`` are those of a training of ours."""
        self._journals = journals
        self._dataset, self._probes = dataset, probes
        self._networks = _Networks(dataset, probes, settings) if settings else None
        self._points = _NewPoints()

    def read(self) -> News:
        """Return what is new, frames thinned; ValueError where a journal is damaged."""
        news = News()
        for journal in self._journals:
            for record in journal.new():
                self._take(record, news)
        news.points = dict(sorted(news.points.items()))
        if self._networks:
            news.frames += self._networks.frames()
        news.frames = [news.frames[place] for place in thinned(len(news.frames), MOST_FRAMES)]
        return news

    def _take(self, record: Record, news: News) -> None:
        if record["kind"] == CURVE:
            steps, values = points_of(record)
            points = zip(steps.tolist(), values.tolist(), strict=True)
            self._points.add(news, record["name"], points)
        elif record["kind"] == SHOTS:
            news.frames += frames_of(record, shape_of_frame(self._dataset, self._probes))
        elif record["kind"] == "losses":
            losses = list(enumerate(unpack(record["numbers"]).tolist(), record["first"]))
            self._points.add(news, LOSS, losses)
            if self._networks:
                self._networks.take_losses(losses)
        elif record["kind"] == "frames" and self._networks:
            rows = torch.tensor(unpack(record["numbers"]))
            self._networks.take_rows(rows.reshape(record["count"], -1))


class _Networks:
    """The networks of a training of ours, which become frames when their losses have come."""

    def __init__(self, dataset: Dataset, probes: Probes, settings: TrainingSettings) -> None:
        self._dataset, self._probes = dataset, probes
        self._every = settings.frame_every
        self._like = Network(settings, dataset).weights()
        self._losses: dict[int, float] = {}
        self._rows: dict[int, Tensor] = {}
        self._count = 0

    def take_losses(self, losses: Iterable[tuple[int, float]]) -> None:
        """Keep the losses of the epochs that have a frame."""
        self._losses.update((epoch, loss) for epoch, loss in losses if epoch % self._every == 0)

    def take_rows(self, rows: Tensor) -> None:
        """Keep networks, (networks, numbers), one every so many epochs."""
        for row in rows:
            self._rows[self._count * self._every] = row
            self._count += 1

    def frames(self) -> list[Frame]:
        """Return what is complete; of many some."""
        ready = sorted(self._rows.keys() & self._losses.keys())
        frames = [self._frame(ready[place]) for place in thinned(len(ready), MOST_FRAMES)]
        for epoch in ready:
            del self._rows[epoch], self._losses[epoch]
        return frames

    def _frame(self, epoch: int) -> Frame:
        like, loss = self._like, self._losses[epoch]
        network = Weights.from_flat(self._rows[epoch], like.activation, like.shape, like.scaling)
        shown = record_network(self._dataset, self._probes, network, epoch, loss)
        return Frame(epoch, loss, shown.predictions[0])


class NewsOfStore:
    """The news of a run that is trained elsewhere: its metrics, without frames until its end."""

    def __init__(self, client: Client, run_id: str, *, is_film: bool) -> None:
        """Begin with what there is; of a film all metrics are read, else the loss."""
        self._client = client
        self._run_id = run_id
        self._is_film = is_film
        self._points = _NewPoints()
        self._due = 0.0

    def read(self, *, at_once: bool = False) -> News:
        """Return what is new; nothing if the store was asked just now, unless ``at_once``."""
        news, started = News(), time.monotonic()
        if started < self._due and not at_once:
            return news
        for name in self._names():
            history = self._client.get_metric_history(self._run_id, name)
            # By step: a store may return them in any order.
            points = sorted((point.step, point.value) for point in history)
            self._points.add(news, name, points)
        news.points = dict(sorted(news.points.items()))
        now = time.monotonic()
        self._due = now + max(GAP, SHARE * (now - started))
        return news

    def _names(self) -> list[str]:
        if not self._is_film:
            return [LOSS]
        return list(self._client.get_run(self._run_id).data.metrics)
