"""The random numbers of cells that draw, in training, as the engine has them (`rows.h` and `operations.h` there): a
function of seed, layer and direction, row of x, unit, and place among those of a step. In torch's whole numbers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio
_LOW = 2**32 - 1


def new_seed() -> Tensor:
    """Of one call, from torch's generator."""
    return torch.randint(2**63 - 1, (), dtype=torch.int64, device="cpu")


def row_keys(seed: Tensor, part: int, rows: Tensor) -> Tensor:
    """What the numbers of these rows begin with; `part` counts layers and directions."""
    return _mixed((seed * _signed(_GOLDEN) + part) ^ _mixed(rows))


def numbers(keys: Tensor, count: int, like: Tensor) -> Iterator[Tensor]:
    """`count` times numbers from 0 to 1 for rows with these keys [B], each as `like` [B, H], in steps of 2^-24."""
    units = torch.arange(like.shape[-1], device=like.device)
    for index in range(count):
        key = (keys + _signed(_GOLDEN * (index + 1)))[:, None]
        low, high = key & _LOW, (key >> 32) & _LOW
        scrambled = _scrambled((_scrambled((units + low) & _LOW) + high) & _LOW) >> 8
        yield scrambled.to(like.dtype) * 2.0**-24


def _mixed(x: Tensor) -> Tensor:
    """A hash of 64 bits (splitmix64)."""
    x = x + _signed(_GOLDEN)
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shifted(x, 31)


def _signed(number: int) -> int:
    """The last 64 bits, as int64 has them."""
    return (number + 2**63) % 2**64 - 2**63


def _shifted(x: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left."""
    return (x >> bits) & (2 ** (64 - bits) - 1)


def _scrambled(x: Tensor) -> Tensor:
    """A hash of 32 bits (Wellons 2018, lowbias32)."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _LOW
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _LOW
    return x ^ (x >> 16)
