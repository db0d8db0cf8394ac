"""The whole story in one run: pretend hospitals, real cryptography, and every answer compared with the truth."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from app import __version__
from app.core.analysis.results import Estimate, withheld_of
from app.core.catalogue.file import load_catalogue
from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import STANDARD_1
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.disclosure.policy import Policy
from app.core.disclosure.showing import Rules, show_count
from app.core.errors import EnvironmentProblem, PeerProblem, UserError
from app.core.federation.roster import LEAST_SITES, default_quorum
from app.core.files import private_directory, write_atomic
from app.core.jobs.job import Job
from app.core.query.canonical import canonical_query
from app.core.query.cells import cells_of
from app.core.query.oracle import Row, count, numbers
from app.core.query.text import parse, parse_query
from app.core.secret import SecretBytes
from app.core.services import demo_data
from app.core.services.connect import Site, connect
from app.core.services.demo_data import DemoData
from app.core.services.demo_network import Network
from app.core.services.hospitals import Hospitals, catalogue
from app.core.services.profile import PASSPHRASE_VARIABLE, PassphraseSource

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

ANALYSES = (
    "survival os by sex",
    "table ecog x sex where age >= 50",
    "regress weight_loss on age, meal_calories",
)


@dataclass(frozen=True)
class DemoAnswer:
    """One question's outcome. ``seconds`` is from asking to the opened number.

    ``released`` is None where the policy withholds it: then it is fewer than ``least``. An exact one is ``right`` if it
    is the truth, or withheld as the truth would be.
    """

    text: str
    truth: int
    released: int | None
    least: int
    right: bool
    exact: bool
    noise_scale: float
    half_width: int
    seconds: float


@dataclass(frozen=True)
class DemoAnalysis:
    """An analysis' outcome: whether everything in it is as on the pooled clear data, ``numbers`` of them opened.

    ``medians`` are those of survival in days, by group; of a ``coarsened`` curve each is the end of a period that was
    joined with others because few patients are in it.
    """

    text: str
    right: bool
    numbers: int
    medians: dict[str, float | None]
    coarsened: bool
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
    analyses: list[DemoAnalysis]
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
    analysed: Callable[[DemoAnalysis], None] = lambda _analysis: None


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
            with self._phase("join", phases):
                network = stack.enter_context(Network(directory / "relay"))
                hospitals = Hospitals(directory, CITIES[: self.sites], network, passphrase)
                keyring = hospitals.join("Demo", self._quorum(), Job())
                network.start_agents(hospitals.places)
                sites = [stack.enter_context(connect(place)) for place in hospitals.places]
            with self._phase("ceremony", phases, sites=self.sites, quorum=self._quorum()):
                hospitals.hold_ceremony(sites, Job())
            with self._phase("prepare", phases):
                packages = hospitals.prepare(data, sites[0], Job())
            with self._phase("import", phases):
                hospitals.import_(sites, packages, Job())
            for site in sites:  # exact products of two numbers are too large to be told as one total
                site.call("policy.set", {"per_site": True})
            agreed = load_catalogue(catalogue())
            answers = self._ask(sites[0], data, agreed, phases)
            analyses = self._analyse(sites[0], data, agreed, phases)
            return DemoReport(
                version=__version__,
                parameters=STANDARD_1.name,
                sites=self.sites,
                quorum=self._quorum(),
                patients=data.patients,
                keyring=keyring,
                relay=network.url,
                queries=answers,
                analyses=analyses,
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
                truth, exact = count(parse(text, catalogue), rows, catalogue), bool(counted["exact"])
                withheld = withheld_of(counted["count"])
                told = counted["count"] if withheld is None else withheld
                answers.append(
                    DemoAnswer(
                        text=text,
                        truth=truth,
                        released=None if withheld else int(counted["count"]),
                        least=withheld.least if withheld else 0,
                        right=not exact or told == show_count([truth], _rules(), per_site=False, noised=False),
                        exact=exact,
                        noise_scale=float(counted["noise_scale"]),
                        half_width=int(counted["half_width"]),
                        seconds=round(seconds, 3),
                    )
                )
                self.narrator.answered(answers[-1])
        return answers

    def _analyse(
        self, asker: Site, data: DemoData, catalogue: Catalogue, phases: dict[str, float]
    ) -> list[DemoAnalysis]:
        rows, analyses = data.rows(), []
        with self._phase("analyses", phases):
            for text in ANALYSES:
                started = time.perf_counter()
                found = asker.call("query.run", _request(text, None))
                seconds = time.perf_counter() - started
                if found["answer"] is None:
                    raise PeerProblem("query.failed", reason=str(found["code"]))
                [total] = found["answer"]["results"]
                expected, numbers = truth_of(text, rows, catalogue)
                curves = total["result"].get("curves", [])
                analyses.append(
                    DemoAnalysis(
                        text=text,
                        right=total["result"] == expected,
                        numbers=numbers,
                        medians={curve["key"]: Estimate.from_plain(curve["median"]).value for curve in curves},
                        coarsened="coarsened" in total["result"]["notes"],
                        seconds=round(seconds, 3),
                    )
                )
                self.narrator.analysed(analyses[-1])
        return analyses


def truth_of(text: str, rows: Sequence[Row], catalogue: Catalogue) -> tuple[dict[str, Any], int]:
    """Return what an analysis must say of clear patients, as it travels, and how many numbers it opens.

    Small numbers are withheld as the policy wants it that a new site has.
    """
    from app.core.services.answers import exact_result  # noqa: PLC0415 - brings scipy and more, late

    query = parse_query(text, catalogue)
    canonical = canonical_query(query, catalogue)
    cells = cells_of(canonical, catalogue)
    return exact_result(query, catalogue, cells, tuple(numbers(canonical, rows, catalogue)), _rules()), len(cells.cells)


def _rules() -> Rules:
    """Return what may be shown by the policy of a new site."""
    from app.core.services.answers import rules_by  # noqa: PLC0415 - as above

    return rules_by(Policy.default(LEAST_SITES))


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
