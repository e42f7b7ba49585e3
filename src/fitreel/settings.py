"""The settings of an experiment: every default, and every range, written once."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from fitreel.text import check_metric, shown

FunctionName = Literal["quadratic", "sine", "cubic", "step", "abs"]
ActivationName = Literal["relu", "tanh", "sigmoid", "gelu"]
OptimizerName = Literal["sgd", "momentum", "adam"]
FilmFormat = Literal["gif", "mp4"]
Switch = Literal["on", "off"]

PATIENCE = 180.0  # seconds without a sign of the store until a finished run is left to sync
# torch's CPU generator keeps only the low 32 bits of a seed; test points use the upper half.
LARGEST_SEED = 2**31 - 1
MOST_POINTS = 1_000_000
MOST_NEURONS = 4096
MOST_EPOCHS = 10_000_000
MOST_FRAME_NUMBERS = 150_000_000  # of all frames: 0.6 GB, of which saving them makes copies
MOST_RUNS = 60  # in a comparison


def setting(
    default: Any,
    text: str,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    many: bool = False,
) -> Any:
    """Declare a field: its default, its help, and the range ``above < value``, ``least..most``.

    ``many`` says that its option may be given again: the texts are joined by a space.
    """
    limits = {"least": least, "most": most, "above": above}
    return field(default=default, metadata={"help": text, "many": many} | limits)


class Settings:
    """Check every field on construction; read them back from the text that MLflow keeps."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):  # type: ignore[arg-type]
            _check(each.name, getattr(self, each.name), hints[each.name], each.metadata)

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Self:
        """Parse the settings out of an MLflow run's params; a missing one raises ValueError."""
        hints = get_type_hints(cls)
        names = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        if missing := [name for name in names if name not in params]:
            raise ValueError(f"the run lacks the params {', '.join(missing)}")
        return cls(**{name: parse(params[name], hints[name]) for name in names})


# Plain numbers: Python would read 1_000, spaces around it and the digits of every script as well.
NUMBERS: dict[Any, re.Pattern[str]] = {
    int: re.compile(r"[+-]?[0-9]{1,4000}"),
    float: re.compile(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf)", re.IGNORECASE
    ),
}


def parse(text: str, kind: Any) -> Any:
    """Read a setting of type ``kind`` from text; ValueError names the text if it is none."""
    number = NUMBERS.get(kind)
    if number is None:  # a choice, which its settings check
        return text
    if not number.fullmatch(text):
        raise ValueError(f"'{shown(text)}' is not a valid {kind.__name__}")
    return kind(text)


def _check(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(
                f"{name} must be one of {', '.join(get_args(kind))}; got {shown(repr(value))}"
            )
        return
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ValueError(f"{name} must be of type {kind.__name__}; got {shown(repr(value))}")
    if kind is str:
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value}")
    if not limits["least"] <= value <= limits["most"] or not limits["above"] < value:
        raise ValueError(f"{name} must be {range_text(limits)}; got {shown(str(value))}")


def range_text(limits: Mapping[str, Any]) -> str:
    """Put a field's limits in words, an empty string where there are none."""
    low, high = limits["least"], limits["most"]
    if math.isfinite(limits["above"]):
        return f"above {limits['above']:g}, at most {high:g}"
    if math.isfinite(high):
        return f"from {low:,} to {high:,}" if isinstance(high, int) else f"from {low:g} to {high:g}"
    return f"at least {low:g}" if math.isfinite(low) else ""


