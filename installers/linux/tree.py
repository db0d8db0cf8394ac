"""A package's files on their way: what goes where with which mode, the same from every checkout and at every hour."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

_TEXT, _PROGRAM, _DIRECTORY = 0o644, 0o755, 0o755


class Tree:
    """A folder that becomes the root of a package."""

    def __init__(self, root: Path, *, compressed: bool = True) -> None:
        self.root = root
        self.compressed = compressed
        root.mkdir()
        root.chmod(_DIRECTORY)  # whatever the umask of whoever builds

    def put(self, where: str, data: bytes | str, mode: int = _TEXT) -> None:
        """Write a file."""
        path = self._place(where)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)

    def put_zipped(self, where: str, text: str) -> None:
        """Write a file as ``gzip -9n`` would: what documentation is in Debian."""
        self.put(where, gzip.compress(text.encode(), 9, mtime=0))

    def copy(self, source: Path, where: str, mode: int = _TEXT) -> None:
        """Copy a file."""
        self.put(where, source.read_bytes(), mode)

    def copy_program(self, source: Path, where: str) -> None:
        """Copy a built program's folder with its links; only ELF programs and scripts that were so stay executable."""
        target = self._place(where)
        shutil.copytree(source, target, symlinks=True)
        for path in sorted(target.rglob("*")):
            if path.is_symlink():
                continue
            if path.is_dir():
                path.chmod(_DIRECTORY)
            else:
                library = ".so" in path.name
                path.chmod(_PROGRAM if path.stat().st_mode & 0o100 and not library else _TEXT)
                _forget_build_machine(path)
        target.chmod(_DIRECTORY)

    def link(self, where: str, to: str) -> None:
        """Make a symbolic link."""
        self._place(where).symlink_to(to)

    def kibibytes(self) -> int:
        """Return the installed size as Debian counts it: every file in whole KiB, one for everything else."""
        total = 0
        for path in self.root.rglob("*"):
            plain = path.is_file() and not path.is_symlink()
            total += -(-path.stat().st_size // 1024) if plain else 1
        return total

    def deb(self, control: dict[str, str], scripts: dict[str, str], output: Path, epoch: int) -> Path:
        """Close the folder as a Debian package; the same files and ``epoch`` (seconds) give the same bytes."""
        sums = []
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "md5").hexdigest()
                sums.append(f"{digest}  {path.relative_to(self.root)}\n")
        fields = {**control, "Installed-Size": str(self.kibibytes())}
        conffiles = sorted(f"/{each.relative_to(self.root)}" for each in self.root.glob("etc/**/*") if each.is_file())
        place = output / f"{control['Package']}_{control['Version']}_{control['Architecture']}.deb"
        self.put("DEBIAN/control", "".join(f"{name}: {value}\n" for name, value in fields.items()))
        self.put("DEBIAN/md5sums", "".join(sums))
        if conffiles:
            self.put("DEBIAN/conffiles", "".join(f"{each}\n" for each in conffiles))
        for name, script in scripts.items():
            self.put(f"DEBIAN/{name}", script, _PROGRAM)
        # the number of threads is part of what the bytes are: one alone compresses otherwise than many
        packing = ["-Zxz", "-z4", "--threads-max=2"] if self.compressed else ["-Znone"]
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", *packing, "--build", str(self.root), str(place)],
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
            stdout=subprocess.DEVNULL,
        )
        return place

    def _place(self, where: str) -> Path:
        path = self.root / where
        for parent in reversed(path.parents):
            if parent.is_relative_to(self.root) and not parent.exists():
                parent.mkdir()
                parent.chmod(_DIRECTORY)
        return path


def _forget_build_machine(path: Path) -> None:
    """Take the folders of the build machine out of where a library looks for others: nobody may put any there."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    listed = subprocess.run(["chrpath", "--list", str(path)], check=False, capture_output=True, text=True).stdout
    places = listed.strip().rpartition("PATH=")[2].split(":") if "PATH=" in listed else []
    kept = [each for each in places if each.startswith("$ORIGIN")]
    if kept != places:
        mode = path.stat().st_mode
        path.chmod(0o600)
        change = ["--replace", ":".join(kept)] if kept else ["--delete"]
        subprocess.run(["chrpath", *change, str(path)], check=True, capture_output=True)
        path.chmod(mode)
