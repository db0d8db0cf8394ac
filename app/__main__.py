"""The one way in: ``consilium …`` and ``python -m app …``."""

from __future__ import annotations

import multiprocessing
import sys


def main() -> None:
    """Run the command that the process was started with, and leave with its exit code."""
    multiprocessing.freeze_support()  # a bundled program starts its workers through this same file
    from app.cli.main import main as run  # noqa: PLC0415  (a worker process must not load the commands)

    sys.exit(run())


if __name__ == "__main__":
    main()
