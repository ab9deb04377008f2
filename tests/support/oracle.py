"""What the engine must compute, as plainly as it can be written: NumPy, float64, one step at a time.

It shares no idea with the engine: no plan, no packing. All sequences walk through all steps together, and
where a sequence has no step (beyond its length, or masked) its state is simply kept.
"""

from __future__ import annotations

import numpy as np

from elman.stack.cells import CELLS as KNOWN

CELLS = {}  # what computes each of the engine's cells


def cell(name):
    """Registers a class: `step` gives the new states and what `back` needs of it."""

    def register(kind):
        CELLS[name] = kind
        return kind

    return register


def cell_of(name):
    if name in KNOWN and KNOWN[name].definition:
        from tests.support.traced import Traced  # needs torch

        return Traced(KNOWN[name].definition)
    if name not in CELLS:
        raise LookupError(f"{name}: expected a class of this cell in tests/support/oracle.py, got none")
    return CELLS[name]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@cell("rnn_tanh")
class Tanh:
    """h' = tanh(W x + R h)."""

    states = 1

    @staticmethod
    def step(a_x, a_h, h):
        new = np.tanh(a_x + a_h)
        return [new], new

    @staticmethod
    def back(kept, before, d):
        da = d[0] * (1 - kept**2)
        return da, da, [np.zeros_like(d[0])]


@cell("rnn_relu")
class Relu(Tanh):
    @staticmethod
    def step(a_x, a_h, h):
        new = np.maximum(a_x + a_h, 0)
        return [new], new

    @staticmethod
    def back(kept, before, d):
        da = d[0] * (kept > 0)
        return da, da, [np.zeros_like(d[0])]


