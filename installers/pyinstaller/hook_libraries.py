"""Runs first in the built program: programs of the system that it starts shall use the system's libraries.

PyInstaller's starter names the program's own folder in LD_LIBRARY_PATH. The loader has read that by now; left where it
is, an editor or a browser started from here would be given our libraries in place of its own.
"""

import os

_before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
if _before is not None:
    os.environ["LD_LIBRARY_PATH"] = _before
else:
    os.environ.pop("LD_LIBRARY_PATH", None)
