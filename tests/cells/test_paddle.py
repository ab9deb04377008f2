"""PaddlePaddle's GRU, and the word segmenter of jieba, which is two bidirectional layers of it and a CRF:

    [u r] = sigmoid(x_u,r + h W_u,r);  n = tanh(x_n + (r h) W_n);  h' = (1 - u) h + u n.

ELMAN_TEST_NETWORKS names a folder with the unpacked source archive of jieba, whose weights are read from its files. A
loop of the equations stands for its own runtime, which is of a Paddle that no Python of today has; today's Paddle has
the operator still. What is not there is skipped.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import elman
from elman import cells
from tests.cells.carried import held, hold

FOUND = sorted(Path(os.environ.get("ELMAN_TEST_NETWORKS", "nowhere")).glob("jieba-*/jieba/lac_small"))
H = 128
with_jieba = pytest.mark.skipif(not FOUND, reason="ELMAN_TEST_NETWORKS names no folder with jieba")


def in_columns(rows, H):
    """Columns u r n of rows r z n: our z keeps the state where u takes the new one."""
    return np.concatenate([-rows[H : 2 * H], rows[:H], rows[2 * H :]]).T


def in_rows(columns, H):
    u, r, n = np.split(columns.T, 3)
    return np.concatenate([r, -u, n])


class Operator:
    """Paddle's own `gru` in a graph of its old kind: outputs [B * T, H], sequence after sequence, and gradients."""

    def __init__(self, H):
        import paddle
        from paddle.base import core
        from paddle.base.backward import gradients

        self.place, self.tensor = paddle.CPUPlace(), core.DenseTensor
        self.main, dtype = paddle.static.Program(), "float64"
        sizes = {"Input": [-1, 3 * H], "Weight": [H, 3 * H], "Bias": [1, 3 * H], "H0": [-1, H]}
        with paddle.static.program_guard(self.main, paddle.static.Program()):
            block = self.main.global_block()
            given = {name: paddle.static.data(name, size, dtype) for name, size in sizes.items()}
            for value in given.values():
                value.stop_gradient = False
            names = ("BatchGate", "BatchResetHiddenPrev", "BatchHidden", "Hidden")
            made = {name: block.create_var(name=name, dtype=dtype) for name in names}
            inputs, outputs = ({name: [one] for name, one in values.items()} for values in (given, made))
            block.append_op(type="gru", inputs=inputs, outputs=outputs)
            d = paddle.static.data("d", [-1, H], dtype)
            self.gradients = gradients([made["Hidden"]], list(given.values()), target_gradients=[d])
        self.H, self.names, self.hidden = H, tuple(sizes), made["Hidden"]
        self.executor = paddle.static.Executor(self.place)

    def __call__(self, values, lengths, d=None):
        """The outputs, or the gradients of all values that follow from d."""
        feed = dict(zip(self.names, values, strict=True)) | {"d": values[0][:, : self.H] if d is None else d}
        rows = self.tensor()
        rows.set(feed["Input"], self.place)
        rows.set_recursive_sequence_lengths([lengths])
        wanted = [self.hidden] if d is None else self.gradients
        found = self.executor.run(
            self.main, feed=feed | {"Input": rows}, fetch_list=wanted, return_numpy=False
        )
        return [torch.tensor(np.array(value)) for value in found]


class Gru(torch.autograd.Function):
    @staticmethod
    def forward(ctx, operator, lengths, *values):
        ctx.given = operator, [value.detach().numpy() for value in values], lengths
        return operator(*ctx.given[1:])[0]

    @staticmethod
    def backward(ctx, d):
        operator, *given = ctx.given
        return None, None, *operator(*given, d.contiguous().numpy())


@pytest.fixture
def old_graphs(monkeypatch):
    monkeypatch.setenv("FLAGS_enable_pir_api", "0")  # the newer kind has no such operator
    with warnings.catch_warnings(action="ignore"):
        paddle = pytest.importorskip("paddle")
    paddle.enable_static()
    yield
    paddle.disable_static()


