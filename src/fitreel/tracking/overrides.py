"""The params in force: a tag replaces a param, which MLflow never changes once it is set."""

from collections.abc import Mapping

from fitreel.tracking.names import EARLIER_OVERRIDE, OVERRIDE

# For these settings fitreel 0.2.0 wrote tags without a prefix of their own, as fitreel.lr. The
# list never grows: a later setting called like another tag, `name` or `kind`, must not be read
# from that tag. `parallel` is missing: its tag always said how the sweep started.
SETTINGS_OF_0_2_0 = {
    *("samples", "function", "noise", "x_min", "x_max", "data_seed", "hidden", "activation"),
    *("optimizer", "lr", "epochs", "seed", "frame_every", "checkpoint_every", "live"),
    *("test_samples", "fps", "format", "max_frames", "player", "best", "metric", "trials", "space"),
    *("sampler", "sweep_seed", "prune", "log_every", "batch", "engine", "address", "device"),
}


def in_force(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the params of a run as they are in force: each as its tag has it, if it has one."""
    earlier, now = dict[str, str](), dict[str, str]()
    for tag, text in tags.items():
        if tag.startswith(OVERRIDE):
            now[tag.removeprefix(OVERRIDE)] = text
        elif (name := tag.removeprefix(EARLIER_OVERRIDE)) in SETTINGS_OF_0_2_0 and name != tag:
            earlier[name] = text
    return dict(params) | earlier | now
