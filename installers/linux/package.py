#!/usr/bin/env python3
"""Make the Linux packages of a built program: two Debian packages, two archives, their sums and signatures.

    python installers/linux/package.py --tree dist/consilium [--relay-tree dist/consilium-relay] [--output dist]

The trees are what ``installers/build.py`` and ``installers/relay/build.py`` leave. The Python that runs this can import
the program (the build's own environment can): the manual pages are the commands' help. Needs ``dpkg-deb``, ``xz`` and
``chrpath``, and ``gpg`` if the environment names a key (signing.py). The same trees and SOURCE_DATE_EPOCH (seconds; by
default the time of the checkout's last commit) give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
RELAY = CHECKOUT / "installers/relay"
sys.path[:0] = [str(CHECKOUT), str(RELAY)]

from manpage import manual_page  # noqa: E402
from signing import sign, write_sums  # noqa: E402
from tree import Tree  # noqa: E402

MAINTAINER = "Consilium <packages@consilium.invalid>"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# What the window takes from the system, as installers/bootstrap.py says; the second names are those of Debian 13 and
# Ubuntu 24.04. Everything else the program brings along.
LIBRARIES = (
    "libc6 (>= 2.34)", "libdbus-1-3", "libegl1", "libfontconfig1", "libfreetype6", "libgl1",
    "libgcc-s1", "libglib2.0-0 | libglib2.0-0t64", "libstdc++6 (>= 11)", "libwayland-client0", "libwayland-cursor0",
    "libwayland-egl1", "libx11-6",
    "libx11-xcb1", "libxcb1", "libxcb-cursor0", "libxcb-glx0", "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1",
    "libxcb-randr0", "libxcb-render0", "libxcb-render-util0", "libxcb-shape0", "libxcb-shm0", "libxcb-sync1",
    "libxcb-xfixes0", "libxcb-xkb1", "libxkbcommon0", "libxkbcommon-x11-0", "zlib1g",
)  # fmt: skip
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
FILES = (
    "FILES",
    "~/.local/share/consilium/profiles: the sites of this account, one folder each.\n\n"
    "~/.local/state/consilium/log: what went wrong with commands that use no site.\n\n"
    "/etc/consilium/managed.toml: what the computer's administrators have fixed.",
)
ENVIRONMENT = (
    "ENVIRONMENT",
    "CONSILIUM_PASSPHRASE_FILE: a file with the passphrase of a site that keeps its keys in a file.\n\n"
    "CREDENTIALS_DIRECTORY: set by systemd for a service; the credential consilium-passphrase in it serves when "
    "CONSILIUM_PASSPHRASE_FILE is not set.\n\nCONSILIUM_LANGUAGE: en, de or fr.",
)
CODES = ("EXIT STATUS", "0 done, 1 refused or failed, 2 wrong usage, 3 sent and still waiting, 130 interrupted.")
RELAY_FILES = (
    "FILES",
    "/etc/default/consilium-relay: address, port and names of the service.\n\n"
    "/var/lib/consilium-relay: everything the relay keeps, relay.toml with its settings among it.",
)
RELAY_USE = (
    "AS A SERVICE",
    "Commands on the service's folder are for its account: runuser -u consilium-relay -- consilium-relay code new "
    "--data /var/lib/consilium-relay",
)


def application(tree: Path, output: Path, version: str, epoch: int, *, compressed: bool = True) -> Path:
    """Return the package ``consilium``: window, commands, agent."""
    from app.cli.main import commands  # noqa: PLC0415 - only here the program itself is needed

    with tempfile.TemporaryDirectory(prefix="consilium-deb-") as place:
        root = Tree(Path(place, "root"), compressed=compressed)
        root.copy_program(tree, "usr/lib/consilium")
        root.link("usr/bin/consilium", "../lib/consilium/consilium")
        own = HERE / "consilium"
        root.copy(own / "consilium.desktop", "usr/share/applications/consilium.desktop")
        root.copy(own / "consilium.xml", "usr/share/mime/packages/consilium.xml")
        root.copy(own / "consilium-agent.service", "usr/lib/systemd/user/consilium-agent.service")
        root.copy(own / "consilium-agent@.service", "lib/systemd/system/consilium-agent@.service")
        root.copy(CHECKOUT / "resources/icons/logo.svg", "usr/share/icons/hicolor/scalable/apps/consilium.svg")
        for size in ICON_SIZES:
            root.put(f"usr/share/icons/hicolor/{size}x{size}/apps/consilium.png", _picture(size))
        _documents(root, "consilium", own, version, epoch)
        licences = next(
            (
                each
                for each in (tree / "_internal/licences", tree / "licences", tree / "_internal/resources/licences")
                if each.is_dir()
            ),
            None,
        )
        if licences is not None:
            root.link("usr/share/doc/consilium/licences", f"../../../lib/consilium/{licences.relative_to(tree)}")
        _manual(root, commands, "consilium", version, epoch, "encrypted questions across hospitals",
                (FILES, ENVIRONMENT, CODES))  # fmt: skip
        control = _control("consilium", version, LIBRARIES, "encrypted questions across hospitals", (
            "Hospitals ask questions together on patient data that stays encrypted all the",
            "way. Only the combined result is decrypted, by all of them together.",
            "For research use only.",
        ), section="science", recommends="gnome-keyring | libsecret-daemon, xdg-utils")  # fmt: skip
        return root.deb(control, {}, output, epoch)


def relay(tree: Path, output: Path, version: str, epoch: int, *, compressed: bool = True) -> Path:
    """Return the package ``consilium-relay``: the server, its service and samples for what stands in front of it."""
    import consilium_relay  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="consilium-deb-") as place:
        root = Tree(Path(place, "root"), compressed=compressed)
        root.copy_program(tree, "usr/lib/consilium-relay")
        root.link("usr/bin/consilium-relay", "../lib/consilium-relay/consilium-relay")
        root.copy(RELAY / "consilium-relay.service", "lib/systemd/system/consilium-relay.service")
        root.copy(RELAY / "debian/default", "etc/default/consilium-relay")
        for name in ("nginx.conf", "Caddyfile", "Containerfile", "relay.toml"):
            root.copy(RELAY / name, f"usr/share/doc/consilium-relay/examples/{name}")
        root.copy(CHECKOUT / "app/relay/PROTOCOL.md", "usr/share/doc/consilium-relay/PROTOCOL.md")
        _documents(root, "consilium-relay", RELAY / "debian", version, epoch)
        about = "carries sealed messages between hospitals"
        notes = (RELAY_FILES, RELAY_USE, CODES)
        _manual(root, consilium_relay.relay, "consilium-relay", version, epoch, about, notes)
        libraries = ("libc6 (>= 2.34)", "libgcc-s1", "libstdc++6 (>= 11)", "zlib1g")
        needed = (*libraries, "adduser", "init-system-helpers (>= 1.52)")
        control = _control("consilium-relay", version, needed, about, (
            "The mailbox of a Consilium federation: hospitals connect to it from inside,",
            "it keeps what is for each of them until that one has fetched it, and it can",
            "read none of it.",
        ), section="net")  # fmt: skip
        scripts = {name: (RELAY / "debian" / name).read_text() for name in ("postinst", "prerm", "postrm")}
        return root.deb(control, scripts, output, epoch)


def archive(tree: Path, output: Path, name: str, version: str, epoch: int, more: Iterable[Path] = ()) -> Path:
    """Return ``NAME-VERSION-linux-MACHINE.tar.xz``: the program for systems without dpkg, in one folder."""
    folder = f"{name}-{version}-linux-{platform.machine()}"
    target = output / f"{folder}.tar.xz"

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "root", "root"
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with open(target, "wb") as file:
        packing = subprocess.Popen(["xz", "-4", "--threads=2", "--stdout"], stdin=subprocess.PIPE, stdout=file)
        assert packing.stdin is not None  # noqa: S101 - asked for
        with tarfile.open(fileobj=packing.stdin, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(tree.rglob("*")):
                tar.add(path, f"{folder}/{path.relative_to(tree)}", recursive=False, filter=plain)
            for path in more:
                tar.add(path, f"{folder}/share/{path.name}", recursive=False, filter=plain)
        packing.stdin.close()
        if packing.wait():
            sys.exit("xz failed")
    return target


def _documents(root: Tree, package: str, own: Path, version: str, epoch: int) -> None:
    place = f"usr/share/doc/{package}"
    root.copy(own / "copyright", f"{place}/copyright")
    date = formatdate(epoch, localtime=False)
    entry = f"{package} ({version}) unstable; urgency=medium\n\n  * Version {version.partition('-')[0]}.\n\n"
    root.put_zipped(f"{place}/changelog.Debian.gz", f"{entry} -- {MAINTAINER}  {date}\n")
    root.copy(own / "lintian-overrides", f"usr/share/lintian/overrides/{package}")


def _manual(
    root: Tree, commands: Any, name: str, version: str, epoch: int, about: str, notes: tuple[tuple[str, str], ...]
) -> None:
    import typer  # noqa: PLC0415 - as above

    page = manual_page(
        typer.main.get_command(commands), name, version.partition("-")[0], epoch, about=about, notes=notes
    )
    root.put_zipped(f"usr/share/man/man1/{name}.1.gz", page)


def _control(
    package: str, version: str, needs: tuple[str, ...], about: str, words: tuple[str, ...], *, section: str,
    recommends: str = "",
) -> dict[str, str]:  # fmt: skip
    fields = {
        "Package": package,
        "Version": version,
        "Architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "Maintainer": MAINTAINER,
        "Section": section,
        "Priority": "optional",
        "Depends": ", ".join(needs),
        "Description": "\n ".join((about, *words)),
    }
    return {**fields, "Recommends": recommends} if recommends else fields


def _picture(size: int) -> bytes:
    """Return the sign of the program as PNG, ``size`` pixels wide."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice  # noqa: PLC0415
    from PySide6.QtGui import QImage, QPainter  # noqa: PLC0415
    from PySide6.QtSvg import QSvgRenderer  # noqa: PLC0415

    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(CHECKOUT / "resources/icons/logo.svg")).render(painter)
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def _epoch() -> int:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    asked = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return int(asked.stdout or time.time())


