"""predict: predict the rows of a file with a trained run, or with a registered model."""

import shutil
import sys
from pathlib import Path

import fitreel.data
import fitreel.tracking
from fitreel.journal.spool import scratch
from pipeline.shared import console
from pipeline.shared.options import JSON, MODEL, NEW_DATA, NEW_OUT, OTHER_RUN, TRACKING_URI
from pipeline.shared.result import print_json


def predict(
    data: NEW_DATA,
    out: NEW_OUT = "-",
    run: OTHER_RUN = None,
    model: MODEL = None,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Predict the rows of a file: all columns as they are, and behind them the predictions.

    Example: fitreel predict --run RUN --data new.csv --out predictions.csv
    """
    if bool(run) == bool(model):
        raise ValueError("name a run with --run, or a model with --model")
    if as_json and out == "-":
        raise ValueError("--json and the predictions cannot share standard output; name --out")
    tracker = fitreel.tracking.Tracker(tracking_uri or None, may_create=False)
    predictor = tracker.model(model) if model else tracker.source(run).predictor()
    with scratch() as folder:
        file = fitreel.tracking.fetch(data, folder)
        target = folder / "predictions.csv" if out == "-" else Path(out)
        rows = fitreel.data.predict_file(file, target, predictor.schema, predictor.predict)
        if out == "-":
            sys.stdout.flush()
            with target.open("rb") as written:
                shutil.copyfileobj(written, sys.stdout.buffer)
            return
    if as_json:
        print_json({"rows": rows, "out": target.absolute()})
    else:
        console.say(f"wrote {rows:,} rows to {out}")
