"""The installer for one account, without administrator's rights: written as lists of files, compiled by makensis."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import product

HERE = Path(__file__).resolve().parent


def installer(tree: Path, output: Path, version: str) -> Path:
    """Return the path of the installer of a tree."""
    files = product.files_of(tree)
    code = "{:03d}{:03d}{:05d}".format(*product.numbers(version)).lstrip("0") or "0"
    place = output / f"Consilium-{version}-user.exe"
    size = sum((tree / each).stat().st_size for each in files) // 1024
    with tempfile.TemporaryDirectory(prefix="consilium-nsis-") as lists:
        Path(lists, "install.nsh").write_text("".join(_install(tree, files)), "utf-8-sig")
        Path(lists, "uninstall.nsh").write_text("".join(_uninstall(files)), "utf-8-sig")
        values = {
            "LISTS": lists, "OUTPUT": str(place.resolve()), "VERSION": version, "VERSION_CODE": code,
            "SIZE_KB": str(size), "NAME": product.NAME, "PUBLISHER": product.PUBLISHER, "PROGRAM": product.PROGRAM,
            "WINDOW": product.WINDOW, "EXTENSION": product.EXTENSION, "PROGID": product.PROGID,
            "FILE_TYPE": product.FILE_TYPE, "REGISTRY": product.REGISTRY,
        }  # fmt: skip
        defines = [f"-D{name}={value}" for name, value in values.items()]
        command = ["makensis", "-V2", "-WX", "-INPUTCHARSET", "UTF8", *defines, str(HERE / "consilium.nsi")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return place


def _install(tree: Path, files: Iterable[Path]) -> Iterable[str]:
    folder: str | None = None
    for each in files:
        if (here := _windows(each.parent)) != folder:
            folder = here
            yield f'SetOutPath "$INSTDIR{folder}"\n'
        yield f'File "{(tree / each).resolve()}"\n'


def _uninstall(files: Iterable[Path]) -> Iterable[str]:
    """Yield what removes exactly what was installed: a folder only if nothing else is in it."""
    folders: set[PurePosixPath] = set()
    for each in files:
        yield f'Delete "$INSTDIR{_windows(each)}"\n'
        folders |= set(PurePosixPath(each.as_posix()).parents)
    for folder in sorted(folders - {PurePosixPath(".")}, key=lambda each: (-len(each.parts), str(each))):
        yield f'RMDir "$INSTDIR{_windows(folder)}"\n'


def _windows(path: Path | PurePosixPath) -> str:
    return "" if str(path) == "." else "\\" + path.as_posix().replace("/", "\\")
