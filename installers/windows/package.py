#!/usr/bin/env python3
"""Make the Windows installers of a built program, and sign what nobody has signed.

    python installers/windows/package.py --tree dist/consilium [--output dist]

The tree is what ``installers/build.py`` leaves on Windows. Needs ``makensis`` (NSIS 3) and ``wixl`` (msitools; both run
on Linux and in WSL), and ``osslsigncode`` or ``signtool`` if the environment names a key (signing.py). The same tree
and SOURCE_DATE_EPOCH (seconds; by default the time of the last commit) give the same files in both; an MSI differs in
its stamp of the hour it was made, and signatures differ in theirs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path[:0] = [str(CHECKOUT), str(HERE)]

import msi  # noqa: E402
import nsis  # noqa: E402
import signing  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Make both installers and return the exit code."""
    from app import __version__  # noqa: PLC0415 - after the path

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, required=True, help="the built program")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist", help="where the installers go")
    parser.add_argument("--version", default=__version__, help="the program's, unless for a test")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        if signing.wanted():
            signing.sign(found := signing.unsigned(options.tree))
            print(f"signed {len(found)} programs and libraries")
        made = [
            nsis.installer(options.tree, options.output, options.version),
            msi.package(options.tree, options.output, options.version, _epoch()),
        ]
        if signing.wanted():
            signing.sign(made)
        else:
            print("NOT SIGNED: the environment names no key (installers/windows/signing.py). For trials only.")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is needed and is not there")
    except ValueError as error:
        sys.exit(str(error))
    for path in made:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _epoch() -> int:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
