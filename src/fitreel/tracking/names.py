"""The names of a run's tags and artifacts.

Nothing is imported here, so that the pipeline reads these names without loading MLflow.
"""

# Which command, process and code wrote the run.
VERSION_TAG = "fitreel.version"
KIND_TAG = "fitreel.kind"  # "sweep" or "comparison"; an experiment has none
AUTOMATIC_NAME_TAG = "fitreel.name"  # the name that we chose: one that differs is the user's
SOURCE_RUN_TAG = "fitreel.source_run"  # id of the run that was read, where that is another
JOURNAL_TAG = "fitreel.journal"
HOST_TAG = "fitreel.host"
MACHINE_TAG = "fitreel.machine"
INSTALLATION_TAG = "fitreel.installation"
PROCESS_TAG = "fitreel.process"
HEARTBEAT_TAG = "fitreel.heartbeat"
REAPED_TAG = "fitreel.reaped"  # why `fitreel reap` closed it
DOCTOR_TAG = "fitreel.doctor"

# Points and files, by their SHA-256.
SHA256_TAG = "fitreel.dataset_sha256"  # of the points that it logged, and was trained on
DRAWN_TAG = "fitreel.drawn_sha256"  # of the points that its settings draw, if those are others
EVALUATED_TAG = "fitreel.evaluated_sha256"  # of the points, if they changed after the training
DIGESTS_TAG = "fitreel.sha256"  # JSON: the path of an artifact to its SHA-256

# The results of a training.
DIVERGED_TAG = "fitreel.diverged_epoch"
PRUNED_TAG = "fitreel.pruned_epoch"
NOTHING_LEARNED_TAG = "fitreel.nothing_learned"  # why the fit is useless, if it is

# Sweeps and comparisons.
TRIAL_TAG = "fitreel.trial"  # its number, of a run below a sweep
FILMED_TAG = "fitreel.filmed"  # of a trial whose frames are kept
BEST_TRIAL_TAG = "fitreel.best_trial"
PARALLEL_TAG = "fitreel.parallel"  # how many trainings at once the sweep started with
COMPARED_TAG = "fitreel.compared_runs"  # JSON: a list of run ids

# A tag with this prefix replaces a param, which MLflow never changes once it is set.
OVERRIDE = "fitreel.override."
EARLIER_OVERRIDE = "fitreel."  # what fitreel 0.2.0 wrote instead

# Artifacts. A file below a folder has a name of its own too: it is written before it is logged.
DATA = "data"
DATASET_FILE = "dataset.csv"
DATASET = f"{DATA}/{DATASET_FILE}"
SCATTER_FILE = "scatter.png"
SCATTER = f"{DATA}/{SCATTER_FILE}"
TRAINING = "training"
HISTORY_FILE = "history.csv"
HISTORY = f"{TRAINING}/{HISTORY_FILE}"
FRAMES_FILE = "frames.safetensors"
FRAMES = f"{TRAINING}/{FRAMES_FILE}"
NETWORK = "network.txt"
WEIGHT_TABLE = "weights.csv"
WEIGHTS = "weights.safetensors"
WEIGHTS_PICTURE = "rst.png"
PLAYER = "player.html"
TRIALS = "trials.csv"
BEST_FILM = "best.gif"
COMPARISON_PAGE = "compare.html"
COMPARISON_FILM = "compare.gif"
COMPARISON_PICTURE = "compare.png"
COMPARISON_TABLE = "compare.md"

MODEL = "model"  # its name among the models that MLflow keeps


def film_path(form: str) -> str:
    """Return the path of the film in a file format, gif or mp4."""
    return f"rst.{form}"


def seconds_tag(stage: str) -> str:
    """Return the tag that keeps the seconds of a stage; only a finished stage has it."""
    return f"fitreel.{stage}_seconds"


def provenance_tag(key: str) -> str:
    """Return the tag of a fact of the training's provenance, such as "torch" or "threads"."""
    return f"fitreel.{key}"


def resumed_tag(tag: str) -> str:
    """Return the tag with the value of a provenance tag when the training was resumed."""
    return f"{tag}_resumed"


def override_tag(param: str) -> str:
    """Return the tag that replaces a param."""
    return f"{OVERRIDE}{param}"
