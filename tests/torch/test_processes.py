"""elman.torch's threads, beside torch's own, in forked workers and in distributed training."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

import elman
import elman.torch as et

pytestmark = pytest.mark.slow


def test_threads_are_torchs():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        et.LSTM(3, 4)(torch.randn(5, 2, 3))
        assert elman.num_threads() == 1
    finally:
        torch.set_num_threads(before)


def python(code, **environment):
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300,
        env=os.environ | environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_one_pool_of_threads():
    """Calls large enough for all threads start none beside torch's own, and there is one OpenMP."""
    python("""
        import os, torch, elman.torch as et
        assert et.threads.borrow()
        torch.set_num_threads(2)
        a = torch.randn(500, 500)
        (a @ a).sum(), (a + a).exp().sum()
        before = len(os.listdir("/proc/self/task"))
        layer = et.LSTM(64, 128)
        layer(torch.randn(100, 32, 64))[0].sum().backward()
        assert len(os.listdir("/proc/self/task")) == before, (before, os.listdir("/proc/self/task"))
        names = {line.split("/")[-1].strip() for line in open("/proc/self/maps") if "omp" in line and ".so" in line}
        assert len(names) == 1, names
    """)


def test_fewer_threads_than_wanted():
    """Where OpenMP gives fewer threads than a call wants, whose parts may wait for each other, the call has its own."""
    code = """
        import torch, elman.torch as et
        torch.manual_seed(0)
        torch.set_num_threads(2)
        layer = et.LSTM(64, 256)
        y, _ = layer(torch.randn(50, 1, 64))
        print(y.double().sum().item())
    """
    assert python(code, OMP_THREAD_LIMIT="1") == python(code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_worker_computes_and_a_data_loader_works():
    python("""
        import torch, elman.torch as et
        layer = et.LSTM(64, 128)
        x = torch.randn(100, 32, 64)
        with torch.no_grad():
            want, _ = layer(x)
        class Features(torch.utils.data.Dataset):
            def __len__(self): return 4
            def __getitem__(self, n):
                with torch.no_grad():
                    return layer(x)[0]
        for batch in torch.utils.data.DataLoader(Features(), 2, num_workers=2, multiprocessing_context="fork"):
            assert all(torch.equal(y, want) for y in batch)
    """)


def test_distributed_data_parallel_gives_the_joined_batchs_gradients(tmp_path):
    """Two processes on gloo, each with half of the batch."""
    script = tmp_path / "ddp.py"
    script.write_text(
        textwrap.dedent("""
        import os, sys, torch, torch.distributed as dist, elman.torch as et
        rank, path = int(sys.argv[1]), sys.argv[2]
        dist.init_process_group("gloo", init_method=f"file://{path}/meet", rank=rank, world_size=2)
        torch.manual_seed(0)
        model = et.accelerate(torch.nn.LSTM(3, 8, 2, bidirectional=True, dtype=torch.float64))
        x = torch.randn(5, 6, 3, dtype=torch.float64)
        spread = torch.nn.parallel.DistributedDataParallel(model)
        spread(x[:, 3 * rank : 3 * rank + 3])[0].square().mean().backward()
        got = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        model(x)[0].square().mean().backward()
        assert all(torch.allclose(a, p.grad) for a, p in zip(got, model.parameters()))
        dist.destroy_process_group()
        # Else gloo's thread may ask for the interpreter while that ends, and abort: PyTorch's own race, seen in 1 of
        # 28 processes of plain PyTorch with torch._dynamo imported.
        sys.stdout.flush(), sys.stderr.flush(), os._exit(0)
    """)
    )
    runs = [
        subprocess.Popen([sys.executable, script, str(rank), tmp_path], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors


def test_the_storage_of_weights_can_be_resized():
    """As FSDP frees them between layers. NumPy's view would fix the size."""
    for layer in (et.GRU(3, 5), et.LSTM(3, 5, proj_size=2), et.RNNCell(3, 5)):
        y = layer(torch.randn(4, 3))
        (y if isinstance(y, torch.Tensor) else y[0]).sum().backward()
        assert all(p.untyped_storage().resizable() for p in layer.parameters())
        next(layer.parameters()).untyped_storage().resize_(0)
        with pytest.raises(RuntimeError, match="weights: expected memory"):
            layer(torch.randn(4, 3))


def test_fully_shard_gives_the_same_training(tmp_path):
    pytest.importorskip("torch.distributed.fsdp", reason="no FSDP")
    if not hasattr(torch.distributed.fsdp, "fully_shard"):
        pytest.skip("PyTorch without fully_shard")
    python(f"""
        import os, torch, torch.distributed as dist, elman.torch as et
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
        dist.init_process_group("gloo", init_method="file://{tmp_path}/meet", rank=0, world_size=1)
        mesh, x = init_device_mesh("cpu", (1,)), torch.randn(4, 2, 3)
        def losses(shard):
            torch.manual_seed(0)
            layers = [et.LSTM(3, 5, 2), et.LSTM(5, 5, proj_size=2), et.GRU(2, 4)]
            if shard:
                layers = [fully_shard(layer, mesh=mesh) for layer in layers]
            optimiser = torch.optim.SGD([p for layer in layers for p in layer.parameters()], 0.1)
            for _ in range(3):
                y = x
                for layer in layers:
                    y, _ = layer(y)
                loss = y.square().sum()
                yield loss.item()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        got, want = list(losses(True)), list(losses(False))
        assert got == want and want[2] < want[0], (got, want)
        dist.destroy_process_group()
        os._exit(0)  # gloo's threads, as above
    """)
