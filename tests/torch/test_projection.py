"""LSTMs with projections, beside what separate calls give."""

import pytest
import torch

from tests.support.torch_layers import assert_same, pair


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_projection_takes_lengths_masks_and_resets_as_separate_calls_do(first, back):
    """Each stretch between resets, with the masked steps left out, by torch alone."""
    theirs, ours = pair("LSTM", 3, 5, proj_size=2, batch_first=first, dtype=torch.float64, bidirectional=back)
    T, B = 8, 4
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(T, B, 3, dtype=torch.float64, generator=generator)
    mask = torch.rand(T, B, generator=generator) < 0.7
    lengths = torch.tensor([8, 3, 0, 6])
    D = 1 + back
    h0 = torch.randn(D, B, 2, dtype=torch.float64, generator=generator)
    c0 = torch.randn(D, B, 5, dtype=torch.float64, generator=generator)
    turn = (lambda t: t.transpose(0, 1)) if first else (lambda t: t)
    y, (h, c) = ours(turn(x), (h0, c0), lengths=lengths, mask=turn(mask))
    y = turn(y)
    for b in range(B):
        steps = [t for t in range(lengths[b]) if mask[t, b]]
        if not steps:
            assert torch.equal(h[:, b], h0[:, b]) and torch.equal(c[:, b], c0[:, b])
            assert not y[:, b].any()
            continue
        alone = x[steps, b][:, None]
        want, (hn, cn) = theirs(turn(alone), (h0[:, b : b + 1].contiguous(), c0[:, b : b + 1].contiguous()))
        assert_same(y[steps, b], turn(want)[:, 0], x.dtype)
        assert_same(h[:, b], hn[:, 0], x.dtype)
        assert_same(c[:, b], cn[:, 0], x.dtype)
    others = [(t, b) for b in range(B) for t in range(T) if t >= lengths[b] or not mask[t, b]]
    assert not any(y[t, b].any() for t, b in others)


def test_a_reset_parts_a_projected_sequence():
    theirs, ours = pair("LSTM", 3, 5, proj_size=2, dtype=torch.float64, bidirectional=True)
    x = torch.randn(6, 1, 3, dtype=torch.float64)
    hx = torch.randn(2, 1, 2, dtype=torch.float64), torch.randn(2, 1, 5, dtype=torch.float64)
    reset = torch.zeros(6, 1, dtype=torch.bool)
    reset[4] = True
    y, (h, c) = ours(x, hx, reset=reset)
    zeros = [torch.zeros_like(part) for part in hx]
    # Forwards the first part starts from hx and the second from zeros; backwards it is the other way round.
    start = [torch.cat([part[:1], zero[1:]]) for part, zero in zip(hx, zeros, strict=True)]
    head, (head_h, head_c) = theirs(x[:4], tuple(start))
    start = [torch.cat([zero[:1], part[1:]]) for part, zero in zip(hx, zeros, strict=True)]
    tail, (tail_h, tail_c) = theirs(x[4:], tuple(start))
    assert_same(y, torch.cat([head, tail]), x.dtype)
    assert_same(h, torch.cat([tail_h[:1], head_h[1:]]), x.dtype)
    assert_same(c, torch.cat([tail_c[:1], head_c[1:]]), x.dtype)
