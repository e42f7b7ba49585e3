"""The names of settings: the right one for what people type instead."""

from collections.abc import Iterable
from difflib import get_close_matches

# Names of the same things in torch, scikit-learn, keras and numpy, which are spelled too
# differently to be found by their letters.
OTHER_NAMES: dict[str, str] = {
    "alpha": "lr",
    "eta": "lr",
    "learning_rate": "lr",
    "learningrate": "lr",
    "rate": "lr",
    "step_size": "lr",
    "layer_size": "hidden",
    "hidden_layer_sizes": "hidden",
    "hidden_size": "hidden",
    "n_hidden": "hidden",
    "neurons": "hidden",
    "nodes": "hidden",
    "num_neurons": "hidden",
    "units": "hidden",
    "width": "hidden",
    "act": "activation",
    "nonlinearity": "activation",
    "algorithm": "optimizer",
    "optim": "optimizer",
    "solver": "optimizer",
    "iterations": "epochs",
    "max_iter": "epochs",
    "n_iter": "epochs",
    "num_epochs": "epochs",
    "steps": "epochs",
    "updates": "epochs",
    "random_seed": "seed",
    "random_state": "seed",
    "rng": "seed",
    "every": "frame_every",
    "interval": "frame_every",
    "save_every": "checkpoint_every",
    "snapshot_every": "frame_every",
    "n": "samples",
    "n_points": "samples",
    "n_samples": "samples",
    "num_samples": "samples",
    "points": "samples",
    "rows": "samples",
    "size": "samples",
    "curve": "function",
    "f": "function",
    "func": "function",
    "kind": "function",
    "amplitude": "noise",
    "jitter": "noise",
    "scale": "noise",
    "sigma": "noise",
    "std": "noise",
    "left": "x_min",
    "low": "x_min",
    "start": "x_min",
    "high": "x_max",
    "right": "x_max",
    "stop": "x_max",
    "n_test": "test_samples",
    "test_points": "test_samples",
    "frame_rate": "fps",
    "framerate": "fps",
    "frames_per_second": "fps",
    "speed": "fps",
    "ext": "format",
    "extension": "format",
    "frames": "max_frames",
    "n_frames": "max_frames",
    "html": "player",
    "page": "player",
    "watch": "live",
    "window": "live",
    "budget": "trials",
    "grid": "space",
    "params": "space",
    "search_space": "space",
    "algo": "sampler",
    "method": "sampler",
    "strategy": "sampler",
    "objective": "metric",
    "score": "metric",
    "pruning": "prune",
    "jobs": "parallel",
    "n_jobs": "parallel",
    "workers": "parallel",
    "gpu": "device",
    "top": "best",
    "dir": "out",
    "directory": "out",
    "folder": "out",
    "output": "out",
    "run_name": "name",
    "title": "name",
    "store": "tracking_uri",
    "tracking_url": "tracking_uri",
    "uri": "tracking_uri",
    "timeout": "patience",
    "wait": "patience",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of the ``known`` names that is meant by ``name``; None if none is likely.

    Spelling does not count: ``--Learning-Rate`` and ``learning_rate`` are the same name.
    """
    plain = {_plain(each): each for each in known}
    typed = _plain(name)
    meant = OTHER_NAMES.get(typed, typed)
    for exact in (typed, meant):
        if exact in plain:
            return plain[exact]
    # A shortened name first, as in frame for frame_every; then one with other letters.
    starts = [each for each in plain if typed and each.startswith(typed)]
    close = starts if len(starts) == 1 else get_close_matches(meant, plain, n=1)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").strip("_")
