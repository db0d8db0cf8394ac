"""The whole story in one run: pretend hospitals, real cryptography, and every answer compared with the truth."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from app import __version__
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import STANDARD_1
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.crypto.vault import PassphraseFile, open_keyring
from app.core.errors import EnvironmentProblem, PeerProblem, UserError
from app.core.federation.roster import LEAST_SITES, default_quorum
from app.core.files import private_directory, write_atomic
from app.core.paths import resource
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.secret import SecretBytes
from app.core.services import demo_data
from app.core.services.connect import Site, connect
from app.core.services.data import prepare
from app.core.services.demo_data import DemoData
from app.core.services.demo_network import Network
from app.core.services.federation_status import Stage
from app.core.services.profile import PASSPHRASE_VARIABLE, PassphraseSource, create_profile

CITIES = (
    "Lausanne",
    "Geneva",
    "Bern",
    "Basel",
    "Zurich",
    "Lugano",
    "Sion",
    "Fribourg",
    "Aarau",
    "St. Gallen",
    "Chur",
    "Lucerne",
    "Winterthur",
    "Biel",
    "Thun",
    "Solothurn",
)
MOST_SITES = len(CITIES)
EPSILON = Fraction(1, 2)
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 600

QUESTIONS: tuple[tuple[str, Fraction | None], ...] = (
    ("sex = female", None),
    ("died and weight_loss >= 10", None),
    ("sex = male and age >= 60 and ecog in {1, 2} and died", None),
    ("karnofsky:patient_lower or meal_calories < 500", None),
    ("died and not karnofsky:physician >= 80", None),
    ("55 <= age < 70", None),
    ("(sex = female or age < 50) and not (ecog = 0 and weight_loss < 5)", None),
    ("follow_up >= 365 and sex = female", EPSILON),
)


@dataclass(frozen=True)
class DemoAnswer:
    """One question's outcome. ``seconds`` is from asking to the opened number."""

    text: str
    truth: int
    released: int
    exact: bool
    noise_scale: float
    half_width: int
    seconds: float