def main() -> None:
    """Make what the options name."""
    from app import __version__  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="package.py", description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, metavar="DIR", help="the built program")
    parser.add_argument("--relay-tree", type=Path, metavar="DIR", help="the built relay")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist", metavar="DIR")
    parser.add_argument("--version", default=f"{__version__}-1", help="as Debian writes it")
    parser.add_argument("--no-archives", action="store_true", help="Debian packages only")
    parser.add_argument("--uncompressed", action="store_true", help="for trials: packages in a tenth of the time")
    options = parser.parse_args()
    if options.tree is None and options.relay_tree is None:
        parser.error("give --tree, --relay-tree or both")
    epoch, upstream = _epoch(), options.version.partition("-")[0]
    options.output.mkdir(parents=True, exist_ok=True)
    made = []
    if options.tree is not None:
        compressed = not options.uncompressed
        made.append(application(options.tree, options.output, options.version, epoch, compressed=compressed))
        if not options.no_archives:
            own = HERE / "consilium"
            extras = [*sorted(own.glob("consilium*")), CHECKOUT / "resources/icons/logo.svg", HERE / "README.tarball"]
            made.append(archive(options.tree, options.output, "consilium", upstream, epoch, extras))
    if options.relay_tree is not None:
        compressed = not options.uncompressed
        made.append(relay(options.relay_tree, options.output, options.version, epoch, compressed=compressed))
        if not options.no_archives:
            extras = [RELAY / each for each in ("consilium-relay.service", "nginx.conf", "Caddyfile", "relay.toml")]
            made.append(archive(options.relay_tree, options.output, "consilium-relay", upstream, epoch, extras))
    sums = write_sums(options.output, made)
    signed = sign([*made, sums])
    for path in (*made, sums, *signed):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB" if path in made else path)
    if not signed:
        print("Not signed: the environment names no key (installers/linux/signing.py).")


if __name__ == "__main__":
    main()
