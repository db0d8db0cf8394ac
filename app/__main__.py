"""The one way in: ``consilium …`` and ``python -m app …``.

Without a command, or with ``open``, it is the window; everything else is a command.
"""

from __future__ import annotations

import multiprocessing
import sys


def main() -> None:
    """Open the window or run the command that the process was started with, and leave with its exit code."""
    multiprocessing.freeze_support()  # a bundled program starts its workers through this same file
    arguments = sys.argv[1:]
    if arguments[:1] == ["--self-test"]:  # what installation scripts expect
        sys.argv[1] = "self-test"
    elif arguments[:2] == ["open", "--self-test"]:
        from app.ui.self_test import main as try_window  # noqa: PLC0415  (as below)

        sys.exit(try_window())
    elif not arguments or arguments[0] == "open":
        from app.ui.application import main as show  # noqa: PLC0415  (a command must not load Qt)

        sys.exit(show(arguments[1:]))
    from app.cli.main import main as run  # noqa: PLC0415  (a worker process must not load the commands)

    sys.exit(run())


if __name__ == "__main__":
    main()
