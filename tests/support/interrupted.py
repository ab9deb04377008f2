"""An exception of a signal handler, at every place of some files where Python lets one run."""

import dis
import sys


class InterruptedAnywhereError(Exception):
    pass


def interrupted(call, number, files):
    """`call()`, with an exception at the place of this number in these files; whether there was one."""
    left, looked = number, set()

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "call":
            looked.add(frame)
        if event == "opcode":
            if frame in looked:  # CPython looks for signals after these
                left -= 1
                if left == -1:
                    raise InterruptedAnywhereError
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD", "JUMP_ABSOLUTE")):
                looked.add(frame)
            else:
                looked.discard(frame)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except InterruptedAnywhereError:
        pass
    finally:
        sys.settrace(before)
    return left < 0
