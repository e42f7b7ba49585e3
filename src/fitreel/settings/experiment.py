"""The settings of an experiment: every default, and every range, written once."""

import math
from dataclasses import dataclass
from typing import Literal

from fitreel.settings.base import Settings, setting

FunctionName = Literal["quadratic", "sine", "cubic", "step", "abs"]
ActivationName = Literal["relu", "tanh", "sigmoid", "gelu"]
OptimizerName = Literal["sgd", "momentum", "adam"]
LossName = Literal["mse", "mae", "huber"]
LiveName = Literal["off", "on", "window", "browser", "terminal"]
FilmFormat = Literal["gif", "mp4"]
Switch = Literal["on", "off"]

# torch's CPU generator keeps only the low 32 bits of a seed; test points use the upper half.
LARGEST_SEED = 2**31 - 1
MOST_POINTS = 1_000_000
MOST_NEURONS = 4096
MOST_EPOCHS = 10_000_000
MOST_OF_A_BATCH = 4096  # rows of a table, unless batch_size says otherwise


@dataclass(frozen=True)
class DataSettings(Settings):
    """Which points to draw: evenly spaced x, y = function(x) + noise * uniform [0, 1)."""

    # The defaults of points, network and training are the original tutorial's, but for the seed.
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
    def noise_floor(self) -> float:
        """The least ``test_rmse`` of any model: the deviation of the noise, which none can predict.

        Its square is the least loss.
        """
        # The noise is uniform from 0 to its height, and a perfect model predicts the middle.
        return self.noise / math.sqrt(12)

    @property
    def label(self) -> str:
        """The name of the points in a list of runs, as in sine100-noise0.2."""
        seed = "" if self.data_seed == DataSettings.data_seed else f"-data{self.data_seed}"
        return f"{self.function}{self.samples}-noise{self.noise:g}{seed}"

    @property
    def prefix(self) -> str:
        """The beginning of an experiment's name: nothing for the default points."""
        return "" if self == DataSettings() else f"{self.label}-"


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Which network to train, how, and how often to keep its weights for the film."""

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
    batch_size: int = setting(
        0,
        f"Rows of an update; 0: all, of a table at most {MOST_OF_A_BATCH}.",
        least=0,
        most=MOST_POINTS,
        added=True,
    )
    loss: LossName = setting(
        "mse", "Error that the training lowers; for classes it is cross-entropy.", added=True
    )
    weight_decay: float = setting(
        0.0, "Share of each weight that is added to its gradient.", least=0, most=1e6, added=True
    )
    patience_epochs: int = setting(
        0,
        "Epochs without a better loss on the validation rows, then the training stops; 0: off.",
        least=0,
        most=MOST_EPOCHS,
        added=True,
    )

    @property
    def label(self) -> str:
        """The name of the training in a list of runs, as in relu20-sgd-lr0.1-e1000."""
        seed = "" if self.seed == TrainingSettings.seed else f"-seed{self.seed}"
        return f"{self.activation}{self.hidden}-{self.optimizer}-lr{self.lr:g}-e{self.epochs}{seed}"


@dataclass(frozen=True)
class CheckpointSettings(Settings):
    """How much of a training may have to be repeated after a crash."""

    checkpoint_every: int = setting(
        500,
        "Epochs from one checkpoint to the next; one is taken every 10 s, too.",
        least=1,
        most=MOST_EPOCHS,
    )


@dataclass(frozen=True)
class LiveSettings(Settings):
    """Whether and where to watch the training while it runs."""

    live: LiveName = setting(
        "off", "Where to watch the training; on, or no value, takes the first that works."
    )
    pace: float = setting(
        0.0,
        "Seconds from one frame to the next of a training that is watched; 0.1 without a value.",
        least=0,
        most=60,
        added=True,
    )


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """How many unseen points to test on."""

    test_samples: int = setting(1000, "Number of fresh test points.", least=2, most=10_000_000)


@dataclass(frozen=True)
class FilmSettings(Settings):
    """How the film plays."""

    # A frame of a gif lasts whole hundredths of a second; browsers slow down those of one
    # hundredth.
    fps: int = setting(20, "Frames a second.", least=1, most=50)
    format: FilmFormat = setting("gif", "File format: rst.gif or rst.mp4.")
    max_frames: int = setting(400, "Longer films are thinned evenly to this.", least=2, most=2000)


@dataclass(frozen=True)
class PlayerSettings(Settings):
    """Whether to make a page that plays the training."""

    player: Switch = setting("on", "Make player.html, to play and read off in a browser.")


@dataclass(frozen=True)
class ImageSettings(Settings):
    """How many frames to log as images of steps, which MLflow's UI shows behind a slider."""

    log_images: int = setting(
        0,
        "Frames that MLflow's UI shows as images of steps; 0: none.",
        least=0,
        most=200,
        added=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.log_images == 1:  # the first and the last one are always among them
            raise ValueError("log_images must be 0, or 2 or more; got 1")
