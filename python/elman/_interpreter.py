"""Refuses sub-interpreters (those of mod_wsgi, say) where importing the extension would never return."""

import sys

# From 3.12 on the import itself refuses. Before, it waits for the interpreter's lock, which its own thread holds.
if sys.version_info < (3, 12):
    try:
        import _xxsubinterpreters as _interpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:  # built without them
        pass
    else:
        if _interpreters.get_current() != _interpreters.get_main():
            raise ImportError(
                "elman: expected the main interpreter, got a sub-interpreter (for mod_wsgi set "
                "WSGIApplicationGroup %{GLOBAL})"
            )