@dataclass(frozen=True)
class DataSettings(Settings):
    """Say which points to draw: evenly spaced x, y = function(x) + noise * uniform [0, 1)."""

    samples: int = setting(100, "Number of points.", least=2, most=MOST_POINTS)
    function: FunctionName = setting("quadratic", "Curve under the noise.")
    noise: float = setting(0.2, "Height of the uniform noise on top.", least=0, most=1e6)
    x_min: float = setting(-1.0, "Left end of the x axis.", least=-1e3, most=1e3)
    x_max: float = setting(1.0, "Right end of the x axis.", least=-1e3, most=1e3)
    data_seed: int = setting(0, "Seed of the noise.", least=0, most=LARGEST_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.x_min < self.x_max:
            raise ValueError(f"x_min must be below x_max; got {self.x_min} and {self.x_max}")

    @property
    def label(self) -> str:
        """Name the points for a list of runs, as in sine100-noise0.2."""
        seed = "" if self.data_seed == DataSettings.data_seed else f"-data{self.data_seed}"
        return f"{self.function}{self.samples}-noise{self.noise:g}{seed}"

    @property
    def prefix(self) -> str:
        """Give what an experiment's name begins with: nothing for the default points."""
        return "" if self == DataSettings() else f"{self.label}-"


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Say which network to train, how, and how often to keep its weights for the film."""

    hidden: int = setting(20, "Number of hidden neurons.", least=1, most=MOST_NEURONS)
    activation: ActivationName = setting("relu", "Activation of the hidden layer.")
    optimizer: OptimizerName = setting("sgd", "Update rule; momentum is sgd with 0.9.")
    lr: float = setting(0.1, "Learning rate.", above=0, most=1e6)
    epochs: int = setting(1000, "Updates, each on all points.", least=1, most=MOST_EPOCHS)
    # Of the seeds 0 to 99 it ends in the middle, with the median of losses and dead neurons.
    seed: int = setting(72, "Seed of the initial weights.", least=0, most=LARGEST_SEED)
    frame_every: int = setting(
        5, "Epochs from one frame of the film to the next.", least=1, most=MOST_EPOCHS
    )

    def check_frames(self) -> None:
        """Raise ValueError if the weights of all frames are more than the memory should hold."""
        frames, numbers = -(-self.epochs // self.frame_every), 3 * self.hidden + 1
        if frames * numbers > MOST_FRAME_NUMBERS:
            raise ValueError(
                f"{frames:,} frames of {numbers:,} weights are {frames * numbers:,} numbers, more "
                f"than {MOST_FRAME_NUMBERS:,}; raise frame_every (it is {self.frame_every:,})"
            )

    @property
    def label(self) -> str:
        """Name the training for a list of runs, as in relu20-sgd-lr0.1-e1000."""
        seed = "" if self.seed == TrainingSettings.seed else f"-seed{self.seed}"
        return f"{self.activation}{self.hidden}-{self.optimizer}-lr{self.lr:g}-e{self.epochs}{seed}"


@dataclass(frozen=True)
class CheckpointSettings(Settings):
    """Say how much of a training may have to be done again after a crash."""

    checkpoint_every: int = setting(
        500,
        "Epochs from one checkpoint to the next; one is taken every 10 s, too.",
        least=1,
        most=MOST_EPOCHS,
    )


@dataclass(frozen=True)
class LiveSettings(Settings):
    """Say whether to watch the training in a window."""

    live: Switch = setting("off", "Open a window and redraw it as training goes.")


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """Say how many unseen points to test on."""

    test_samples: int = setting(1000, "Number of fresh test points.", least=2, most=10_000_000)


@dataclass(frozen=True)
class FilmSettings(Settings):
    """Say how the film plays."""

    fps: int = setting(20, "Frames a second.", least=1, most=50)
    format: FilmFormat = setting("gif", "File format: rst.gif or rst.mp4.")
    max_frames: int = setting(400, "Longer films are thinned evenly to this.", least=2, most=2000)


@dataclass(frozen=True)
class PlayerSettings(Settings):
    """Say whether to make a page that plays the training."""

    player: Switch = setting("on", "Make player.html, to play and read off in a browser.")


@dataclass(frozen=True)
class ComparisonSettings(Settings):
    """Say which runs of an experiment to compare."""

    best: int = setting(6, "How many runs, the best by the metric.", least=2, most=MOST_RUNS)
    metric: str = setting("test_mse", "Metric that tells which run is best.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_metric(self.metric)


EVERY = (
    DataSettings,
    TrainingSettings,
    CheckpointSettings,
    LiveSettings,
    EvaluationSettings,
    FilmSettings,
    PlayerSettings,
)
KINDS: dict[str, Any] = {
    name: kind for each in EVERY for name, kind in get_type_hints(each).items()
}


def in_force(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Give the params of a run as they are in force: a tag tells what a param, once set, cannot."""
    told = {name: tags[tag] for name in KINDS if (tag := f"fitreel.{name}") in tags}
    return dict(params) | told


def normalised(name: str, text: str) -> str:
    """Write a param as its setting is logged, 0.20 as 0.2; text that is none stays as it is."""
    try:
        return str(parse(text, KINDS.get(name)))
    except ValueError:
        return text
