"""Functions that run in threads at the same time."""

import threading


def at_once(*works):
    """Each of these functions in a thread of its own, all begun at the same time; what they raise is raised."""
    begin, errors = threading.Barrier(len(works)), []

    def one(work):
        begin.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
