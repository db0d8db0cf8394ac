#!/usr/bin/env python3
"""Sign, pack, notarize and staple the macOS application that ``installers/build.py`` has made.

    python installers/macos/package.py --app dist/Consilium.app [--output dist] [--dry-run]

The environment names who signs; without it nothing is signed, and the script says so:

    CONSILIUM_SIGN_IDENTITY       "Developer ID Application: …" in the keychain
    CONSILIUM_SIGN_INSTALLER      "Developer ID Installer: …", for the package that MDM rolls out
    CONSILIUM_NOTARY_PROFILE      what ``xcrun notarytool store-credentials`` has kept in the keychain

``--dry-run`` prints every command in order, on any system, and runs none.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path[:0] = [str(CHECKOUT), str(HERE)]

from info import IDENTIFIER, entitlements, written  # noqa: E402
from inside_out import to_sign  # noqa: E402

IDENTITY, INSTALLER, NOTARY = "CONSILIUM_SIGN_IDENTITY", "CONSILIUM_SIGN_INSTALLER", "CONSILIUM_NOTARY_PROFILE"
Run = Callable[[Sequence[str]], None]


def main(arguments: list[str] | None = None) -> int:
    """Make the disk image and the package, and return the exit code."""
    from app import __version__  # noqa: PLC0415 - after the path

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args(arguments)
    if not (options.app / "Contents/MacOS/consilium").is_file():
        sys.exit(f"{options.app} is no Consilium.app: Contents/MacOS/consilium must be in it")
    if sys.platform != "darwin" and not options.dry_run:
        sys.exit("this needs macOS with Xcode's command line tools; --dry-run prints what it would do")
    with tempfile.TemporaryDirectory(prefix="consilium-macos-") as work:
        allowed = Path(work, "entitlements.plist")
        allowed.write_bytes(written(entitlements()))
        run = _show if options.dry_run else _run
        if os.environ.get(IDENTITY):
            _sign(options.app, allowed, run)
        else:
            print(f"NOT SIGNED: {IDENTITY} is not set. For trials on this Mac only.")
        _pack(options.app, options.output, __version__, run)
    return 0


def _sign(app: Path, allowed: Path, run: Run) -> None:
    for each in to_sign(app):
        command = ["codesign", "--force", "--options", "runtime", "--timestamp", "--sign", os.environ[IDENTITY]]
        if each == app:
            command += ["--entitlements", str(allowed)]
        run([*command, str(each)])
    run(["codesign", "--verify", "--deep", "--strict", "--verbose=2", str(app)])


def _pack(app: Path, output: Path, version: str, run: Run) -> None:
    image, package = output / f"Consilium-{version}.dmg", output / f"Consilium-{version}.pkg"
    run(["hdiutil", "create", "-volname", "Consilium", "-srcfolder", str(app), "-fs", "HFS+", "-format", "UDZO",
         "-ov", str(image)])  # fmt: skip
    command = ["pkgbuild", "--component", str(app), "--install-location", "/Applications", "--identifier", IDENTIFIER]
    signed = ["--sign", os.environ[INSTALLER], "--timestamp"] if os.environ.get(INSTALLER) else []
    run([*command, "--version", version, *signed, str(package)])
    if os.environ.get(IDENTITY):
        run(["codesign", "--timestamp", "--sign", os.environ[IDENTITY], str(image)])
    if not os.environ.get(NOTARY):
        print(f"NOT NOTARIZED: {NOTARY} is not set. macOS will refuse it on other computers.")
        return
    for each in (image, package) if signed else (image,):
        run(["xcrun", "notarytool", "submit", str(each), "--keychain-profile", os.environ[NOTARY], "--wait"])
        run(["xcrun", "stapler", "staple", str(each)])
    run(["spctl", "--assess", "--type", "open", "--context", "context:primary-signature", "--verbose", str(image)])


def _show(command: Sequence[str]) -> None:
    print(shlex.join(command))


def _run(command: Sequence[str]) -> None:
    _show(command)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
