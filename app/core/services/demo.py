"""The whole story in one run: pretend hospitals, real cryptography, and every answer compared with the truth."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
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
from app.core.crypto.parameters import STANDARD_1, ParameterSet
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.mailroom import LocalPost
from app.core.federation.roster import LEAST_SITES, Roster
from app.core.files import private_directory, write_atomic
from app.core.jobs.pool import WorkerPool
from app.core.paths import resource
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.secret import SecretBytes
from app.core.services import demo_data
from app.core.services.asking import ask, read_answer
from app.core.services.data import import_dataset, prepare
from app.core.services.demo_data import DemoData
from app.core.services.founding import found
from app.core.services.member import Member, hold_ceremony, settle
from app.core.services.profile import OpenProfile, PassphraseSource, create_profile

CITIES = ("Lausanne", "Geneva", "Bern", "Basel", "Zurich", "Lugano", "Sion", "Fribourg", "Aarau", "St. Gallen", "Chur")
MOST_SITES = 16
EPSILON = Fraction(1, 2)

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
    parameters: ParameterSet = STANDARD_1
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
            passphrase = stack.enter_context(_keyring(self.keep))
            executor = stack.enter_context(WorkerPool())
            with self._phase("found", phases):
                profiles = [
                    stack.enter_context(self._site(directory, position, passphrase))
                    for position in range(1, self.sites + 1)
                ]
                catalogue = load_catalogue(resource("demo", "lung.catalogue.toml"))
                roster = found(
                    profiles, name="Demo", catalogue=catalogue, parameters=self.parameters, quorum=self.quorum
                )
            post = LocalPost()
            members = [Member(profile, executor, post) for profile in profiles]
            with self._phase("ceremony", phases, sites=self.sites, quorum=roster.quorum):
                hold_ceremony(members, post)
            packages = self._prepare(directory, data, roster, members, phases)
            with self._phase("import", phases):
                for member, package in zip(members, packages, strict=True):
                    import_dataset(package, member.profile)
            answers = self._ask(members, post, data, catalogue, phases)
            return DemoReport(
                version=__version__,
                parameters=self.parameters.name,
                sites=self.sites,
                quorum=roster.quorum,
                patients=data.patients,
                keyring=profiles[0].secrets.kind,
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

    def _site(self, directory: Path, position: int, passphrase: PassphraseSource | None) -> OpenProfile:
        return create_profile(
            directory / f"site-{position}",
            name=site_name(position),
            contact=f"research office {position}, +41 00 000 00 {position:02d}",
            passphrase=passphrase,
        )

    def _prepare(
        self, directory: Path, data: DemoData, roster: Roster, members: list[Member], phases: dict[str, float]
    ) -> list[Path]:
        template = resource("demo", "lung.mapping.toml").read_text("utf-8")
        packages = []
        with self._phase("prepare", phases):
            public_file = directory / "demo.public"
            write_atomic(public_file, members[0].ceremony.result().to_bytes())
            for site, member, patients in zip(roster.sites, members, data.sites, strict=True):
                export = directory / f"site-{site.position}.csv"
                mapping = directory / f"site-{site.position}.mapping.toml"
                package = directory / f"site-{site.position}.consilium"
                demo_data.write_export(patients, export)
                write_atomic(mapping, re.sub("(?m)^site = .*$", f'site = "{site.name}"', template).encode())
                prepare(public_file, mapping, export, package, secrets=member.profile.secrets)
                packages.append(package)
        return packages

    def _ask(
        self, members: list[Member], post: LocalPost, data: DemoData, catalogue: Catalogue, phases: dict[str, float]
    ) -> list[DemoAnswer]:
        asker, rows, answers = members[0], data.rows(), []
        with self._phase("queries", phases):
            for text, epsilon in QUESTIONS:
                started = time.perf_counter()
                session = ask(asker, text, epsilon=epsilon, purpose="demonstration")
                settle(members, post)
                answer = read_answer(asker, session, text)
                seconds = time.perf_counter() - started
                answers.append(
                    DemoAnswer(
                        text=text,
                        truth=count(parse(text, catalogue), rows, catalogue),
                        released=answer.count,
                        exact=answer.exact,
                        noise_scale=answer.noise_scale,
                        half_width=answer.half_width,
                        seconds=round(seconds, 3),
                    )
                )
                self.narrator.answered(answers[-1])
        return answers


def site_name(position: int) -> str:
    """Return the pretend hospital's name at a roster position."""
    known = CITIES[position - 1] if position <= len(CITIES) else f"Site {position}"
    return known


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
def _keyring(keep: Path | None) -> Iterator[PassphraseSource | None]:
    """Give None with a private Secret Service in use, or a passphrase for files; never the user's own keyring.

    A demo that is kept uses passphrase files, since the private keyring ends with the demo; the passphrase then lies
    beside the pretend hospitals.
    """
    with ExitStack() as stack:
        if keep is None and _started(stack):
            yield None
            return
    passphrase = SecretBytes(secrets.token_hex(16).encode())
    if keep is not None:
        write_atomic(keep / "passphrase.txt", passphrase.reveal() + b"\n")
    yield lambda: passphrase


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
