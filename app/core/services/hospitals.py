"""Making hospitals on this computer: they join over a relay, hold the ceremony, seal public data and import it.

What the demo and the pretend hospitals have in common. Every hospital has a profile of its own, ``site-1`` and so on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.crypto.secret_store import SecretStore
from app.core.crypto.vault import PassphraseFile, open_keyring
from app.core.errors import PeerProblem
from app.core.federation.rounds import ROUNDS
from app.core.files import write_atomic
from app.core.jobs.job import Job, Progress
from app.core.paths import resource
from app.core.preparation.mapping_1 import SOURCE
from app.core.services import demo_data
from app.core.services.connect import Site, connect
from app.core.services.demo_data import DemoData
from app.core.services.demo_network import Network
from app.core.services.federation_status import Stage
from app.core.services.preparing import prepare
from app.core.services.profile import PassphraseSource, create_profile

_LOOK_SECONDS = 0.2


def place(directory: Path, position: int) -> Path:
    """Return where the profile of the hospital at a roster position is."""
    return directory / f"site-{position}"


@dataclass(frozen=True)
class Hospitals:
    """Hospitals with these ``names`` below ``directory``; the first creates the federation.

    ``passphrase`` None keeps their keys in the keyring, else in files. ``pretend`` marks their profiles as pretended.
    ``agreed`` is the file of the catalogue that they agree on. Every step takes a job, and raises Cancelled and what
    its parts raise.
    """

    directory: Path
    names: Sequence[str]
    network: Network
    passphrase: PassphraseSource | None
    pretend: bool = False
    agreed: Path = field(default_factory=lambda: resource("demo", "lung.catalogue.toml"))

    @property
    def places(self) -> list[Path]:
        """Their profiles."""
        return [place(self.directory, position) for position in range(1, len(self.names) + 1)]

    def join(self, federation: str, quorum: int, job: Job) -> str:
        """Make every site; let the first create the federation and the others join it. Return the keyring's kind."""
        meter = job.meter("pretend.step.join", 2 * len(self.names))
        quiet = Job(cancel=job.cancel)
        keyring = ""
        for position, (name, directory) in enumerate(zip(self.names, self.places, strict=True), start=1):
            contact = f"research office, +41 00 000 00 {position:02d}"
            with create_profile(
                directory, name=name, contact=contact, passphrase=self.passphrase, pretend=self.pretend
            ) as profile:
                keyring = profile.secrets.kind
            meter.advance()
        founding = {
            "relay": self.network.url,
            "trust": self.network.authority,
            "code": self.network.new_code(),
            "name": federation,
            "catalogue": str(self.agreed),
            "quorum": quorum,
        }
        with connect(self.places[0]) as creator:
            creator.call("federation.create", founding, quiet)
            for name, directory in zip(self.names[1:], self.places[1:], strict=True):
                meter.advance()
                invitation = creator.call("federation.invite", {"site": name, "again": False}, quiet)["text"]
                with connect(directory) as invited:
                    words = " ".join(invited.call("federation.join", {"invitation": invitation}, quiet)["words"])
                    # two people read these words to each other on the telephone; here one program knows both sides
                    creator.call("federation.confirm", {"site": name, "words": words}, quiet)
                    invited.call("federation.confirm", {"site": self.names[0], "words": words}, quiet)
            creator.call("federation.start", {"without": []}, quiet)
        meter.advance()
        return keyring

    def hold_ceremony(self, sites: Sequence[Site], job: Job) -> None:
        """Wait until every site is ready; the agents do the work."""
        pause = threading.Event()
        for site in sites:
            while (found := site.call("federation.status", job=Job(cancel=job.cancel)))["stage"] != Stage.READY:
                if found["code"]:
                    raise PeerProblem("demo.ceremony_failed", reason=str(found["code"]))
                done = ROUNDS.index(found["round"]) / len(ROUNDS) if found["round"] in ROUNDS else 0.0
                job.report(Progress(done, "pretend.step.ceremony", None))
                pause.wait(_LOOK_SECONDS)
                job.cancel.check()
        job.report(Progress(1.0, "pretend.step.ceremony", None))

    def prepare(self, data: DemoData, first: Site, job: Job) -> list[Path]:
        """Let every hospital write its export and seal it; return the packages."""
        public_file = self.directory / "demo.public"
        first.call("federation.export_public", {"path": str(public_file)}, Job(cancel=job.cancel))
        packages = []
        for number, (name, patients) in enumerate(zip(self.names, data.sites, strict=True)):
            export, mapping, package = (
                self.directory / f"site-{number + 1}.{kind}" for kind in ("csv", "mapping.toml", "consilium")
            )
            demo_data.write_export(patients, export)
            template = resource("demo", "lung.mapping.toml").read_text("utf-8")
            write_atomic(mapping, re.sub("(?m)^site = .*$", f'site = "{name}"', template).encode())
            part = _part(job, "pretend.step.prepare", number, len(self.names), of="data.step.sealing")
            files = {SOURCE: (export,)}
            prepare(public_file, mapping, package, files=files, secrets=self._preparer, job=part)
            packages.append(package)
        return packages

    def import_(self, sites: Sequence[Site], packages: Sequence[Path], job: Job) -> None:
        """Let every hospital verify its package and import it."""
        for number, (site, package) in enumerate(zip(sites, packages, strict=True)):
            part = _part(job, "pretend.step.import", number, len(packages), of="data.step.importing")
            site.call("data.import", {"package": str(package), "preparer": None}, part)

    def _preparer(self) -> SecretStore:
        if self.passphrase is None:
            return open_keyring()
        return PassphraseFile(self.directory / "preparer.key", self.passphrase())


def catalogue() -> Path:
    """Return the catalogue that they agree on."""
    return resource("demo", "lung.catalogue.toml")


def _part(job: Job, step: str, number: int, count: int, *, of: str) -> Job:
    """Return a job whose step ``of`` is the part ``number`` of ``count`` equal ones of ``step``; others are silent."""

    def report(progress: Progress) -> None:
        if progress.step == of:
            job.report(Progress((number + progress.fraction) / count, step, None))

    return Job(report, job.cancel)
