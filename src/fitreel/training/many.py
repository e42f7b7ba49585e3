"""Many trainings at once, in stacks; members that are pruned are dropped."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training import memory
from fitreel.training.batches import Batches
from fitreel.training.members import Members, Trained
from fitreel.training.stack_frames import with_frames

# Gets the epoch and the latest loss of every member that is left; returns those to drop.
Prune = Callable[[int, Mapping[int, float]], Iterable[int]]


def fit_many(
    dataset: Dataset,
    settings: Sequence[TrainingSettings],
    *,
    rungs: Sequence[int] = (),
    prune: Prune | None = None,
    device: str = "cpu",
    frame_every: int | None = None,
    kept: Sequence[Tensor | None] = (),
) -> list[Trained]:
    """Train a network for each of ``settings``, on all rows, as ``fit`` would each alone.

    At the epochs ``rungs``, when their losses are known, ``prune`` returns which places of
    ``settings`` to drop. Frames are kept, and with them each one's history, only if ``frame_every``
    says from how many epochs to how many; that of the settings has no meaning here. ``kept`` has
    for each of ``settings`` the rows that it is trained on, (rows,) bool; None: on all. Raises
    ValueError if frames would fill the memory.
    """
    if frame_every is not None:
        settings = with_frames(settings, frame_every, dataset)
    stacks = [
        Members(dataset, settings, places, device, frame_every, kept)
        for places in _stacks(settings, dataset)
    ]
    ends = max((each.epochs for each in settings), default=0)
    # All stacks stop at the same epoch, because `prune` compares the members of all of them.
    for stop in sorted({rung for rung in rungs if 0 < rung < ends} | {ends}):
        for stack in stacks:
            stack.train(stop)
        if prune and stop < ends:
            latest = {place: loss for stack in stacks for place, loss in stack.latest()}
            dropped = set(prune(stop, latest))
            for stack in stacks:
                stack.drop(dropped)
    trained = {place: each for stack in stacks for place, each in stack.trained.items()}
    return [trained[place] for place in range(len(settings))]


def _stacks(settings: Sequence[TrainingSettings], dataset: Dataset) -> Iterator[list[int]]:
    """Group the places of members that one stack can have, without much padding."""
    groups = defaultdict[tuple[object, ...], list[int]](list)
    for place, each in enumerate(settings):
        # Widths up to the same power of two share a stack: padding at most doubles the work. All
        # up to 16 go together.
        width = max(4, (each.hidden - 1).bit_length())
        # sgd and momentum share an update rule: sgd is momentum without inertia.
        # Members that see the rows in batches share their order, which follows from the seed.
        batches = Batches(dataset, each)
        order = () if batches.is_one else (batches.rows, each.seed)
        stops, adam = each.patience_epochs > 0, each.optimizer == "adam"
        groups[each.activation, adam, stops, each.loss, order, width].append(place)
    for places in groups.values():
        hidden = max(settings[place].hidden for place in places)
        # Its arrays stay in the processor's cache: see memory.py.
        rows = Batches(dataset, settings[places[0]]).rows
        most = max(1, memory.STACKED_NUMBERS // (rows * hidden))
        for start in range(0, len(places), most):
            yield places[start : start + most]
