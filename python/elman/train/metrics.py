"""Metrics: numbers beside the loss, over all of the validation data."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from .. import _check
from .._extras import need
from ..losses.outcome import Outcome, joined
from ..losses.scores import crps, crps_of_normal
from .ranks import Ranks

CLASSES, NUMBERS = "classes", "numbers"  # what a model predicts


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Attributes:
        function: what it is of an Outcome.
        kind: of the predictions it is for, "classes" or "numbers"; "" for any.
        greater: whether more is better; None: not known.
        scores: whether it reads the probabilities of classes.
        output: whose predictions, of a model of several outputs.
        weighted: whether it takes weights.
    """

    function: Callable[[Outcome], Any]
    kind: str = ""
    greater: bool | None = None
    scores: bool = False
    output: str = ""
    weighted: bool = True


def _of_sklearn(name: str, **options: Any) -> Callable[[Outcome], Any]:
    def function(outcome: Outcome) -> Any:
        metrics = need("sklearn.metrics", "sklearn", "a metric")
        return getattr(metrics, name)(
            outcome.true, outcome.predicted, sample_weight=outcome.weights, **options
        )

    return function


def _of_positives(name: str) -> Callable[[Outcome], Any]:
    """That of class 1 where there are two classes; else the mean of those of all classes."""

    def function(outcome: Outcome) -> Any:
        metrics = need("sklearn.metrics", "sklearn", "a metric")
        several = outcome.true.ndim > 1
        two = not several and outcome.scores is not None and outcome.scores.shape[1] == 2
        options: dict[str, Any] = {"average": "binary" if two else "macro"}
        if not two and not several and outcome.scores is not None:
            options["labels"] = np.arange(outcome.scores.shape[1])
        options |= {"sample_weight": outcome.weights, "zero_division": 0.0}
        return getattr(metrics, name)(outcome.true, outcome.predicted, **options)

    return function


def _auc(outcome: Outcome) -> Any:
    scores = outcome.scores
    assert scores is not None
    options: dict[str, Any] = {}
    if outcome.true.ndim > 1:
        options = {"average": "macro"}
    elif scores.shape[1] == 2:
        scores = scores[:, 1]
    else:
        options = {"multi_class": "ovr", "labels": np.arange(scores.shape[1])}
    metrics = need("sklearn.metrics", "sklearn", "a metric")
    return metrics.roc_auc_score(outcome.true, scores, sample_weight=outcome.weights, **options)


def _crps(outcome: Outcome) -> Any:
    true, spread = outcome.true, outcome.spread
    if spread is None:  # of a number it is its distance
        each = np.abs(true - outcome.predicted)
    elif outcome.levels is not None:
        each = crps(true, spread, outcome.levels)
    else:
        each = crps_of_normal(true, spread[:, 0], np.exp(0.5 * spread[:, 1]))
    return np.average(each, weights=outcome.weights)


METRICS: dict[str, Metric] = {
    "accuracy": Metric(_of_sklearn("accuracy_score"), CLASSES, True),
    "balanced_accuracy": Metric(_of_sklearn("balanced_accuracy_score"), CLASSES, True),
    "precision": Metric(_of_positives("precision_score"), CLASSES, True, scores=True),
    "recall": Metric(_of_positives("recall_score"), CLASSES, True, scores=True),
    "f1": Metric(_of_positives("f1_score"), CLASSES, True, scores=True),
    "auc": Metric(_auc, CLASSES, True, scores=True),
    "mae": Metric(_of_sklearn("mean_absolute_error"), NUMBERS, False),
    "mse": Metric(_of_sklearn("mean_squared_error"), NUMBERS, False),
    "rmse": Metric(_of_sklearn("root_mean_squared_error"), NUMBERS, False),
    "mape": Metric(_of_sklearn("mean_absolute_percentage_error"), NUMBERS, False),
    "r2": Metric(_of_sklearn("r2_score"), NUMBERS, True),
    "crps": Metric(_crps, NUMBERS, False),
}


