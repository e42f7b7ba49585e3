"""The names of a run's tags and artifacts.

Nothing is imported here, so that the pipeline reads these names without loading MLflow.
"""

PREFIX = "fitreel."  # of all tags

# Tags of a run in the store, for people to filter by.
VERSION_TAG = "fitreel.version"
KIND_TAG = "fitreel.kind"  # "sweep", "comparison" or "film"; an experiment has none
FILM_KIND = "film"  # of any model: its run has a reel, and no network of ours
TRIAL_TAG = "fitreel.trial"  # its number, of a run below a sweep
OUTCOME_TAG = "fitreel.outcome"  # "diverged", "pruned", "nothing learned"; most runs have none
# Tags that hold JSON, for processes: all the tags below are packed into these two (packing.py).
OWNER_TAG = "fitreel.owner"  # the process that writes the run; renewed with each heartbeat
FACTS_TAG = "fitreel.facts"
REGISTERED_TAG = "fitreel.registered"  # of a version of a registered model: which alias, and why
DOCTOR_TAG = "fitreel.doctor"  # of the run that `fitreel doctor` creates and removes

# The owner.
JOURNAL_TAG = "fitreel.journal"
HOST_TAG = "fitreel.host"
MACHINE_TAG = "fitreel.machine"
INSTALLATION_TAG = "fitreel.installation"
PROCESS_TAG = "fitreel.process"
HEARTBEAT_TAG = "fitreel.heartbeat"
REAPED_TAG = "fitreel.reaped"  # why `fitreel reap` closed it
OWNER = (
    *(HOST_TAG, PROCESS_TAG, HEARTBEAT_TAG, JOURNAL_TAG),
    *(MACHINE_TAG, INSTALLATION_TAG, REAPED_TAG),
)

# Facts: what the run is, and where it is from.
AUTOMATIC_NAME_TAG = "fitreel.name"  # the name that we chose: one that differs is the user's
SOURCE_RUN_TAG = "fitreel.source_run"  # id of the run that was read, where that is another
# Facts: points and files, by their SHA-256.
SHA256_TAG = "fitreel.dataset_sha256"  # of the points that it logged, and was trained on
DRAWN_TAG = "fitreel.drawn_sha256"  # of the points that its settings draw, if those are others
EVALUATED_TAG = "fitreel.evaluated_sha256"  # of the points, if they changed after the training
DIGESTS_TAG = "fitreel.sha256"  # JSON: the path of an artifact to its SHA-256
# Facts: the results of a training.
DIVERGED_TAG = "fitreel.diverged_epoch"
PRUNED_TAG = "fitreel.pruned_epoch"
NOTHING_LEARNED_TAG = "fitreel.nothing_learned"  # why the fit is useless, if it is
# Facts: sweeps and comparisons.
LOG_IMAGES_TAG = "fitreel.log_images"  # of a film of any model: how many images of steps
FILMED_TAG = "fitreel.filmed"  # of a trial whose frames are kept
BEST_TRIAL_TAG = "fitreel.best_trial"
ENDS_TAG = "fitreel.ends"  # JSON: how many trials ended in which way
PARALLEL_TAG = "fitreel.parallel"  # how many trainings at once the sweep started with
COMPARED_TAG = "fitreel.compared_runs"  # JSON: a list of run ids
FACTS = (
    *(AUTOMATIC_NAME_TAG, SOURCE_RUN_TAG),
    *(SHA256_TAG, DRAWN_TAG, EVALUATED_TAG, DIGESTS_TAG),
    *(DIVERGED_TAG, PRUNED_TAG, NOTHING_LEARNED_TAG),
    *(LOG_IMAGES_TAG, FILMED_TAG, BEST_TRIAL_TAG, ENDS_TAG, PARALLEL_TAG, COMPARED_TAG),
)
OUTCOMES = {
    DIVERGED_TAG: "diverged",
    PRUNED_TAG: "pruned",
    NOTHING_LEARNED_TAG: "nothing learned",
}

# A tag with this prefix replaces a param, which MLflow never changes once it is set.
OVERRIDE = "fitreel.override."
EARLIER_OVERRIDE = PREFIX  # what fitreel 0.2.0 wrote instead

# Artifacts. A file below a folder has a name of its own too: it is written before it is logged.
DATA = "data"
DATASET_FILE = "dataset.csv"
DATASET = f"{DATA}/{DATASET_FILE}"
TABLE_FILE = "table.json"  # what is known of a table, whose own files stand next to it
TABLE = f"{DATA}/{TABLE_FILE}"
ROWS_FILE = "rows.safetensors"  # what a film of any model shows, and its probes
ROWS = f"{DATA}/{ROWS_FILE}"
PROFILE_FILE = "profile.png"
SCATTER_FILE = "scatter.png"
SCATTER = f"{DATA}/{SCATTER_FILE}"
TRAINING = "training"
HISTORY_FILE = "history.csv"
HISTORY = f"{TRAINING}/{HISTORY_FILE}"
FRAMES_FILE = "frames.safetensors"
FRAMES = f"{TRAINING}/{FRAMES_FILE}"
REEL_FILE = "reel.safetensors"
REEL = f"{TRAINING}/{REEL_FILE}"
PROVENANCE_FILE = "provenance.json"
PROVENANCE = f"{TRAINING}/{PROVENANCE_FILE}"
NETWORK = "network.txt"
WEIGHT_TABLE = "weights.csv"
WEIGHTS = "weights.safetensors"
WEIGHTS_PICTURE = "rst.png"
PLAYER = "player.html"
PREDICTIONS = "predictions.csv"
TRIALS = "trials.csv"
BEST_FILM = "best.gif"
SWEEP_PAGE = "sweep.html"
COMPARISON_PAGE = "compare.html"
COMPARISON_FILM = "compare.gif"
COMPARISON_PICTURE = "compare.png"
COMPARISON_TABLE = "compare.md"

STEP_IMAGES = "images"  # where MLflow keeps the images of steps
FILMS = "films"  # of images that others logged

MODEL = "model"  # its name among the models that MLflow keeps


def film_path(form: str) -> str:
    """Return the path of the film in a file format, gif or mp4."""
    return f"rst.{form}"


def image_film_tag(file: str) -> str:
    """Return the tag that says of which images a film in the folder of films is: it is ours."""
    return f"fitreel.film.{file}"


def seconds_tag(stage: str) -> str:
    """Return the tag that says that a stage is done, in runs of fitreel 0.3.0 and before."""
    return f"fitreel.{stage}_seconds"


def provenance_tag(key: str) -> str:
    """Return the tag of a fact of the provenance, as "torch", in runs of 0.3.0 and before."""
    return f"fitreel.{key}"


def override_tag(param: str) -> str:
    """Return the tag that replaces a param."""
    return f"{OVERRIDE}{param}"