def test_the_operator(old_graphs):
    I, H = 4, 5  # noqa: E741
    operator = Operator(H)
    sizes = (I, 3 * H), (H, 3 * H), (1, 3 * H)
    weights = [torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in sizes]

    def forward(x, h):
        sums = (x @ weights[0]).transpose(0, 1).reshape(-1, 3 * H)
        y = Gru.apply(operator, [len(x)] * x.shape[1], sums, *weights[1:], h)
        y = y.reshape(x.shape[1], len(x), H).transpose(0, 1)
        return y, [y[-1]]

    def own(a):
        """The columns of u and r one behind another, and then those of n."""
        columns = in_columns(a["weight_hh_l0"], H)
        return np.concatenate([columns[:, : 2 * H].ravel(), columns[:, 2 * H :].ravel()]).reshape(H, 3 * H)

    of_x, bias = (lambda a, n=name: in_columns(a[n], H) for name in ("weight_ih_l0", "bias_ih_l0"))
    pairs = list(zip(weights, (of_x, own, lambda a: bias(a)[None]), strict=True))
    hold("paddle", cells.gru(False), forward, pairs, ["bias_hh_l0"], T=20, states=True)


def tensor(name, columns):
    """The rows of one of Paddle's files: versions in 16 bytes, a description and its length, and the numbers."""
    content = (FOUND[0] / "model_baseline" / name).read_bytes()
    begin = 20 + int.from_bytes(content[16:20], "little")
    return np.frombuffer(content[begin:], "<f4").reshape(-1, columns)


def dictionary(name):
    lines = (FOUND[0] / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if line.count("\t") == 1)


def parts(k):
    """Of the k-th GRU: its product of x with the bias, and its own weights, gates u r and n apart, with the bias."""
    own = tensor(f"gru_{k}.w_0", H)
    b, own_b = (tensor(name, 3 * H)[0] for name in (f"fc_{k}.b_0", f"gru_{k}.b_0"))
    return tensor(f"fc_{k}.w_0", 3 * H), b, own[: 2 * H].reshape(H, 2 * H), own[2 * H :], own_b


def one_way(k, x):
    w, b, gates, new, own = (part.astype(x.dtype) for part in parts(k))
    h, y = np.zeros((x.shape[1], H), x.dtype), []
    for sums in x @ w + b + own:
        u, r = np.split(1 / (1 + np.exp(-sums[:, : 2 * H] - h @ gates)), 2, axis=1)
        h = (1 - u) * h + u * np.tanh(sums[:, 2 * H :] + (r * h) @ new)
        y.append(h)
    return np.stack(y)


def runtime(x):
    for k in (0, 2):
        x = np.concatenate([one_way(k, x), one_way(k + 1, x[::-1])[::-1]], 2)
    return x


def ours(x):
    layer = elman.Recurrent(cells.gru(False), 128, H, num_layers=2, bidirectional=True, dtype=x.dtype)
    for k, end in enumerate(("_l0", "_l0_reverse", "_l1", "_l1_reverse")):
        w, b, gates, new, own = parts(k)
        values = {"weight_ih": w, "weight_hh": np.hstack([gates, new]), "bias_ih": b, "bias_hh": own}
        for name, value in values.items():
            layer.parameters[f"{name}{end}"] = in_rows(value, H).astype(x.dtype)
    return layer(x)[0]


def words(text, network):
    """The text in words: the likeliest tags by its CRF, whose first rows are where a text begins and ends."""
    known = {character: int(number) for number, character in dictionary("word.dic").items()}
    x = tensor("word_emb", 128)[[known.get(character, known["OOV"]) for character in text]][:, None]
    scores = network(x)[:, 0] @ tensor("fc_4.w_0", 57) + tensor("fc_4.b_0", 57)
    first, last, *between = tensor("crfw", 57)
    best, back = first + scores[0], []
    for of_step in scores[1:]:
        every = best[:, None] + np.stack(between)
        back.append(every.argmax(0))
        best = every.max(0) + of_step
    tags = [int((best + last).argmax())]
    for pointer in back[::-1]:
        tags.append(int(pointer[tags[-1]]))
    names, found = dictionary("tag.dic"), []
    for character, tag in zip(text, tags[::-1], strict=True):
        if names[str(tag)].endswith("-I") and found:
            found[-1] += character
        else:
            found.append(character)
    return found


@with_jieba
def test_its_layers():
    embedding = tensor("word_emb", 128)
    x = embedding[np.random.default_rng(0).integers(0, len(embedding), (40, 4))]
    held("jieba", runtime, ours, x)


@with_jieba
@pytest.mark.parametrize(
    "text", ["我 来到 北京清华大学", "乒乓球 拍卖 完 了", "中国科学技术大学", "他 是 中国 人"]
)
def test_its_words(text):
    assert words(text.replace(" ", ""), ours) == text.split() == words(text.replace(" ", ""), runtime)