def as_metrics(metrics: Any, predicts: str | Mapping[str, str]) -> dict[str, Metric]:
    """The metrics by name, for a model that predicts classes or numbers.

    Args:
        metrics: a name, a list of names, or a dict of names to names or functions (true, predicted) -> number, which
            where the data have weights also get them as `sample_weight`.
        predicts: "classes" or "numbers"; "": something for which there are none. Of a model of several outputs a dict
            of these by name. Its metrics are called "output/metric"; one without an output is there for each that it is
            for.

    Raises:
        ValueError: one is not known, or is none for this model.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, str):
        metrics = [metrics]
    if isinstance(metrics, (list, tuple)):
        for i, one in enumerate(metrics):
            if not isinstance(one, str):
                raise ValueError(
                    f"metrics[{i}]: expected a name, got {_check.describe(one)}; a dict names functions: "
                    '{"mine": function}'
                )
        metrics = {name: name for name in metrics}
    if not isinstance(metrics, Mapping):
        raise ValueError(f"metrics: expected names, or a dict of functions, got {_check.describe(metrics)}")
    if metrics and not predicts:
        raise ValueError("metrics: expected a model that predicts classes or numbers, got another one")
    if not isinstance(predicts, str):
        return _of_outputs(metrics, predicts)
    return {_named(name): _as_metric(name, one, predicts) for name, one in metrics.items()}


def _of_outputs(metrics: Mapping[str, Any], predicts: Mapping[str, str]) -> dict[str, Metric]:
    """Metrics "output/metric" of several outputs."""
    found: dict[str, Metric] = {}
    for name, one in metrics.items():
        owners = [output for output in predicts if _named(name).startswith(output + "/")]
        if owners:
            output = max(owners, key=len)
            own = name.removeprefix(output + "/")
            metric = _as_metric(own, own if one == name else one, predicts[output])
            found[name] = replace(metric, output=output)
            continue
        kind = METRICS[one].kind if isinstance(one, str) and one in METRICS else ""
        some = [output for output, predicted in predicts.items() if kind in ("", predicted)]
        if not some or (isinstance(one, str) and one not in METRICS):
            raise ValueError(
                f"metrics: expected some for outputs that predict {_listed(predicts)}, as 'output/metric', or of "
                f"every output that they are for, got {one!r}"
            )
        for output in some:
            found[f"{output}/{name}"] = replace(_as_metric(name, one, predicts[output]), output=output)
    return found


def _listed(predicts: Mapping[str, str]) -> str:
    return ", ".join(f"{what} ({output})" for output, what in predicts.items())


_TAKEN = ("loss", "epoch", "train_loss", "validation_loss", "gradient_norm", "learning_rate", "seconds")


def _named(name: Any) -> str:
    if not isinstance(name, str) or not name or name in _TAKEN:
        raise ValueError(f"metrics: expected names, none of {', '.join(_TAKEN)}, got {_check.describe(name)}")
    return name


def _as_metric(name: str, one: Any, predicts: str) -> Metric:
    if isinstance(one, str):
        fitting = [known for known, metric in METRICS.items() if metric.kind == predicts]
        if one not in fitting:
            raise ValueError(
                f"metrics: expected for a model that predicts {predicts} some of {', '.join(fitting)}, "
                f"or a function, got {one!r}"
            )
        if one != "crps":
            need("sklearn.metrics", "sklearn", "a metric")  # now rather than after an epoch
        return METRICS[one]
    if not callable(one) or isinstance(one, type):
        raise ValueError(
            f"metrics[{name!r}]: expected a name or a function (true, predicted), got {_check.describe(one)}"
        )
    greater = METRICS[name].greater if name in METRICS else None
    weighted = _takes_weights(one)

    def function(outcome: Outcome) -> Any:
        options = {} if outcome.weights is None else {"sample_weight": outcome.weights}
        return one(*outcome.labels(), **options)

    return Metric(function, greater=greater, weighted=weighted)


def _takes_weights(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some of those written in C have none
        return False
    return "sample_weight" in parameters


def expect_weighted(metrics: Mapping[str, Metric], weights: Any) -> None:
    """Refuse metrics that would count all targets alike, where there are weights (of several outputs a dict by name).

    Raises:
        ValueError: one is a function that takes none.
    """
    for name, metric in metrics.items():
        own = weights.get(metric.output) if isinstance(weights, Mapping) else weights
        if own is not None and not metric.weighted:
            raise ValueError(
                f"metrics[{name!r}]: expected a function (true, predicted, sample_weight), as the data have weights, "
                "got one without sample_weight"
            )


class Collector:
    """Gathers outcomes batch by batch, for these metrics."""

    def __init__(self, metrics: Mapping[str, Metric]):
        self._metrics, self._parts = metrics, list[Any]()  # outcomes, or dicts of them by output
        self._scores = any(metric.scores for metric in metrics.values())

    def add(self, step: Any) -> None:
        """Take the outcome of a step of validation."""
        if self._metrics:
            outcome = step.outcome(self._scores)
            several = isinstance(outcome, Mapping)
            weights = {k: one.weights for k, one in outcome.items()} if several else outcome.weights
            expect_weighted(self._metrics, weights)
            self._parts.append(outcome)

    def values(self, ranks: Ranks | None = None) -> dict[str, float]:
        """Each metric over all there was, in all processes."""
        if not self._metrics:
            return {}
        parts = [self._parts] if ranks is None else ranks.gathered(self._parts)
        flat = list(chain.from_iterable(parts))
        outcomes = {
            output: joined([part[output] if output else part for part in flat])
            for output in {metric.output for metric in self._metrics.values()}
        }
        found = {}
        for name, metric in self._metrics.items():
            outcome = outcomes[metric.output]
            # Of several outputs one may have no target that counts.
            found[name] = _number(name, metric.function(outcome)) if len(outcome.true) else math.nan
        return found


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"metrics[{name!r}]: expected a number, got {_check.describe(value)}") from None


def last_is_best(values: Sequence[float], greater: bool) -> bool:
    """Whether the last one is as good as the best. A NaN is worse than anything."""
    signed = [-value if greater else value for value in values]
    known = [value for value in signed if not math.isnan(value)]
    return len(values) == 1 or not known or signed[-1] <= min(known)


def watched_of(watch: Any, metrics: Mapping[str, Metric]) -> tuple[str, bool]:
    """Which number chooses the best epoch, and whether more of it is better.

    Args:
        watch: "loss", or the name of a metric; of one that is not known with "max " or "min " before it.
    """
    words = watch.split(" ", 1) if isinstance(watch, str) else []
    direction = words[0] if len(words) == 2 and words[0] in ("max", "min") else ""
    name = words[1] if direction else watch
    if name == "loss" and not direction:
        return name, False
    if not isinstance(name, str) or name not in metrics:
        raise ValueError(
            f"watch: expected 'loss' or one of the metrics {list(metrics)}, got {_check.describe(watch)}"
        )
    greater = metrics[name].greater
    if not direction and greater is None:
        raise ValueError(f"watch: expected 'max {name}' or 'min {name}', got {watch!r}")
    return name, direction == "max" if direction else bool(greater)
