"""Estimators in files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import files
from .._plain import plain
from ..layers.arguments import made_of
from ..layers.kinds import find, name_of, register


class Saved:
    """An estimator that can be saved: it says what it has learnt, in `_state` what JSON can hold, and in `state_dict`
    arrays."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        register(cls)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator, with all that it needs to predict, to one safetensors file (extra: save).
        `elman.load` gives it back. It does not go on with `partial_fit` then, and a `random_state` that is no whole
        number becomes None."""
        check_is_fitted(self, "model_")
        parameters = self.get_params(deep=False)  # type: ignore[attr-defined]
        if not isinstance(parameters.get("random_state"), (int, np.integer)):
            parameters["random_state"] = None
        if isinstance(parameters.get("class_weight"), dict):  # `_state` has it
            parameters["class_weight"] = None
        content = {
            "estimator": name_of(type(self)),
            "params": plain("params", parameters),
            "state": plain("state", self._state()),
        }
        files.write(path, content, self.state_dict(), "saving an estimator")

    def state_dict(self) -> dict[str, np.ndarray]:
        """The arrays that it has learnt, by name."""
        raise NotImplementedError

    def load_state_dict(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Put back what `state_dict` gave."""
        raise NotImplementedError

    def _state(self) -> dict[str, Any]:
        raise NotImplementedError

    def _restore(self, state: dict[str, Any]) -> None:
        raise NotImplementedError


def make(content: dict[str, Any]) -> Any:
    """The estimator that a file describes, without its arrays."""
    kind: Any = find(content["estimator"], "elman.sklearn")
    estimator = kind(**made_of(content["params"]))  # a cell may be among them
    estimator._restore(content["state"])
    return estimator
