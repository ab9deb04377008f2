"""One forward or backward pass over a stack on a GPU, without autograd: the scans are elman's, the matrix products
around them torch's, on the current stream and in torch's memory."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import _core, _gpu
from . import engine
from .spec import NO_STEPS, Spec, Steps, of_cell

KINDS = {"cuda"}  # of devices, by torch's names
TYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def pass_for(x: Tensor) -> Any:
    """The class of a pass over tensors where x is."""
    return Pass if x.device.type in KINDS else engine.Pass


def reason(weight: Tensor) -> str | None:
    """Why a module with this weight, on a GPU, runs torch's own code."""
    scans, why = _gpu.find()
    if scans is None:
        return f"its weights are on {weight.device}, and {why}"
    if weight.dtype not in TYPES:
        return f"its weights are {str(weight.dtype).removeprefix('torch.')}"
    return None


class Plan:
    """A plan on the device, in one upload."""

    def __init__(self, plan: _core.Plan, device: torch.device):
        arrays = plan.arrays()
        self.B, self.rows = plan.B, plan.rows
        self.steps, self.segments = len(arrays["alive"]), len(arrays["start"])
        self._host = arrays
        self._device = device
        parts = {"offset": arrays["offset"].view(np.int32)}
        parts |= {name: arrays[name] for name in ("alive", "index", "start", "finish")}
        # Held as long as the plan: kernels read it.
        self._memory = torch.from_numpy(np.concatenate(list(parts.values()))).to(device)
        self.view: dict[str, int] = {"steps": self.steps, "rows": self.segments}
        place = self._memory.data_ptr()
        for name, part in parts.items():
            self.view[name] = place
            place += part.nbytes

    @functools.cached_property
    def holes(self) -> Tensor | None:
        """Rows that no step computes."""
        return self._rows("holes")

    @functools.cached_property
    def passed(self) -> Tensor | None:
        """Sequences without a step whose final state is their initial state."""
        return self._rows("passed")

    @functools.cached_property
    def previous(self) -> Tensor:
        """[rows]: for each row the one whose h it read; rows + b: the initial state of sequence b; last: zeros."""
        host = self._host
        alive, offset, index, start = (host[name] for name in ("alive", "offset", "index", "start"))
        found = np.full(self.rows, self.rows + self.B)
        if self.steps:
            step = np.repeat(np.arange(self.steps), alive)
            later = np.arange(offset[1], offset[-1])
            found[index[later]] = index[later - alive[step[later] - 1]]
            found[index[: len(start)]] = np.where(start < 0, self.rows + self.B, self.rows + start)
        return torch.from_numpy(found).to(self._device)

    def _rows(self, name: str) -> Tensor | None:
        rows = self._host[name]
        return torch.from_numpy(rows.astype(np.int64)).to(self._device) if len(rows) else None


@functools.lru_cache(64)
def _whole(
    T: int, B: int, batch_first: bool, backwards: tuple[bool, ...], device: torch.device
) -> list[Plan]:
    """Plans of whole sequences: kept, so that a call uploads nothing and a CUDA graph can hold it."""
    return [Plan(_core.Plan(T, B, batch_first, back, None, None, None), device) for back in backwards]


@functools.lru_cache(1024)
def _schedule(scans: Any, device: torch.device, *task: Any) -> Any:
    """The cheapest of a thousand, which takes as long as a call."""
    with _on(device):
        return scans.schedule(*task)