@cell("lstm")
class Lstm:
    states = 2

    @staticmethod
    def step(a_x, a_h, h, c):
        i, f, g, o = np.split(a_x + a_h, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new_c = f * c + i * g
        return [o * np.tanh(new_c), new_c], (i, f, g, o, new_c)

    @staticmethod
    def back(kept, before, d):
        i, f, g, o, new_c = kept
        dh, tanh_c = d[0], np.tanh(new_c)
        dc = d[1] + dh * o * (1 - tanh_c**2)
        gates = [
            dc * g * i * (1 - i),
            dc * before[1] * f * (1 - f),
            dc * i * (1 - g**2),
            dh * tanh_c * o * (1 - o),
        ]
        da = np.concatenate(gates, axis=-1)
        return da, da, [np.zeros_like(dh), dc * f]


@cell("gru")
class Gru:
    states = 1

    @staticmethod
    def step(a_x, a_h, h):
        r_x, z_x, n_x = np.split(a_x, 3, axis=-1)
        r_h, z_h, n_h = np.split(a_h, 3, axis=-1)
        r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
        n = np.tanh(n_x + r * n_h)
        return [(1 - z) * n + z * h], (r, z, n, n_h)

    @staticmethod
    def back(kept, before, d):
        r, z, n, n_h = kept
        dh = d[0]
        dn = dh * (1 - z) * (1 - n**2)
        dr = dn * n_h * r * (1 - r)
        dz = dh * (before[0] - n) * z * (1 - z)
        return np.concatenate([dr, dz, dn], -1), np.concatenate([dr, dz, dn * r], -1), [dh * z]


def from_heads(weight, H):
    """[gates * H, H] of [gates * H, K], whose unit u reads the K units of its own head."""
    K = weight.shape[1]
    whole = np.zeros((len(weight), H))
    for row, numbers in enumerate(weight):
        first = row % H // K * K
        whole[row, first : first + K] = numbers
    return whole


def of_heads(whole, K):
    """The reverse of that."""
    H = whole.shape[1]
    firsts = [row % H // K * K for row in range(len(whole))]
    rows = [numbers[first : first + K] for numbers, first in zip(whole, firsts, strict=True)]
    return np.array(rows).reshape(len(whole), K)


class Direction:
    """One layer and direction. weights: weight_ih, weight_hh, bias_ih, bias_hh, None for what there is not, and the
    cell's vectors."""

    def __init__(self, cell, weights, reverse):
        self.cell = cell_of(cell)
        w_ih, w_hh, b_ih, b_hh, *vectors = (None if w is None else np.asarray(w, np.float64) for w in weights)
        self.H = len(w_ih) // len(KNOWN[cell].gates)
        self.w_ih, self.w_hh = w_ih, np.zeros((0, self.H)) if w_hh is None else from_heads(w_hh, self.H)
        self.K = self.H if w_hh is None else w_hh.shape[1]
        self.b_ih = np.zeros(len(w_ih)) if b_ih is None else b_ih
        self.b_hh = np.zeros(len(self.w_hh)) if b_hh is None else b_hh
        self.vectors, self.has = vectors, [w is not None for w in weights]
        # Behind the rows of h those of the matrices that multiply within a step.
        self.first = len(self.w_hh) - getattr(self.cell, "matrices", 0) * self.H
        self.reverse = reverse

    def forward(self, x, state, valid, reset, factors=None, scalars=None):
        """x [T, B, I]; state: list of [B, H]; valid, reset [T, B]; factors [B, H]: recurrent dropout; scalars
        [T, B, scalars].

        Returns y [T, B, H] and the last state.
        """
        T, B, _ = x.shape
        H = self.H
        self.scalars = scalars
        self.factors = np.ones((B, H)) if factors is None else np.asarray(factors, np.float64)
        self.x, self.trace = x, []
        y = np.zeros((T, B, H))
        for t in reversed(range(T)) if self.reverse else range(T):
            crossed = t + 1 if self.reverse else t  # the cut between this step and the one before it
            clear = reset[crossed] if crossed < T else np.zeros(B, bool)
            start = [np.where(clear[:, None], 0, s) for s in state]
            more = {"vectors": self.vectors} if self.vectors else {}
            more |= {} if scalars is None else {"scalars": scalars[t]}
            later = [slice(row, row + H) for row in range(self.first, len(self.w_hh), H)]
            more |= {"matrices": [(self.w_hh[rows], self.b_hh[rows]) for rows in later]} if later else {}
            # What does not count may be NaN. It is left out before the cell too, which NaN times 0 would pass.
            w_h, b_h = self.w_hh[: self.first], self.b_hh[: self.first]
            sums = x[t] @ self.w_ih.T + self.b_ih, (start[0] * self.factors) @ w_h.T + b_h
            new, kept = self.cell.step(*sums, *start, **more)
            on = valid[t][:, None]
            y[t] = np.where(on, new[0], 0)
            state = [np.where(on, n, s) for n, s in zip(new, start, strict=True)]
            self.trace.append((t, clear[:, None], on, start, kept))
        return y, state

    def backward(self, dy, dstate):
        """Returns dx, the gradient of the initial state, those of the weights, and those of the scalars."""
        dx = np.zeros_like(self.x)
        grads = [np.zeros_like(w) for w in (self.w_ih, self.w_hh, self.b_ih, self.b_hh, *self.vectors)]
        dscalars = None if self.scalars is None else np.zeros_like(self.scalars)
        d = list(dstate)
        for t, clear, on, start, kept in reversed(self.trace):
            d_new = [np.where(on, s, 0) for s in d]
            d_new[0] = d_new[0] + np.where(on, dy[t], 0)
            da_x, da_h, direct, *extra = self.cell.back(kept, start, d_new)
            d_vectors, d_scalars, d_matrices = extra or ([], [], [])
            for k, term in enumerate(d_scalars):
                dscalars[t, :, k] = term[:, 0]
            dx[t] = da_x @ self.w_ih
            direct[0] = direct[0] + (da_h @ self.w_hh[: self.first]) * self.factors
            d = [np.where(clear, 0, np.where(on, new, old)) for new, old in zip(direct, d, strict=True)]
            read = start[0] * self.factors
            d_w = [da_h.T @ read, *d_matrices[::2]]
            d_b = [da_h.sum(0), *d_matrices[1::2]]
            terms = da_x.T @ self.x[t], np.concatenate(d_w), da_x.sum(0), np.concatenate(d_b)
            for grad, term in zip(grads, (*terms, *d_vectors), strict=True):
                grad += term
        grads[1] = of_heads(grads[1], self.K)
        return dx, d, [grad for grad, has in zip(grads, self.has, strict=True) if has], dscalars


class Stack:
    """The whole layer: weights[k][d] as for Direction."""

    def __init__(self, cell, weights, backwards):
        self.layers = [
            [Direction(cell, w, back) for w, back in zip(layer, backwards, strict=True)] for layer in weights
        ]
        self.states = cell_of(cell).states

    def forward(self, x, state=None, lengths=None, mask=None, reset=None, factors=None, scalars=None):
        """x [T, B, I]; state: list of [L * D, B, H] or None; factors: [layer][direction] -> [B, H] or None; scalars:
        [T, B, scalars] or None.

        Returns y and the final state, as a list.
        """
        x = np.asarray(x, np.float64)
        T, B, _ = x.shape
        lengths = np.full(B, T) if lengths is None else np.asarray(lengths)
        within = np.arange(T)[:, None] < lengths
        valid = within if mask is None else within & mask
        reset = np.zeros((T, B), bool) if reset is None else reset & within
        H = self.layers[0][0].H
        rows = len(self.layers) * len(self.layers[0])
        scalars = None if scalars is None else np.asarray(scalars, np.float64)
        state = (
            [np.zeros((rows, B, H))] * self.states
            if state is None
            else [np.asarray(s, np.float64) for s in state]
        )
        final = [np.zeros_like(s) for s in state]
        row = 0
        for k, layer in enumerate(self.layers):
            outputs = []
            for d, direction in enumerate(layer):
                masks = None if factors is None else factors[k][d]
                y, last = direction.forward(x, [s[row] for s in state], valid, reset, masks, scalars)
                outputs.append(y)
                for whole, part in zip(final, last, strict=True):
                    whole[row] = part
                row += 1
            x = np.concatenate(outputs, -1)
        return x, final

    def backward(self, dy, dstate=None):
        """Returns dx, the gradient of the initial state (a list), and grads[k][d] of the weights."""
        D = len(self.layers[0])
        rows = len(self.layers) * D
        B, H = dy.shape[1], self.layers[0][0].H
        self.dscalars = 0
        dy = np.asarray(dy, np.float64)
        dstate = [np.zeros((rows, B, H))] * self.states if dstate is None else dstate
        dinitial = [np.zeros((rows, B, H)) for _ in range(self.states)]
        grads = []
        for k in reversed(range(len(self.layers))):
            dx, layer_grads = 0, []
            for d, direction in enumerate(self.layers[k]):
                row = k * D + d
                part, first, g, numbers = direction.backward(
                    dy[..., d * H : (d + 1) * H], [s[row] for s in dstate]
                )
                self.dscalars = None if numbers is None else self.dscalars + numbers
                dx = dx + part
                layer_grads.append(g)
                for whole, value in zip(dinitial, first, strict=True):
                    whole[row] = value
            dy = dx
            grads.insert(0, layer_grads)
        return dy, dinitial, grads


def of_layer(layer):
    """The oracle of an elman layer, with the same weights."""
    spec = layer._spec
    return Stack(spec.cell, spec.nest_of(layer.parameters), spec.backwards)
