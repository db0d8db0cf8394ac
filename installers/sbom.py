"""What is in a built program: the list of it (CycloneDX 1.6, JSON) and the licence texts of all of it.

Runs in the environment that built the program, for that environment's packages are the ones that were taken from.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

HERE = Path(__file__).resolve().parent
NAME = "sbom.cdx.json"
_LICENCE = re.compile(r"(?i)(^|[-_./])(licen[cs]e|copying|notice|copyright)")
_PROGRAMS = (".py", ".pyc", ".so", ".pyd", ".json")
_OWN_TEXTS = {"pyside6-essentials": ("Qt.md", "LGPL-3.0.txt", "GPL-3.0.txt"), "tenseal": ("tenseal.md",)}
_OWN_TEXTS["shiboken6"] = _OWN_TEXTS["pyside6-essentials"]
_SPELLED = {  # what packages write that is no SPDX expression, and what it means
    "apache 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
    "mit license (mit)": "MIT",
    "python software foundation license": "PSF-2.0",
    "the mit license (mit)": "MIT",
}


@dataclass(frozen=True)
class Part:
    """Something that is shipped: a package of Python, Python itself, or a library of the system it was built on."""

    name: str
    version: str
    licence: str
    """An SPDX expression where one is known, else the package's own words."""
    purl: str
    texts: tuple[Path, ...]
    sums: tuple[tuple[str, str], ...] = ()
    """SHA-256 of each of its files that were taken as they are, by the place in the program."""


def canonical(name: str) -> str:
    """Return a package's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> dict[str, frozenset[str]]:
    """Return the packages in a lock file and their versions: more than one where that depends on Python's."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", lock.read_text("utf-8")):
        found.setdefault(canonical(name), set()).add(version)
    return {name: frozenset(versions) for name, versions in found.items()}


def licence(about: importlib.metadata.PackageMetadata) -> str:
    """Return a package's licence, as an SPDX expression where it says one."""
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [
        each.rsplit("::", 1)[-1].strip() for each in about.get_all("Classifier") or () if "License ::" in each
    ]
    stated = str(about.get("License") or "").strip().splitlines()
    said = [*classified, *(stated[:1] if stated and len(stated[0]) < 60 else [])]
    for words in said:
        if words.lower() in _SPELLED:
            return _SPELLED[words.lower()]
    return said[-1] if said else "see the licence text"


def python_part(name: str) -> Part:
    """Return a package that is installed in this environment."""
    distribution = importlib.metadata.distribution(name)
    texts = [
        Path(str(distribution.locate_file(path)))
        for path in distribution.files or ()
        if _LICENCE.search(path.as_posix()) and path.suffix not in _PROGRAMS and "dist-info" in path.as_posix()
    ]
    if not texts:
        texts = [
            Path(str(distribution.locate_file(path)))
            for path in distribution.files or ()
            if _LICENCE.search(path.name) and path.suffix not in _PROGRAMS
        ]
    texts = [text for text in texts if text.is_file()]
    texts += [HERE / "licences" / text for text in _OWN_TEXTS.get(canonical(name), ())]
    if not texts:
        sys.exit(f"No licence text for {name}: put one into installers/licences and name it in installers/sbom.py")
    version = distribution.version
    purl = f"pkg:pypi/{canonical(name)}@{version}"
    return Part(canonical(name), version, licence(distribution.metadata), purl, tuple(texts))


def interpreter() -> Part:
    """Return Python itself."""
    version = ".".join(map(str, sys.version_info[:3]))
    places = [Path(sysconfig.get_path("stdlib"), "LICENSE.txt"), Path(sys.base_prefix, "LICENSE.txt")]
    places.append(Path(f"/usr/share/doc/python{sys.version_info[0]}.{sys.version_info[1]}/copyright"))
    text = next((place for place in places if place.is_file()), None)
    if text is None:
        sys.exit("This Python has no licence text beside it")
    return Part("python", version, "PSF-2.0", f"pkg:generic/python@{version}", (text,))


