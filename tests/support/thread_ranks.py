"""A communicator between threads of one process, so that tests of `fit` on several ranks are quick."""

import copy
import threading

import numpy as np


class Meeting:
    def __init__(self, size):
        self.slots, self.barrier = [None] * size, threading.Barrier(size, timeout=60)


class ThreadRank:
    def __init__(self, meeting, rank):
        self.rank, self.size, self._meeting = rank, len(meeting.slots), meeting

    def _all(self, value):
        meeting = self._meeting
        meeting.slots[self.rank] = value
        meeting.barrier.wait()
        values = list(meeting.slots)
        meeting.barrier.wait()
        return values

    def sum(self, array):
        array[:] = np.sum(self._all(array.copy()), axis=0)

    def broadcast(self, value, root=0):
        return copy.deepcopy(self._all(value)[root])


def on_ranks(size, work):
    """`work(communicator)` on each rank, at the same time: what they return, or the exceptions that they raise."""
    meeting, results = Meeting(size), [None] * size

    def one(rank):
        try:
            results[rank] = work(ThreadRank(meeting, rank))
        except BaseException as error:
            results[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