@dataclass(frozen=True)
class DemoReport:
    """What the demo did; times in seconds."""

    version: str
    parameters: str
    sites: int
    quorum: int
    patients: int
    keyring: str
    relay: str
    queries: list[DemoAnswer]
    phases: dict[str, float]

    def to_plain(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        plain = asdict(self)
        for query in plain["queries"]:
            del query["half_width"]
        return plain


@dataclass
class Narrator:
    """Who listens: what begins, what took how long, what was answered. Silent by default."""

    begin: Callable[[str, dict[str, object]], None] = lambda _step, _params: None
    done: Callable[[str, float], None] = lambda _phase, _seconds: None
    answered: Callable[[DemoAnswer], None] = lambda _answer: None


@dataclass
class Demo:
    """The demo's settings. ``keep`` None works in a temporary directory that is removed at the end."""

    sites: int = 3
    quorum: int | None = None
    patients: int | None = None
    keep: Path | None = None
    narrator: Narrator = field(default_factory=Narrator)

    def run(self) -> DemoReport:
        """Run the story and report; raises what its parts raise, UserError ``demo.*`` for settings that cannot be."""
        if not LEAST_SITES <= self.sites <= MOST_SITES:
            raise UserError("demo.bad_number_of_sites", sites=self.sites, least=LEAST_SITES, most=MOST_SITES)
        phases: dict[str, float] = {}
        with ExitStack() as stack:
            directory = stack.enter_context(_workplace(self.keep))
            with self._phase("data", phases, directory=str(directory)):
                data = self._data()
            passphrase = stack.enter_context(_keyring(directory, self.keep is not None))
            catalogue = resource("demo", "lung.catalogue.toml")
            with self._phase("join", phases):
                network = stack.enter_context(Network(directory / "relay"))
                keyring = self._join(directory, network, catalogue, passphrase)
                places = [self._place(directory, position) for position in range(1, self.sites + 1)]
                for place in places:
                    network.start_agent(place)
                sites = [stack.enter_context(connect(place)) for place in places]
            with self._phase("ceremony", phases, sites=self.sites, quorum=self._quorum()):
                self._hold_ceremony(sites)
            packages = self._prepare(directory, data, sites[0], passphrase, phases)
            with self._phase("import", phases):
                for site, package in zip(sites, packages, strict=True):
                    site.call("data.import", {"package": str(package), "preparer": None})
            answers = self._ask(sites[0], data, load_catalogue(catalogue), phases)
            return DemoReport(
                version=__version__,
                parameters=STANDARD_1.name,
                sites=self.sites,
                quorum=self._quorum(),
                patients=data.patients,
                keyring=keyring,
                relay=network.url,
                queries=answers,
                phases={name: round(seconds, 3) for name, seconds in phases.items()},
            )

    @contextmanager
    def _phase(self, name: str, phases: dict[str, float], **params: object) -> Iterator[None]:
        self.narrator.begin(name, params)
        started = time.perf_counter()
        yield
        phases[name] = time.perf_counter() - started
        self.narrator.done(name, phases[name])

    def _data(self) -> DemoData:
        if self.patients is None:
            data = demo_data.lung_study(self.sites)
        else:
            data = demo_data.generated_cohort(self.patients, self.sites)
        params = {"patients": data.patients, "sizes": ", ".join(str(len(site)) for site in data.sites)}
        self.narrator.begin("study" if self.patients is None else "generated", params)
        return data

    def _quorum(self) -> int:
        return default_quorum(self.sites) if self.quorum is None else self.quorum

    def _place(self, directory: Path, position: int) -> Path:
        return directory / f"site-{position}"

    def _join(self, directory: Path, network: Network, catalogue: Path, passphrase: PassphraseSource | None) -> str:
        """Make every site, let the first create the federation and the others join it; return the keyring's kind."""
        keyring = ""
        for position in range(1, self.sites + 1):
            with create_profile(
                self._place(directory, position),
                name=site_name(position),
                contact=f"research office, +41 00 000 00 {position:02d}",
                passphrase=passphrase,
            ) as profile:
                keyring = profile.secrets.kind
        founding = {
            "relay": network.url,
            "trust": network.authority,
            "code": network.new_code(),
            "name": "Demo",
            "catalogue": str(catalogue),
            "quorum": self._quorum(),
        }
        with connect(self._place(directory, 1)) as creator:
            creator.call("federation.create", founding)
            for position in range(2, self.sites + 1):
                name, place = site_name(position), self._place(directory, position)
                invitation = creator.call("federation.invite", {"site": name, "again": False})["text"]
                with connect(place) as invited:
                    words = " ".join(invited.call("federation.join", {"invitation": invitation})["words"])
                    # two people read these words to each other on the telephone; here one program knows both sides
                    creator.call("federation.confirm", {"site": name, "words": words})
                    invited.call("federation.confirm", {"site": site_name(1), "words": words})
            creator.call("federation.start", {"without": []})
        return keyring

    def _hold_ceremony(self, sites: list[Site]) -> None:
        """Wait until every site is ready; the agents do the work."""
        pause = threading.Event()
        for site in sites:
            while (found := site.call("federation.status"))["stage"] != Stage.READY:
                if found["code"]:
                    raise PeerProblem("demo.ceremony_failed", reason=str(found["code"]))
                pause.wait(_LOOK_SECONDS)

    def _prepare(
        self,
        directory: Path,
        data: DemoData,
        site: Site,
        passphrase: PassphraseSource | None,
        phases: dict[str, float],
    ) -> list[Path]:
        template = resource("demo", "lung.mapping.toml").read_text("utf-8")
        secrets_ = open_keyring() if passphrase is None else PassphraseFile(directory / "preparer.key", passphrase())
        packages = []
        with self._phase("prepare", phases):
            public_file = directory / "demo.public"
            site.call("federation.export_public", {"path": str(public_file)})
            for position, patients in enumerate(data.sites, start=1):
                export = directory / f"site-{position}.csv"
                mapping = directory / f"site-{position}.mapping.toml"
                packages.append(directory / f"site-{position}.consilium")
                demo_data.write_export(patients, export)
                named = re.sub("(?m)^site = .*$", f'site = "{site_name(position)}"', template)
                write_atomic(mapping, named.encode())
                prepare(public_file, mapping, export, packages[-1], secrets=secrets_)
        return packages

    def _ask(self, asker: Site, data: DemoData, catalogue: Catalogue, phases: dict[str, float]) -> list[DemoAnswer]:
        rows, answers = data.rows(), []
        with self._phase("queries", phases):
            for text, epsilon in QUESTIONS:
                started = time.perf_counter()
                found = asker.call("query.run", _request(text, epsilon))
                seconds = time.perf_counter() - started
                counted = found["answer"]
                if counted is None:
                    raise PeerProblem("query.failed", reason=str(found["code"]))
                answers.append(
                    DemoAnswer(
                        text=text,
                        truth=count(parse(text, catalogue), rows, catalogue),
                        released=int(counted["count"]),
                        exact=bool(counted["exact"]),
                        noise_scale=float(counted["noise_scale"]),
                        half_width=int(counted["half_width"]),
                        seconds=round(seconds, 3),
                    )
                )
                self.narrator.answered(answers[-1])
        return answers


def _request(text: str, epsilon: Fraction | None) -> dict[str, object]:
    """Return the values of ``query.run`` for a question to every site."""
    return {
        "text": text,
        "epsilon": "" if epsilon is None else str(epsilon),
        "sites": [],
        "minimum": 0,
        "deadline": 0,
        "purpose": "demonstration",
        "wait": _PATIENCE_SECONDS,
    }


def site_name(position: int) -> str:
    """Return the pretend hospital's name at a roster position."""
    return CITIES[position - 1]


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    """Give an empty directory: ``keep`` itself, or a temporary one that is removed afterwards."""
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise UserError("demo.directory_not_empty", path=str(keep))
        yield private_directory(keep)
        return
    directory = Path(tempfile.mkdtemp(prefix="consilium-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _keyring(directory: Path, kept: bool) -> Iterator[PassphraseSource | None]:
    """Give None with a private Secret Service in use, or a passphrase for files; never the user's own keyring.

    A demo that is kept uses passphrase files, since the private keyring ends with the demo; the passphrase then lies
    beside the pretend hospitals.
    """
    with ExitStack() as stack:
        if not kept and _started(stack):
            yield None
            return
        passphrase, path = SecretBytes(secrets.token_hex(16).encode()), directory / "passphrase.txt"
        write_atomic(path, passphrase.reveal() + b"\n")
        before = os.environ.get(PASSPHRASE_VARIABLE)
        os.environ[PASSPHRASE_VARIABLE] = str(path)  # for the agents
        try:
            yield lambda: passphrase
        finally:
            if before is None:
                del os.environ[PASSPHRASE_VARIABLE]
            else:
                os.environ[PASSPHRASE_VARIABLE] = before


def _started(stack: ExitStack) -> bool:
    """Start a private Secret Service on ``stack``; False where the system has none (the file serves as well)."""
    if PrivateSecretService.missing_programs():
        return False
    try:
        service = stack.enter_context(PrivateSecretService())
    except EnvironmentProblem:
        return False
    stack.enter_context(service.in_use())
    return True
