"""The two questions that MedCo published, asked of three sites over a relay: ``python -m tests.benchmarks.medco``.

Raisaro et al., *MedCo: Enabling Secure and Privacy-Preserving Exploration of Distributed Clinical and Genomic Data*
(IEEE/ACM TCBB 2019), report 22 s and 58 s on three servers for 8,000 patients with 142 mutations each. Here: as many
patients, generated, with a flag for each of 142 genes; "cutaneous melanoma and BRAF mutated" and "cutaneous melanoma
and BRAF and (PTEN or CDKN2A or MAP2K1 or MAP2K2)". Relay, three agents with their workers and the asker share this
computer; production parameters; every answer is compared with the clear count.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import secrets
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from app.core.catalogue.file import load_catalogue
from app.core.crypto.vault import PassphraseFile
from app.core.jobs.job import Job
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.secret import SecretBytes
from app.core.services.connect import connect
from app.core.services.demo_network import Network
from app.core.services.hospitals import Hospitals
from app.core.services.preparing import prepare
from app.core.services.profile import PASSPHRASE_VARIABLE

GENES = ("BRAF", "PTEN", "CDKN2A", "MAP2K1", "MAP2K2", *(f"G{number:03d}" for number in range(137)))
QUESTIONS = {
    "melanoma and BRAF": ("ICD10:C43 and gene:BRAF", 22.0),
    "melanoma and BRAF and any of four": (
        "ICD10:C43 and gene:BRAF and (gene:PTEN or gene:CDKN2A or gene:MAP2K1 or gene:MAP2K2)",
        58.0,
    ),
}
WANTED_SECONDS = 3.0
SITES = ("Lausanne", "Geneva", "Bern")
RUNS = 5


def write_catalogue(path: Path) -> None:
    """Write a catalogue of one diagnosis and the genes."""
    lines = ['format = "consilium-catalogue"', "format_version = 1", 'name = "Melanoma genes"', "version = 1"]
    for code, label in (("ICD10:C43", "Cutaneous melanoma"), *((f"gene:{gene}", gene) for gene in GENES)):
        lines += ["[[variable]]", f'code = "{code}"', 'kind = "flag"', f'label = {{ en = "{label}" }}']
    path.write_text("\n".join(lines) + "\n")


def patients(number: int, draw: random.Random) -> list[dict[str, bool]]:
    """Return made-up patients: half have melanoma, half of those a BRAF mutation, the other genes are rarer."""
    rates = {"ICD10:C43": 0.5, "gene:BRAF": 0.5, **{f"gene:{gene}": 0.08 for gene in GENES[1:]}}
    return [{code: draw.random() < rate for code, rate in rates.items()} for _ in range(number)]


def write_export(rows: list[dict[str, bool]], directory: Path, site: str) -> tuple[Path, Path]:
    """Write a site's CSV and the mapping for it."""
    export, mapping = directory / f"{site}.csv", directory / f"{site}.mapping.toml"
    with export.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", *rows[0]])
        writer.writerows([number, *map(int, row.values())] for number, row in enumerate(rows))
    mapping.write_text(
        f'format = "consilium-mapping"\nversion = 2\nsite = "{site}"\npatients = "patients"\n'
        '[sources.patients]\nformat = "csv"\npatient = "patient"\n'
    )
    return export, mapping


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=8000, help="over all three sites")
    parser.add_argument("--report", type=Path)
    wanted = parser.parse_args()
    draw, found = random.Random(1), {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cm-")))
        passphrase = SecretBytes(secrets.token_hex(16).encode())
        (directory / "passphrase").write_bytes(passphrase.reveal() + b"\n")
        (directory / "passphrase").chmod(0o600)
        os.environ[PASSPHRASE_VARIABLE] = str(directory / "passphrase")
        agreed = directory / "genes.toml"
        write_catalogue(agreed)
        network = stack.enter_context(Network(directory / "relay"))
        hospitals = Hospitals(directory, SITES, network, lambda: passphrase, agreed=agreed)
        hospitals.join("Genes", len(SITES), Job())
        network.start_agents(hospitals.places)
        sites = [stack.enter_context(connect(place)) for place in hospitals.places]
        hospitals.hold_ceremony(sites, Job())
        sites[0].call("federation.export_public", {"path": str(directory / "public")})
        everybody = []
        for name, site in zip(SITES, sites, strict=True):
            rows = patients(wanted.patients // len(SITES), draw)
            everybody += rows
            export, mapping = write_export(rows, directory, name)
            key = PassphraseFile(directory / "preparer.key", passphrase)
            package = directory / f"{name}.consilium"
            prepare(directory / "public", mapping, package, files={"patients": (export,)}, secrets=lambda key=key: key)
            site.call("data.import", {"package": str(package), "preparer": None})
        catalogue = load_catalogue(agreed)
        for name, (text, theirs) in QUESTIONS.items():
            seconds = []
            truth = count(parse(text, catalogue), everybody, catalogue)
            for run in range(RUNS):
                asked = {"text": text, "epsilon": "", "sites": [], "minimum": 0, "deadline": 0}
                began = time.perf_counter()
                answer = sites[0].call("query.run", {**asked, "purpose": f"run {run}", "wait": 600})
                seconds.append(time.perf_counter() - began)
                if answer["answer"]["count"] != truth:
                    raise SystemExit(f"wrong: {answer['answer']['count']} is not {truth}")
            found[name] = {
                "count": truth,
                "seconds": round(statistics.median(seconds), 2),
                "least": round(min(seconds), 2),
                "most": round(max(seconds), 2),
                "wanted": WANTED_SECONDS,
                "medco": theirs,
            }
            print(name, found[name], flush=True)
    hardware = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    if wanted.report is not None:
        report = {"hardware": hardware, "patients": wanted.patients, "questions": found}
        wanted.report.write_text(json.dumps(report, indent=2) + "\n")
    print(hardware)


if __name__ == "__main__":
    main()
