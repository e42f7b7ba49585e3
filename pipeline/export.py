"""export: write the trained network of a run for other programs."""

from pathlib import Path

import fitreel.tracking
import fitreel.training
from pipeline.shared import console
from pipeline.shared.options import EXPORTED, FORMAT, JSON, RUN, TRACKING_URI
from pipeline.shared.result import print_json


def export(
    run: RUN,
    kind: FORMAT = "onnx",
    out: EXPORTED = "network.onnx",
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Write the trained network of a run, with its scaling, for other programs.

    Example: fitreel export RUN --format onnx --out network.onnx
    """
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    source = tracker.source(run)
    write = {"onnx": fitreel.training.write_onnx}[kind]
    write(source.predictor(), Path(out))
    if as_json:
        print_json({"run_id": source.run_id, "out": Path(out).absolute()})
    else:
        console.say(f"wrote {out}")
