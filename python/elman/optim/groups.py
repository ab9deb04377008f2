"""Groups of parameters, by patterns of their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from .. import _check

Groups = Mapping[str, Mapping[str, float]]
"""For patterns of names another learning_rate or weight_decay: {"bias*": {"weight_decay": 0}}; see `Optimizer`."""


def fits(pattern: str, name: str) -> bool:
    """Whether a pattern fits a parameter: its name, or some of the words between the dots there that follow each other.

    So "embedding" fits "network.embedding.weight", and "bias*" fits "network.recurrent.bias_hh_l0". Patterns are those
    of a shell: * is any text, ? any letter, [ab] an a or a b.
    """
    words = name.split(".")
    ends = range(1, len(words) + 1)
    return any(fnmatchcase(".".join(words[i:j]), pattern) for j in ends for i in range(j))


def fitting(argument: str, patterns: Any, names: Iterable[str]) -> dict[str, list[str]]:
    """For each pattern the names that it fits.

    Raises:
        ValueError: a pattern is no text, or fits nothing.
    """
    found, names = {}, list(names)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ValueError(f"{argument}: expected patterns of names, got {_check.describe(pattern)}")
        found[pattern] = [name for name in names if fits(pattern, name)]
        if not found[pattern]:
            raise ValueError(
                f"{argument}: expected patterns that fit some of {', '.join(names)}, got {pattern!r}"
            )
    return found


def frozen_names(frozen: str | Sequence[str] | None, names: Iterable[str]) -> set[str]:
    """The names of what stays as it is.

    Raises:
        ValueError: a pattern fits nothing, or nothing is left.
    """
    names = list(names)
    if frozen is None or isinstance(frozen, str):
        frozen = [] if frozen is None else [frozen]
    elif not isinstance(frozen, (list, tuple, set)):
        raise ValueError(f"frozen: expected a list of patterns of names, got {_check.describe(frozen)}")
    found = {name for some in fitting("frozen", frozen, names).values() for name in some}
    if found and len(found) == len(names):
        raise ValueError(f"frozen: expected something to be left to train, got {list(frozen)}")
    return found


def group_options(groups: Groups | None, names: Iterable[str]) -> dict[str, dict[str, float]]:
    """The options of each name that has its own: of all patterns that fit it, of which later ones count more.

    Raises:
        ValueError: a pattern fits nothing, or an option is unknown or has a wrong value.
    """
    groups = {} if groups is None else groups
    if not isinstance(groups, Mapping):
        raise ValueError(f"groups: expected a dict of patterns of names, got {_check.describe(groups)}")
    found: dict[str, dict[str, float]] = {}
    for pattern, some in fitting("groups", groups, names).items():
        own = groups[pattern]
        where = f"groups[{pattern!r}]"
        if not isinstance(own, Mapping) or not own.keys() <= _OPTIONS.keys() or not own:
            got = list(own) if isinstance(own, Mapping) else _check.describe(own)
            raise ValueError(f"{where}: expected a dict of {' and '.join(_OPTIONS)}, got {got}")
        options = {name: _OPTIONS[name](f"{where}[{name!r}]", value) for name, value in own.items()}
        for name in some:
            found[name] = found.get(name, {}) | options
    return found


_OPTIONS = {"learning_rate": _check.positive, "weight_decay": _check.not_negative}