def system_parts(taken: Iterable[tuple[str, Path]]) -> list[Part]:
    """Return the system's packages that libraries were taken from (Debian and Ubuntu; elsewhere the files alone).

    ``taken`` names each library: its place in the program and where it came from.
    """
    by_package: dict[tuple[str, str, str], list[tuple[str, Path]]] = {}
    for where, source in taken:
        by_package.setdefault(_owner(source), []).append((where, source))
    found = []
    for (package, version, architecture), libraries in sorted(by_package.items()):
        text = Path(f"/usr/share/doc/{package}/copyright")
        purl = f"pkg:deb/debian/{package}@{version}?arch={architecture}" if version else f"pkg:generic/{package}"
        sums = tuple((where, hashlib.sha256(source.read_bytes()).hexdigest()) for where, source in sorted(libraries))
        texts = (text,) if text.is_file() else ()
        found.append(Part(package, version or "unknown", "see the licence text", purl, texts, sums))
    return found


def _owner(library: Path) -> tuple[str, str, str]:
    if sys.platform == "linux" and shutil.which("dpkg-query"):
        for path in dict.fromkeys((library, library.resolve())):
            for each in (str(path), str(path).removeprefix("/usr")):
                asked = subprocess.run(["dpkg-query", "--search", each], check=False, capture_output=True, text=True)
                if asked.returncode == 0:
                    package = asked.stdout.splitlines()[0].partition(": ")[0].partition(", ")[0]
                    told = subprocess.run(
                        ["dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${Architecture}", package],
                        check=True, capture_output=True, text=True,
                    ).stdout.split("\t")  # fmt: skip
                    return told[0], told[1], told[2]
    return library.name.partition(".so")[0], "", ""


def write_licences(parts: Iterable[Part], target: Path) -> None:
    """Write each part's licence texts into a folder of its own below ``target``, and the list of all."""
    lines = ["# Everything in this program and its licence", "", "| part | version | licence |", "|---|---|---|"]
    for part in sorted(parts, key=lambda part: part.name):
        place = target / part.name
        place.mkdir(parents=True)
        for number, text in enumerate(part.texts):
            name = text.name if not (place / text.name).exists() else f"{number}-{text.name}"
            shutil.copyfile(text, place / name)
        lines.append(f"| {part.name} | {part.version} | {part.licence} |")
    (target / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def bill(parts: Iterable[Part], version: str, commit: str, epoch: int) -> str:
    """Return the list in CycloneDX; the same parts and the same commit give the same text."""
    from cyclonedx.factory.license import LicenseFactory  # noqa: PLC0415 - only in the environment that builds
    from cyclonedx.model import HashAlgorithm, HashType, Property  # noqa: PLC0415
    from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    make = LicenseFactory().make_from_string
    root = Component(
        name="consilium", version=version, type=ComponentType.APPLICATION, bom_ref="consilium",
        licenses=[make("Apache-2.0")], properties=[Property(name="consilium:commit", value=commit)],
    )  # fmt: skip
    when = datetime.fromtimestamp(epoch, UTC)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"consilium:{version}:{commit}"),
        metadata=BomMetaData(component=root, timestamp=when),
    )
    components = []
    for part in sorted(parts, key=lambda part: part.name):
        files = [
            Component(name=where, type=ComponentType.FILE, bom_ref=f"file:{where}",
                      hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)])
            for where, digest in part.sums
        ]  # fmt: skip
        components.append(Component(
            name=part.name, version=part.version, type=ComponentType.LIBRARY, bom_ref=part.purl,
            purl=PackageURL.from_string(part.purl), licenses=[make(part.licence)], components=files,
        ))  # fmt: skip
    for each in components:
        bom.components.add(each)
    bom.register_dependency(root, components)
    text = json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=1, sort_keys=True) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"The list of parts does not follow its own schema: {problem}")
    return text
