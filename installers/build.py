#!/usr/bin/env python3
"""Build the program: a folder with everything it needs, tried out, listed, measured and packed.

    python installers/build.py [--output DIR] [--environment DIR]

Makes a virtual environment from nothing but the hashed lock ``installers/locks/build.txt``, lets PyInstaller put the
program together (``installers/pyinstaller``), adds the list of its parts and their licences, starts it and runs its
self-test, and leaves in DIR (by default ``dist``):

    consilium/                        the program: ``consilium``, and ``_internal`` with all the rest
    consilium-VERSION-linux-ARCH.tar.gz   the same, packed (Linux)
    build.json                        version, commit, time of the commit, Python, platform, size
    sbom.cdx.json                     what is in it (CycloneDX)

Two builds of one commit with one Python on one system give the same bytes: ``installers/compare.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
HERE = CHECKOUT / "installers"
sys.path[:0] = [str(HERE), str(HERE / "pyinstaller")]

import finish  # noqa: E402
import sbom  # noqa: E402

LOCK = HERE / "locks/build.txt"
SPEC = HERE / "pyinstaller/consilium.spec"
SYSTEM_PACKAGES = {"binutils": "strip"}
INSIDE = "CONSILIUM_BUILD_INSIDE"
"""Set for the second half of this script, which runs in the environment that the first half has made."""
NEEDED = ("program", "cryptography", "worker", "database", "translations", "window", "relay")
SELF_TEST_SECONDS = 240


def version() -> str:
    """Return the program's version."""
    found = re.search(r'^__version__ = "([^"]+)"', (CHECKOUT / "app/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        sys.exit("app/__init__.py says no version")
    return found[1]


def origin() -> tuple[str, int]:
    """Return the commit, marked if files differ from it, and its time in seconds (SOURCE_DATE_EPOCH where set)."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    asked = _git("log", "-1", "--format=%H %ct").split()
    if not asked:
        if given is None:
            sys.exit("This is no git checkout: set SOURCE_DATE_EPOCH to the time of the release, in seconds.")
        return "unknown", int(given)
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return asked[0] + ("-changed" if changed else ""), int(given or asked[1])


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=CHECKOUT, check=False, capture_output=True, text=True).stdout
    except OSError:
        return ""


def make_environment(place: Path) -> Path:
    """Make a new virtual environment with the locked packages, each checked by its hash; return its Python."""
    print(f"Making the environment {place}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*install, "--require-hashes", "--only-binary=:all:", "--requirement", str(LOCK)], check=True)
    return python


def bundle(output: Path, stamp: dict[str, Any], *, who_icd: bool) -> Path:
    """Let PyInstaller put the program together below ``output``; runs in the environment. Returns its folder."""
    tree = output / "consilium"
    shutil.rmtree(tree, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="consilium-build-") as place:
        work = Path(place)
        (work / "build.json").write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n")
        command = [
            sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "ERROR",
            "--distpath", str(output), "--workpath", str(work / "work"), str(SPEC),
        ]  # fmt: skip
        environment = {
            **os.environ,
            "CONSILIUM_BUILD_STAMP": str(work / "build.json"),
            "CONSILIUM_BUILD_WHO_ICD": "1" if who_icd else "0",
            "PYTHONHASHSEED": "0",  # the order of a set of texts reaches the archive
            "PYTHONNOUSERSITE": "1",
            "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
            "SOURCE_DATE_EPOCH": str(stamp["epoch"]),
        }
        print("Putting the program together (a minute or two)", flush=True)
        subprocess.run(command, check=True, env=environment, cwd=CHECKOUT)
        shipped = json.loads((work / "shipped.json").read_text())
    allowed = sbom.locked(HERE / "locks/run.txt")
    if strangers := [name for name in shipped["packages"] if name not in allowed]:
        sys.exit(f"Taken along, but not among what the program needs: {', '.join(strangers)}. Exclude them.")
    describe(tree, stamp, shipped)
    return tree


def describe(tree: Path, stamp: dict[str, Any], shipped: dict[str, Any]) -> None:
    """Put the list of parts and their licences into the program."""
    parts = [sbom.interpreter(), *map(sbom.python_part, shipped["packages"])]
    parts += sbom.system_parts((where, Path(source)) for where, source in shipped["libraries"])
    target = tree / "_internal/licences"
    sbom.write_licences(parts, target)
    for name in ("LICENSE", "resources/licences/vocabularies.md", "resources/licences/lung.md"):
        shutil.copyfile(CHECKOUT / name, target / Path(name).name)
    text = sbom.bill(parts, stamp["version"], stamp["commit"], stamp["epoch"])
    (tree / "_internal" / sbom.NAME).write_text(text, encoding="utf-8")


def self_test(tree: Path) -> dict[str, Any]:
    """Start the program as a person would who has nothing but it, and return what its self-test says.

    Ends the build if anything of NEEDED is not in order.
    """
    program = tree / ("consilium.exe" if os.name == "nt" else "consilium")
    with tempfile.TemporaryDirectory(prefix="consilium-home-") as home:
        plain = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "COMSPEC") if name in os.environ}
        plain |= {
            "PATH": os.defpath,
            "HOME": home,
            "USERPROFILE": home,
            "LC_ALL": "C.UTF-8",
            "CONSILIUM_LANGUAGE": "en",
        }
        told = subprocess.run(
            [str(program), "--self-test", "--json"], check=False, cwd=home, env=plain, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, encoding="utf-8", timeout=SELF_TEST_SECONDS,
        )  # fmt: skip
    try:
        found: dict[str, Any] = json.loads(told.stdout)
    except ValueError:
        sys.exit(f"The program does not start (exit code {told.returncode}):\n{told.stdout}\n{told.stderr}")
    passed = {check["name"] for check in found["checks"] if check["passed"]}
    for check in found["checks"]:
        print(f"  {check['name']}: {check['detail'] if check['passed'] else check['error']}")
    if missing := [name for name in NEEDED if name not in passed]:
        sys.exit(f"The self-test of the program failed: {', '.join(missing)}\n{told.stderr}")
    return found


def inside(options: argparse.Namespace) -> None:
    """Do what needs the environment: bundle, finish, try, pack."""
    output: Path = options.output
    commit, epoch = origin()
    stamp = {"name": "consilium", "version": version(), "commit": commit, "epoch": epoch}
    tree = bundle(output, stamp, who_icd=options.who_icd10)
    print(f"Stripped: {finish.strip(tree) / 1e6:.0f} MB less")
    if sys.platform == "linux":
        print(f"Asks for glibc {'.'.join(map(str, finish.fit_glibc(tree)))} or newer")
    finish.settle(tree, epoch)
    parts = finish.sizes(tree)
    print(finish.report(parts))
    size = sum(parts.values())
    if size > finish.LIMIT:
        sys.exit("The program has become too large.")
    print("Starting the program for its self-test")
    self_test(tree)
    shutil.copyfile(tree / "_internal" / sbom.NAME, output / sbom.NAME)
    about = {
        **stamp,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "size": size,
    }
    (output / "build.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
    print(tree)
    if sys.platform == "linux" and not options.no_archive:
        target = output / f"consilium-{stamp['version']}-linux-{platform.machine()}.tar.gz"
        finish.pack(tree, target, epoch)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def main() -> int:
    """Make the environment, then go on inside it."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist", metavar="DIR")
    parser.add_argument("--environment", type=Path, default=CHECKOUT / "build/environment", metavar="DIR")
    parser.add_argument("--no-archive", action="store_true", help="the folder only")
    parser.add_argument(
        "--who-icd10", action="store_true",
        help="take along WHO's ICD-10: only with WHO's consent (resources/licences/vocabularies.md)",
    )  # fmt: skip
    options = parser.parse_args()
    options.output, options.environment = options.output.resolve(), options.environment.resolve()
    os.umask(0o022)
    if os.environ.get(INSIDE) == "1":
        inside(options)
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    if sys.platform == "linux":
        import bootstrap  # noqa: PLC0415 - it says how to install what the system lacks

        library = f"libpython{sys.version_info[0]}.{sys.version_info[1]}"
        missing = {} if _has_own_library() else {library: f"{library}.so.1.0"}
        bootstrap.install_system_packages(bootstrap.SYSTEM_PACKAGES | SYSTEM_PACKAGES | missing)
    python = make_environment(options.environment)
    # -I -X utf8: nothing from the person's own folders and settings
    command = [str(python), "-I", "-X", "utf8", str(Path(__file__).resolve()), *sys.argv[1:]]
    return subprocess.run(command, check=False, env={**os.environ, INSIDE: "1"}).returncode


def _has_own_library() -> bool:
    """Tell whether this Python has its shared library in its own folder rather than in the system's."""
    return any(Path(sys.base_prefix, "lib").glob("libpython3*.so*"))


if __name__ == "__main__":
    sys.exit(main())
