"""The package for whole computers (Intune, SCCM, group policy): written as WiX, compiled by wixl."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import product

_TREE = "tree"
_NAMESPACE = "http://schemas.microsoft.com/wix/2006/wi"


def package(tree: Path, output: Path, version: str, epoch: int) -> Path:
    """Return the path of the MSI of a tree; ``epoch`` (seconds) is the time that its files are said to have."""
    place = output / f"Consilium-{version}-x64.msi"
    with tempfile.TemporaryDirectory(prefix="consilium-msi-") as work:
        source = Path(work, "consilium.wxs")
        source.write_bytes(wxs(tree, version))
        Path(work, _TREE).symlink_to(tree.resolve())  # wixl looks for files beside what it reads
        for each in product.files_of(tree):
            os.utime(tree / each, (epoch, epoch))
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        subprocess.run(["wixl", "--arch", "x64", "--output", str(place), str(source)], check=True, env=environment)
    return place


def wxs(tree: Path, version: str) -> bytes:
    """Return the package's description."""
    major, minor, patch = product.numbers(version)
    number = f"{major}.{minor}.{patch}"
    root = ET.Element("Wix", xmlns=_NAMESPACE)
    made = ET.SubElement(
        root, "Product", Id=product.guid("product", number), Name=product.NAME, Manufacturer=product.PUBLISHER,
        Version=number, Language="1033", UpgradeCode=product.UPGRADE_CODE,
    )  # fmt: skip
    ET.SubElement(
        made, "Package", Id=product.guid("package", number), InstallerVersion="500", Compressed="yes",
        InstallScope="perMachine", Description=f"{product.NAME} {number}", Manufacturer=product.PUBLISHER,
    )  # fmt: skip
    ET.SubElement(made, "Media", Id="1", Cabinet="consilium.cab", EmbedCab="yes")
    _upgrades(made, number)
    components = _folders(made, tree)
    feature = ET.SubElement(made, "Feature", Id="Program", Title=product.NAME, Level="1")
    for each in components:
        ET.SubElement(feature, "ComponentRef", Id=each)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _upgrades(made: ET.Element, number: str) -> None:
    """What is older is removed first, its data stays; what is newer refuses this one."""
    upgrade = ET.SubElement(made, "Upgrade", Id=product.UPGRADE_CODE)
    ET.SubElement(
        upgrade, "UpgradeVersion", Minimum="0.0.0", IncludeMinimum="yes", Maximum=number, Property="OLDERFOUND",
    )  # fmt: skip
    ET.SubElement(
        upgrade, "UpgradeVersion", Minimum=number, IncludeMinimum="no", OnlyDetect="yes", Property="NEWERFOUND"
    )
    refusal = ET.SubElement(made, "Condition", Message=f"A newer version of {product.NAME} is installed.")
    refusal.text = "NOT NEWERFOUND"
    sequence = ET.SubElement(made, "InstallExecuteSequence")
    ET.SubElement(sequence, "RemoveExistingProducts", After="InstallInitialize")


def _folders(made: ET.Element, tree: Path) -> list[str]:
    """Describe folders and files; return the components."""
    target = ET.SubElement(made, "Directory", Id="TARGETDIR", Name="SourceDir")
    programs = ET.SubElement(target, "Directory", Id="ProgramFiles64Folder")
    folders = {PurePosixPath("."): ET.SubElement(programs, "Directory", Id="INSTALLDIR", Name=product.NAME)}
    menu = ET.SubElement(target, "Directory", Id="ProgramMenuFolder")
    components = []
    for each in product.files_of(tree):
        path = PurePosixPath(each.as_posix())
        identity = "F" + product.guid("file", str(path))[1:-1].replace("-", "")
        component = ET.SubElement(
            _folder(folders, path.parent), "Component", Id=f"C{identity}", Guid=product.guid("component", str(path)),
            Win64="yes",
        )  # fmt: skip
        ET.SubElement(component, "File", Id=identity, Name=path.name, Source=f"{_TREE}/{path}", KeyPath="yes")
        components.append(f"C{identity}")
    components.append(_entries(menu))
    return components


def _folder(folders: dict[PurePosixPath, ET.Element], path: PurePosixPath) -> ET.Element:
    if path not in folders:
        identity = "D" + product.guid("folder", str(path))[1:-1].replace("-", "")
        parent = _folder(folders, path.parent)
        folders[path] = ET.SubElement(parent, "Directory", Id=identity, Name=path.name)
    return folders[path]


def _entries(menu: ET.Element) -> str:
    """Start menu and file type: a component of their own, whose key is in the registry."""
    component = ET.SubElement(menu, "Component", Id="Entries", Guid=product.guid("entries"), Win64="yes")
    ET.SubElement(
        component, "Shortcut", Id="StartMenu", Name=product.NAME, Directory="ProgramMenuFolder",
        Target=f"[INSTALLDIR]{product.WINDOW}", WorkingDirectory="INSTALLDIR", Advertise="no",
    )  # fmt: skip
    classes = rf"Software\Classes\{product.PROGID}"
    for key, name, value in (
        (product.REGISTRY, "InstallDir", "[INSTALLDIR]"),
        (classes, "", product.FILE_TYPE),
        (rf"{classes}\DefaultIcon", "", f"[INSTALLDIR]{product.WINDOW},0"),
        (rf"{classes}\shell\open\command", "", f'"[INSTALLDIR]{product.WINDOW}" open "%1"'),
        (rf"Software\Classes\{product.EXTENSION}", "", product.PROGID),
    ):
        named = {"Name": name, "KeyPath": "yes"} if name else {}
        ET.SubElement(component, "RegistryValue", Root="HKLM", Key=key, Type="string", Value=value, **named)
    return "Entries"