def _on(device: torch.device) -> Any:
    """What the module asks of the current GPU it asks of this one."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


class Kept(NamedTuple):
    """Of one layer, for its backward pass."""

    x: Tensor  # [rows, I]
    y: Tensor | None  # [rows, D * H]; None for the last layer's, which is the call's result
    slots: list[Tensor]  # [rows, slots * H] for each direction
    memory: list[Tensor]


class Pass:
    """The tensors of one call: made by its forward pass, used by its backward pass."""

    def __init__(
        self,
        spec: Spec,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        dropout: Sequence[Tensor] = (),
        steps: Steps = NO_STEPS,
        cache: Any = None,  # weights need no other layout here
    ):
        self._scans = scans = _gpu.find()[0]
        self._cell = scans.cells()[spec.cell]
        self._spec = spec
        self._weights = [w.detach().contiguous() for w in weights]
        per = 4 if spec.bias else 2
        groups = [self._weights[i : i + per] for i in range(0, len(weights), per)]
        self.D, self.H = len(spec.backwards), weights[1].shape[1]
        self.L = len(groups) // self.D
        self._layers = [groups[k * self.D : (k + 1) * self.D] for k in range(self.L)]
        self._of_cell = of_cell(x, steps)
        self._lead = x.shape[:-1]
        self._x = x.detach().reshape(-1, x.shape[-1]).contiguous()
        self._dropout = [f.detach().reshape(-1, f.shape[-1]) for f in dropout]
        shape = (1, *x.shape) if self._of_cell else x.shape
        if (steps is NO_STEPS and x.dim() != 2) or self._of_cell:
            T, B = (shape[1], shape[0]) if spec.batch_first else (shape[0], shape[1])
            self.plans = _whole(T, B, spec.batch_first, spec.backwards, x.device)
        else:
            self.plans = [Plan(plan, x.device) for plan in steps.plans(spec, shape)]
        self.B = self.plans[0].B
        self._state = [s.detach().reshape(self.L * self.D, self.B, self.H).contiguous() for s in state]

    def new_tape(self) -> list[Kept]:
        return []

    def forward(self, tape: list[Kept] | None = None) -> list[Tensor]:
        """y, and each final state [L*D, B, H]; the tape gets what backward needs."""
        final = [self._x.new_zeros(self.L * self.D, self.B, self.H) for _ in range(self._cell["states"])]
        x = self._x
        for k, layer in enumerate(self._layers):
            if k and self._dropout:
                x = x * self._dropout[k - 1]
            x = self._layer_forward(k, layer, x, final, tape)
        return [self._like_x(x), *(self._like_state(f) for f in final)]

    def backward(
        self,
        tape: list[Kept],
        y: Tensor,
        dy: Tensor | None,
        dstate: Sequence[Tensor | None],
        want_dx: bool = True,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """The gradients of x (None unless wanted), of each initial state and of each weight. Uses the tape up."""
        tape[-1] = tape[-1]._replace(y=y.detach().reshape(-1, self.D * self.H))
        shape = self.L * self.D, self.B, self.H
        dfinal = [None if d is None else d.detach().reshape(shape).contiguous() for d in dstate]
        dinitial = [self._x.new_zeros(shape) for _ in range(self._cell["states"])]
        grads: list[list[Tensor]] = []
        d = None if dy is None else dy.detach().reshape(-1, self.D * self.H).contiguous()
        for k in reversed(range(self.L)):
            wanted = want_dx or k > 0
            d, of_layer = self._layer_backward(k, tape.pop(), d, dfinal, dinitial, wanted)
            if k and self._dropout and d is not None:
                d = d * self._dropout[k - 1]
            grads = of_layer + grads
        dx = None if d is None else d.reshape(*self._lead, -1)
        return dx, [self._like_state(s) for s in dinitial], [g for group in grads for g in group]

    def _layer_forward(self, k: int, layer: Any, x: Tensor, final: list[Tensor], kept: Any) -> Tensor:
        cell, H, rows = self._cell, self.H, len(x)
        y = self._rows(x, self.D * H)
        sides, slots, memory, alive = [], [], [], []
        for d, (plan, (w_ih, w_hh, *bias)) in enumerate(zip(self.plans, layer, strict=True)):
            products = torch.addmm(bias[0], x, w_ih.t()) if bias else x @ w_ih.t()
            side = {
                "plan": plan.view, "products": products.data_ptr(), "weight": w_hh.data_ptr(),
                "y": y.data_ptr() + d * H * y.element_size(), "final": self._addresses(final, k, d),
                "initial": self._addresses(self._state, k, d),
            }  # fmt: skip
            if bias:
                side["bias"] = bias[1].data_ptr()
            if kept is not None:
                slots.append(self._rows(x, cell["slots"] * H))
                memory.append(x.new_empty(rows if cell["states"] > 1 else 0, H, dtype=torch.float32))
                side |= {"slots": slots[-1].data_ptr(), "memory": memory[-1].data_ptr()}
            if plan.passed is not None and self._state:
                for to, start in zip(final, self._state, strict=True):
                    to[k * self.D + d, plan.passed] = start[k * self.D + d, plan.passed]
            alive.append(products)
            sides.append(side)
        self._scan(False, x, sides)
        if kept is not None:
            kept.append(Kept(x, y if k + 1 < self.L else None, slots, memory))
        return y

    def _layer_backward(
        self, k: int, kept: Kept, dy: Tensor | None, dfinal: Any, dinitial: list[Tensor], want_dx: bool
    ) -> tuple[Tensor | None, list[list[Tensor]]]:
        H, layer = self.H, self._layers[k]
        sides = []
        assert kept.y is not None
        for d, plan in enumerate(self.plans):
            skip = d * H * kept.y.element_size()
            side = {
                "plan": plan.view, "weight": layer[d][1].data_ptr(), "y": kept.y.data_ptr() + skip,
                "initial": self._addresses(self._state, k, d), "dfinal": self._addresses(dfinal, k, d),
                "dinitial": self._addresses(dinitial, k, d), "slots": kept.slots[d].data_ptr(),
                "memory": kept.memory[d].data_ptr(),
            }  # fmt: skip
            if dy is not None:
                side["dy"] = dy.data_ptr() + skip
            if plan.passed is not None:
                for to, end in zip(dinitial, dfinal, strict=True):
                    if end is not None:
                        to[k * self.D + d, plan.passed] = end[k * self.D + d, plan.passed]
            sides.append(side)
        self._scan(True, kept.x, sides)
        dx, grads = None, []
        for d, plan in enumerate(self.plans):
            w_ih, _, *bias = layer[d]
            da_x, da_h = (self._fed(kept.slots[d], feed) for feed in ("x", "h"))
            h = self._previous_h(k, d, kept.y, plan)
            group = [self._by_gate(da_x.t() @ kept.x, "x"), self._by_gate(da_h.t() @ h, "h")]
            if bias:
                group += [self._by_gate(da.sum(0), feed) for da, feed in ((da_x, "x"), (da_h, "h"))]
            grads.append(group)
            if want_dx:
                part = da_x @ self._by_slot(w_ih)
                dx = part if dx is None else dx + part
        return dx, grads

    def _scan(self, backward: bool, x: Tensor, sides: list[dict[str, Any]]) -> None:
        rows = max(plan.segments for plan in self.plans)
        if rows == 0:
            return
        size, forced = x.element_size(), os.environ.get("ELMAN_CUDA_SCHEDULE", "")
        schedule = _schedule(
            self._scans, x.device, self._spec.cell, backward, size, self.H, rows, self.D, forced
        )
        addresses = [a for side in sides for v in side.values() for a in (v if isinstance(v, list) else [v])]
        whole = self.H % 2 == 0 and all(a % (2 * size) == 0 for a in addresses if isinstance(a, int))
        memory = []  # held until the kernels have their place in the stream: torch then keeps it for this stream
        if schedule.kind == "launch":
            for side, plan in zip(sides, self.plans, strict=True):
                memory.append(x.new_empty(self._cell["states"], plan.segments, self.H, dtype=torch.float32))
                side["carry"] = memory[-1].data_ptr()
        memory.append(x.new_empty(self.D * schedule.teams, dtype=torch.int32))
        with _on(x.device):
            self._scans.scan(
                self._spec.cell, TYPES[x.dtype], backward, self.H, self.D * self.H, whole, sides, schedule,
                memory[-1].data_ptr(), _stream(x),
            )  # fmt: skip

    def _rows(self, x: Tensor, width: int) -> Tensor:
        """For results of all rows; zeros where no step computes some."""
        holes = any(plan.holes is not None for plan in self.plans)
        return (x.new_zeros if holes else x.new_empty)(len(x), width)

    def _addresses(self, states: Sequence[Tensor | None], k: int, d: int) -> list[int]:
        return [0 if s is None else s[k * self.D + d].data_ptr() for s in states]

    def _fed(self, slots: Tensor, feed: str) -> Tensor:
        begin, gates = self._cell[feed]["begin"], self._cell[feed]["gates"]
        return slots[:, begin * self.H : (begin + len(gates)) * self.H]

    def _by_gate(self, by_slot: Tensor, feed: str) -> Tensor:
        """Blocks of H rows in the order of the weights, from the order of the slots."""
        gates = self._cell[feed]["gates"]
        if gates == sorted(gates):
            return by_slot
        blocks = by_slot.split(self.H)
        return torch.cat([blocks[gates.index(gate)] for gate in range(len(gates))])

    def _by_slot(self, weight: Tensor) -> Tensor:
        gates = self._cell["x"]["gates"]
        if gates == sorted(gates):
            return weight
        blocks = weight.split(self.H)
        return torch.cat([blocks[gate] for gate in gates])

    def _previous_h(self, k: int, d: int, y: Tensor, plan: Plan) -> Tensor:
        """[rows, H]: what the recurrent product of each row read."""
        initial = self._state[0][k * self.D + d] if self._state else y.new_zeros(self.B, self.H)
        zero = y.new_zeros(1, self.H)
        return torch.cat([y[:, d * self.H : (d + 1) * self.H], initial, zero]).index_select(0, plan.previous)

    def _like_x(self, rows: Tensor) -> Tensor:
        return rows.reshape(*self._lead, -1)

    def _like_state(self, state: Tensor) -> Tensor:
        return state[0] if self._of_cell else state


def _stream(x: Tensor) -> int:
    return torch.cuda.current_stream(x.device).cuda_stream if x.is_cuda else 0
