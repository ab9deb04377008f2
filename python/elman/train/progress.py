"""The progress bar."""

from __future__ import annotations

import time
from typing import Any

from .._extras import need


class Bar:
    """One bar over all epochs (extra: train): loss, gradient norm, and how many sequences (or steps) a second."""

    def __init__(self, total: int, unit: str, label: str | None):
        tqdm = need("tqdm", "train", "a progress bar").tqdm
        self._bar = tqdm(total=total, unit=f" {unit}", unit_scale=True, desc=label)
        self._shown: dict[str, str] = {}
        self._written = 0.0

    def update(self, done: int, **numbers: Any) -> None:
        """Show `done` of the total, and these numbers."""
        self._shown |= {name: f"{value:.4g}" for name, value in numbers.items() if value is not None}
        if time.monotonic() - self._written > 0.1:  # writing text for every small batch would take its time
            self._written = time.monotonic()
            self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.set_postfix(self._shown)
        self._bar.close()
