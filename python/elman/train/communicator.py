"""What passes numbers between the processes of a run: MPI (mpi4py), or a process group of torch.distributed."""

from __future__ import annotations

import time
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import _check


@runtime_checkable
class Communicator(Protocol):
    """Some processes, each of which calls the same methods in the same order.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
    """

    rank: int
    size: int

    def sum(self, array: np.ndarray) -> None:
        """Replace each element by its sum over all processes, the same bits in each.

        Args:
            array: [n] float32 or float64, written in place.

        Raises:
            Exception: a process has gone, or has not answered in time.
        """

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """Pass a value on to all processes.

        Args:
            value: any object that can be pickled; only that of `root` counts.
            root: the rank of the process that has it.

        Returns:
            The value of that process, in all of them.
        """


class Mpi:
    """The processes of a communicator of mpi4py.

    Args:
        comm: the object that mpi4py has, such as MPI.COMM_WORLD.
        timeout: seconds to wait for the others in one sum. `mpiexec` ends all of them when one dies; this is for one
            that hangs.

    Raises:
        ValueError: timeout is not above 0.
    """

    def __init__(self, comm: Any, timeout: float = 600.0):
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._comm, self._timeout = comm, _check.positive("timeout", timeout)
        self._left: list[Any] = []  # calls that were given up, with the arrays that MPI may still write to

    def sum(self, array: np.ndarray) -> None:
        """As `Communicator.sum` says.

        Args:
            array: [n] float32 or float64, written in place.

        Raises:
            TimeoutError: a process has not answered.
        """
        from mpi4py import MPI  # it is there: it made the communicator

        # Not the call that blocks: nothing could end its wait for a process that hangs.
        request = self._comm.Iallreduce(MPI.IN_PLACE, array, op=MPI.SUM)
        begin = time.monotonic()
        try:
            while not request.Test():
                waited = time.monotonic() - begin
                if waited > self._timeout:
                    raise TimeoutError(f"no answer from another process in {self._timeout:g} s")
                if waited > 0.002:  # the others may need this processor
                    time.sleep(50e-6)
        except BaseException:
            self._left.append((request, array))
            raise

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """As `Communicator.broadcast` says.

        Args:
            value: any object that can be pickled; only that of `root` counts.
            root: the rank of the process that has it.

        Returns:
            The value of that process.
        """
        return self._comm.bcast(value, root)


class ProcessGroup:
    """The processes of a group of torch.distributed whose backend passes arrays in main memory (gloo, mpi). How long a
    call waits for the others is the group's own `timeout`.

    Args:
        group: the object that torch has, such as torch.distributed.group.WORLD.
    """

    def __init__(self, group: Any):
        from torch import distributed  # it is there: it made the group

        self.rank, self.size = distributed.get_rank(group), distributed.get_world_size(group)
        self._group, self._distributed = group, distributed

    def sum(self, array: np.ndarray) -> None:
        """As `Communicator.sum` says.

        Args:
            array: [n] float32 or float64, written in place.

        Raises:
            RuntimeError: a process has gone, or has not answered in time.
        """
        import torch

        self._distributed.all_reduce(torch.from_numpy(array), group=self._group)

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """As `Communicator.broadcast` says.

        Args:
            value: any object that can be pickled; only that of `root` counts.
            root: the rank of the process that has it.

        Returns:
            The value of that process.
        """
        held = [value]
        source = self._distributed.get_global_rank(self._group, root)
        self._distributed.broadcast_object_list(held, src=source, group=self._group)
        return held[0]


def as_communicator(communicator: Any) -> Communicator | None:
    """`communicator` itself, or what passes numbers through it."""
    if communicator is None:
        return None
    library = next((c.__module__.partition(".")[0] for c in type(communicator).__mro__[:-1]), "")
    if library == "mpi4py":
        return Mpi(communicator)
    if library == "torch" and hasattr(communicator, "allreduce"):
        return ProcessGroup(communicator)
    if isinstance(communicator, type) or not isinstance(communicator, Communicator):
        raise ValueError(
            "communicator: expected mpi4py's MPI.COMM_WORLD, a group of torch.distributed or a Communicator, "
            f"got {_check.describe(communicator)}"
        )
    return communicator
