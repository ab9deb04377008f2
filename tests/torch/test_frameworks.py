"""Frameworks that wrap recurrent modules, unchanged but for `accelerate`. Those that are not installed are skipped."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import elman.torch as et


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


def data():
    x = torch.randn(16, 6, 3, generator=torch.Generator().manual_seed(0))
    return x, (x.sum((1, 2)) > 0).long()


def both(train):
    """What `train` makes of the same model as torch's and accelerated."""
    results = []
    for change in (lambda model: model, et.accelerate):
        torch.manual_seed(0)
        np.random.seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the frameworks' own
            results.append(train(change(Classifier())))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    return results


@pytest.mark.slow
def test_lightning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning = pytest.importorskip("pytorch_lightning")

    class Task(lightning.LightningModule):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def training_step(self, batch, _):
            x, y = batch
            return nn.functional.cross_entropy(self.model(x), y)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.01)

    def train(model):
        task = Task(model)
        trainer = lightning.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, default_root_dir=tmp_path, gradient_clip_val=1.0,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(task, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data()), 8))
        trainer.save_checkpoint(tmp_path / "task.ckpt")
        saved = torch.load(tmp_path / "task.ckpt", weights_only=True)["state_dict"]
        assert all(torch.equal(saved[name], p) for name, p in task.state_dict().items())
        return [p.detach().numpy() for p in model.parameters()]

    both(train)


@pytest.mark.slow
def test_skorch(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        skorch = pytest.importorskip("skorch")

    def train(model):
        x, y = (part.numpy() for part in data())
        net = skorch.NeuralNetClassifier(
            model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01, max_epochs=2,
            train_split=None, verbose=0, warm_start=True,
        )  # fmt: skip
        net.fit(x, y)
        net.save_params(f_params=tmp_path / "net.pt")
        return [net.predict_proba(x), *(p.detach().numpy() for p in net.module_.parameters())]

    both(train)


def test_pytorch_geometric():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        aggregations = pytest.importorskip("torch_geometric.nn")
    x, index = torch.randn(7, 3), torch.tensor([0, 0, 1, 1, 1, 2, 2])
    for kind in (aggregations.LSTMAggregation, aggregations.GRUAggregation):
        theirs = kind(3, 8)
        want = theirs(x, index)
        want_grads = torch.autograd.grad(want.square().sum(), list(theirs.parameters()))
        ours = et.accelerate(theirs)
        assert et.report(ours)[0].fast
        got = ours(x, index)
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
        grads = torch.autograd.grad(got.square().sum(), list(ours.parameters()))
        torch.testing.assert_close(grads, want_grads, atol=1e-5, rtol=1e-5)
