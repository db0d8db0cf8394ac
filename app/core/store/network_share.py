"""Recognise directories on network shares: SQLite's write-ahead log needs shared memory and cannot live there.

See https://sqlite.org/wal.html ("WAL does not work over a network filesystem").
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path, PurePath, PurePosixPath

from app.core.errors import EnvironmentProblem

_NETWORK_TYPES = frozenset(
    {"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "webdav"}
)
_LOCAL_FUSE = frozenset(
    {"bindfs", "cryfs", "encfs", "exfat", "exfat-fuse", "fuse-overlayfs", "gocryptfs", "mergerfs", "ntfs", "ntfs-3g"}
    | {"securefs", "veracrypt", "zfs"}
)
_MOUNT_LINE = re.compile(r"^.* on (?P<point>/.*) \((?P<options>[^()]*)\)$")
_DRIVE_REMOTE = 4


def refuse_network_share(directory: Path) -> None:
    """Raise EnvironmentProblem ``profile.network_share`` if ``directory`` (which may not exist yet) is on one.

    A machine that does not tell where its directories lie is given the benefit of the doubt.
    """
    place = Path(os.path.realpath(directory))
    if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
        system = _windows_share(place)
    elif sys.platform == "darwin":  # pragma: no cover - exercised on macOS only
        listing = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False)  # noqa: S603 - constant
        system = share_in_mount_output(listing.stdout, place)
    else:
        try:
            table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return
        system = share_in_mountinfo(table, place)
    if system is not None:
        raise EnvironmentProblem("profile.network_share", path=str(directory), system=system)


def share_in_mountinfo(table: str, place: PurePath) -> str | None:
    """Return the type of the network file system that holds ``place``, by Linux's table of mounts, or None.

    ``table`` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    """
    found: tuple[int, str] = (-1, "")
    for line in table.splitlines():
        front, separator, back = line.partition(" - ")
        fields = front.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = PurePosixPath(_unescape(fields[4]))
        if place.is_relative_to(point) and len(point.parts) >= found[0]:  # the last mount on a point is the one seen
            found = (len(point.parts), back.split(" ")[0])
    return found[1] if _is_network(found[1]) else None


def share_in_mount_output(listing: str, place: PurePath) -> str | None:
    """Return the type of the network file system that holds ``place``, by the output of macOS's ``mount``, or None.

    macOS marks what is on this computer with the option ``local``.
    """
    found: tuple[int, list[str]] = (-1, ["", "local"])
    for line in listing.splitlines():
        match = _MOUNT_LINE.match(line)
        if match is None:
            continue
        point = PurePosixPath(match["point"])
        if place.is_relative_to(point) and len(point.parts) >= found[0]:
            found = (len(point.parts), [option.strip() for option in match["options"].split(",")])
    system, *options = found[1]
    return None if "local" in options else system


def _is_network(system: str) -> bool:
    if system in _NETWORK_TYPES:
        return True
    # a fuse file system says its kind after the dot; without it, or with an unknown one, it may be anywhere
    return system == "fuse" or (system.startswith("fuse.") and system[len("fuse.") :] not in _LOCAL_FUSE)


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import ctypes

    def _windows_share(place: Path) -> str | None:
        if place.drive.startswith("\\\\"):
            return "UNC"
        return "network drive" if ctypes.windll.kernel32.GetDriveTypeW(place.anchor) == _DRIVE_REMOTE else None
