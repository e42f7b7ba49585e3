"""The filming of scikit-learn: an estimator is fitted step by step, and filmed."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from fitreel.data.column import Numbers
from fitreel.integrations.filming import Filming
from fitreel.reel.reel import Reel

Estimator = TypeVar("Estimator")
PASSES = 100  # if the estimator does not say how many
SET = ("warm_start", "n_estimators", "max_iter")  # while it is filmed


class Step(NamedTuple):
    """A step of a training: what the rows are predicted as, and a function of other inputs."""

    found: NDArray[Any]
    predict: Callable[[NDArray[Any]], NDArray[Any]]


Way = Callable[[Any, Any, Any, Reel, int | None], Iterator[Step]]


def film(
    estimator: Estimator, x: Numbers, y: Numbers, *, steps: int | None = None, **options: Any
) -> Estimator:
    """Fit an estimator, film it with the options of ``fitreel.film``, and return it.

    Boosting is fitted as by ``fit``, and filmed stage by stage. A forest grows tree by tree. Others
    learn by ``partial_fit``, or by a ``fit`` of one iteration that starts where the last one ended:
    ``steps`` times, by default ``max_iter`` times. The loss is the mean squared error on the rows,
    of a classifier the log loss. Raises ValueError for an estimator that learns in one step, and
    for a classifier without ``predict_proba``.
    """
    learn = _way_of(estimator, steps)
    names = {"classes": np.unique(np.asarray(y)).tolist()} if is_classifier(estimator) else {}
    before = {name: value for name, value in _params(estimator).items() if name in SET}
    with Filming(options) as filming:
        reel = filming.start(x, y, **names)
        try:
            for number, step in enumerate(learn(estimator, x, y, reel, steps), start=1):
                filming.frame(number, _loss(estimator, y, step.found), step.predict)
        finally:
            _set(estimator, **before)
    return estimator


def _way_of(estimator: Any, steps: int | None) -> Way:
    name, params = type(estimator).__name__, _params(estimator)
    if is_classifier(estimator) and not hasattr(estimator, "predict_proba"):
        raise ValueError(f"{name} has no predict_proba, as its params are; no film can show it")
    way: Way
    if hasattr(estimator, "staged_predict"):
        way = _stages
    elif {"warm_start", "n_estimators"} <= params.keys():
        way = _trees
    elif hasattr(estimator, "partial_fit"):
        return _passes
    elif {"warm_start", "max_iter"} <= params.keys() and params.get("solver") != "liblinear":
        return _iterations
    else:
        raise ValueError(f"{name} learns in one step; a film needs partial_fit or warm_start")
    if steps is not None:
        raise ValueError(f"the steps of {name} are its stages or trees; leave steps out")
    return way


def _stages(estimator: Any, x: Any, y: Any, reel: Reel, _: int | None) -> Iterator[Step]:
    estimator.fit(x, y)
    staged = (
        estimator.staged_predict_proba if is_classifier(estimator) else estimator.staged_predict
    )
    probes = _as_fitted(reel.probes.inputs.numpy().astype(np.float64), x)
    for found, shown in zip(staged(x), staged(probes), strict=True):
        yield Step(found, partial(_known, shown))


def _known(predictions: NDArray[Any], _: NDArray[Any]) -> NDArray[Any]:
    return predictions


def _trees(estimator: Any, x: Any, y: Any, _: Reel, __: int | None) -> Iterator[Step]:
    params = _params(estimator)
    grown = len(getattr(estimator, "estimators_", ())) if params["warm_start"] else 0
    for number in range(grown + 1, params["n_estimators"] + 1):
        _set(estimator, n_estimators=number)
        with warnings.catch_warnings():
            if number < params["n_estimators"]:
                warnings.simplefilter("ignore")  # of few trees
            estimator.fit(x, y)
        _set(estimator, warm_start=True)
        yield _step(estimator, x)


def _passes(estimator: Any, x: Any, y: Any, _: Reel, steps: int | None) -> Iterator[Step]:
    classes = {"classes": np.unique(np.asarray(y))} if is_classifier(estimator) else {}
    for _pass in range(steps or _params(estimator).get("max_iter") or PASSES):
        estimator.partial_fit(x, y, **classes)
        yield _step(estimator, x)


def _iterations(estimator: Any, x: Any, y: Any, _: Reel, steps: int | None) -> Iterator[Step]:
    for _iteration in range(steps or _params(estimator)["max_iter"]):
        _set(estimator, max_iter=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(x, y)
        _set(estimator, warm_start=True)
        yield _step(estimator, x)
        if not any(issubclass(each.category, ConvergenceWarning) for each in caught):
            return  # it has converged


def _step(estimator: Any, x: Any) -> Step:
    predict = estimator.predict_proba if is_classifier(estimator) else estimator.predict
    return Step(predict(x), lambda inputs: predict(_as_fitted(inputs, x)))


def _as_fitted(inputs: NDArray[Any], x: Any) -> Any:
    """Return inputs as a table if the rows were one: an estimator knows the names then."""
    return pd.DataFrame(inputs, columns=x.columns) if isinstance(x, pd.DataFrame) else inputs


def _loss(estimator: Any, y: Any, found: NDArray[Any]) -> float:
    if is_classifier(estimator):
        return float(log_loss(y, found, labels=estimator.classes_))
    return float(np.mean((np.asarray(y, np.float64).reshape(-1) - found.reshape(-1)) ** 2))


def _params(estimator: Any) -> dict[str, Any]:
    found: dict[str, Any] = estimator.get_params(deep=False)
    return found


def _set(estimator: Any, **params: Any) -> None:
    estimator.set_params(**params)
