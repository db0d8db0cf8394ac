"""sqlite-utils, imported without pandas.

Where pandas is installed (here for the demo's data), sqlite-utils imports it only to recognise DataFrames, which we
never
hand it; that took 1.5 of the 2.5 seconds in which a command opens a profile. A ``None`` in ``sys.modules`` is Python's
own way to say that a module is not to be had.
"""

from __future__ import annotations

import sys

_PANDAS = "pandas"
_hidden = _PANDAS not in sys.modules
if _hidden:
    sys.modules[_PANDAS] = None  # type: ignore[assignment]  # documented, but typeshed does not know it
try:
    from sqlite_utils import Database, Migrations
finally:
    if _hidden:
        del sys.modules[_PANDAS]

__all__ = ["Database", "Migrations"]
