"""Three hospitals and a relay as real processes on this computer, killed (SIGKILL) at random moments of their story.

:class:`Founded` makes a federation over a real relay, once; every :class:`Story` is a copy of it that goes on: the
ceremony, the import of a dataset at every site, a query. A seed draws who is killed when; whoever was killed is started
again. In the end :func:`judge` opens the profiles and looks whether everything was done, and nothing twice.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.core.clock import SystemClock
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, ParameterSet
from app.core.crypto.passphrase import Argon2Cost
from app.core.crypto.vault import PassphraseFile
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.federation import ceremony_messages, query_messages
from app.core.federation.proxies import ProxySetting
from app.core.federation.public_file import load_public_file
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.reading import read_table
from app.core.preparation.sealing import Target, seal_table, worker_arguments
from app.core.query.oracle import count
from app.core.query.text import parse
from app.core.secret import SecretBytes
from app.core.services import profile as profiles
from app.core.services import site as service
from app.core.services.connect import connect
from app.core.services.local_socket import reach
from app.core.services.member import Member
from app.core.services.profile import OpenProfile, create_profile, open_profile
from app.core.services.talking import at_once
from app.core.store.peek import peek
from app.relay.administration import issue_code
from tests.crash import leftovers
from tests.faults.programs import Program
from tests.packages import CATALOGUE, NOW, Inline, mapping, rows, write_csv

SITES = 3
PATIENTS = (30, 41, 52)
QUESTIONS = ("smoker", "smoker and sex = f", "not (sex = m or age >= 50)", "age >= 50")
CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
PHASES = ("ceremony", "import", "query")
_LOOK_SECONDS = 0.05


class Stuck(AssertionError):
    """A story did not come to its end in time."""


@dataclass(frozen=True)
class Founded:
    """A federation whose sites have all signed the roster, and nothing more: what every story starts from."""

    directory: Path
    port: int
    parameters: ParameterSet


@contextmanager
def founded(parameters: ParameterSet = INSECURE_TEST_PARAMETERS) -> Iterator[Founded]:
    """Found a federation over a real relay; it is removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="ck-"))
    passphrase = directory / "passphrase"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    before = os.environ.get(profiles.PASSPHRASE_VARIABLE)
    os.environ[profiles.PASSPHRASE_VARIABLE] = str(passphrase)
    try:
        yield _found(directory, parameters)
    finally:
        if before is None:
            del os.environ[profiles.PASSPHRASE_VARIABLE]
        else:
            os.environ[profiles.PASSPHRASE_VARIABLE] = before
        shutil.rmtree(directory, ignore_errors=True)


def _found(directory: Path, parameters: ParameterSet) -> Founded:
    with ExitStack() as stack:
        said = directory / "said"
        relay = Program(("relay", "serve", "--data", str(directory / "relay"), "--port", "0", "--json"), said)
        relay.start()
        stack.callback(relay.close)
        stack.callback(relay.stop)
        _until(lambda: said.exists() and b"}\n" in said.read_bytes(), 60)
        ready = json.loads(next(line for line in said.read_text().splitlines() if line.startswith("{")))
        address = RelayAddress(ready["url"], Path(ready["authority"]).read_text())
        code = issue_code(directory / "relay", days=1, now=SystemClock().now())
        sites = [stack.enter_context(_new_site(directory, position)) for position in range(1, SITES + 1)]
        lines: dict[int, RelayPost] = {}

        def connector(position: int) -> service.Connect:
            def connect(address: RelayAddress, federation: bytes) -> RelayPost:
                made = RelayPost(address, federation, sites[position - 1].member_key, proxy=ProxySetting("none"))
                stack.callback(made.close)
                return lines.setdefault(position, made)

            return connect

        at_once(service.create_federation(
            sites[0], connector(1), address=address, code=code, name="Tests", catalogue=CATALOGUE, quorum=2,
            parameters=parameters,
        ))  # fmt: skip
        for position in range(2, SITES + 1):
            invitation = at_once(service.invite(sites[0], lines[1], f"Site {position}")).to_text()
            words = " ".join(at_once(service.join(sites[position - 1], connector(position), invitation)).words)
            at_once(service.catch_up(sites[0], lines[1]))
            service.confirm(sites[0], f"Site {position}", words)
            service.confirm(sites[position - 1], "Site 1", words)
            at_once(service.catch_up(sites[position - 1], lines[position]))
        at_once(service.catch_up(sites[0], lines[1]))
        service.start(sites[0])
        while any(each.roster is None for each in sites):
            for position, each in enumerate(sites, start=1):
                at_once(service.catch_up(each, lines[position]))
    return Founded(directory, address.port, parameters)


@contextmanager
def _new_site(directory: Path, position: int) -> Iterator[OpenProfile]:
    place = directory / f"site-{position}"
    passphrase = profiles.passphrase_from_environment
    with create_profile(place, name=f"Site {position}", contact="+41", passphrase=passphrase) as profile:
        root = profile.root
        (place / "secrets.passphrase").unlink()  # again at a lower cost: an agent opens it whenever it starts
        PassphraseFile(place / "secrets.passphrase", passphrase(), CHEAP).put(profile.profile_id, root)
        yield profile


def _until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise Stuck("waited in vain")
        time.sleep(_LOOK_SECONDS)


@dataclass
class Story:
    """One run. ``pace`` is how long a phase takes without kills, in seconds; ``kills`` how many there are in each."""

    base: Founded
    directory: Path
    seed: int
    pace: float = 1.0
    kills: int = 3
    patience: float = 120.0
    inline: bool = True
    killed: Counter[str] = field(default_factory=Counter)
    """How often what was killed: "relay in ceremony"."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each phase took."""

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        shutil.copytree(
            self.base.directory, self.directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock")
        )
        self.places = [self.directory / f"site-{position}" for position in range(1, SITES + 1)]
        self.question = QUESTIONS[self.seed % len(QUESTIONS)]
        data = ("--data", str(self.directory / "relay"))
        self.servers = {"relay": self._program("relay", "relay", "serve", *data, "--port", str(self.base.port))}
        self.servers |= {
            place.name: self._program(place.name, "agent", "--profile", str(place)) for place in self.places
        }

    def _program(self, name: str, *arguments: str) -> Program:
        return Program(arguments, self.directory / f"{name}.log", self.inline)

    def run(self) -> None:
        """Live through all phases, and judge."""
        with ExitStack() as stack:
            for each in self.servers.values():
                stack.callback(each.close)
                each.start()
            self._phase("ceremony", {}, self._ready)
            packages = self._packages()
            imports = {
                f"import at {place.name}": ("data", "import", str(package), "--profile", str(place))
                for place, package in zip(self.places, packages, strict=True)
            }
            self._phase("import", imports, lambda: True)
            asked = ("query", "run", self.question, "--wait", "60", "--profile", str(self.places[0]))
            self._phase("query", {"asking": asked}, lambda: set(self._queries().values()) == {"done"})
            self._settle()
            for name in ("site-1", "site-2", "site-3", "relay"):
                assert self.servers[name].stop() == 0, f"{name} did not end in order: {self.servers[name].exit_code}"
        self.judge()

    # --- what happens -----------------------------------------------------------------------------------------

    def _phase(self, name: str, commands: dict[str, tuple[str, ...]], done: Callable[[], bool]) -> None:
        """Run commands until each has done its work, killing at drawn moments, until ``done``."""
        running = {title: self._program("commands", *arguments) for title, arguments in commands.items()}
        everybody = self.servers | running
        kills = sorted(self.draw.uniform(0, self.pace * (1 + self.kills)) for _ in range(self.kills))
        again = dict.fromkeys(running, 0.0)  # when who is down is started again
        began = time.monotonic()
        with ExitStack() as stack:
            for each in running.values():
                stack.callback(each.close)
            while True:
                now = time.monotonic() - began
                self._revive(everybody, again, now)
                if kills and kills[0] <= now:
                    kills.pop(0)
                    self._kill(name, everybody)
                if not kills and all(self._over(*each) for each in running.items()) and done():
                    self.seconds[name] = round(now, 1)
                    return
                if now > self.patience:
                    raise Stuck(f"{name} did not end: {self._told()}")
                time.sleep(_LOOK_SECONDS)

    def _revive(self, everybody: dict[str, Program], again: dict[str, float], now: float) -> None:
        """Start who is down and has something left to do, at once or somewhat later."""
        for title, program in everybody.items():
            if program.alive or (title not in self.servers and self._over(title, program)):
                continue
            if again.setdefault(title, now + self.draw.choice((0.0, 0.0, 0.3, 1.0)) * self.pace) > now:
                continue
            if title == "asking" and program.started and self._asked() is not False:
                continue
            del again[title]
            program.start()

    def _asked(self) -> bool | None:
        """Whether site 1 knows a query, as a person would find out before asking again; None if that is not sure yet.

        An agent may still be at work for a command that was killed.
        """
        if not self.servers["site-1"].alive:
            return bool(self._queries())
        try:
            with connect(self.places[0], become=False) as site:
                return bool(site.call("query.list")["queries"])
        except EnvironmentProblem:
            return None

    def _kill(self, phase: str, everybody: dict[str, Program]) -> None:
        title = self.draw.choice([*everybody, *(each for each in everybody if each not in self.servers)])
        if everybody[title].kill():
            self.killed[f"{title.split(' ')[0].rstrip('-123')} in {phase}"] += 1

    def _over(self, title: str, program: Program) -> bool:
        """Whether a command has nothing more to do. A question is asked again only if the site does not know it."""
        if program.alive or not program.started:
            return False
        if title == "asking" and self._queries():
            return True
        return program.exit_code == 0

    def _ready(self) -> bool:
        return all(set(peek(place, kind="ceremony").sessions.values()) == {"ready"} for place in self.places)

    def _queries(self) -> dict[bytes, str]:
        return peek(self.places[0], kind="query").sessions

    def _settle(self) -> None:
        """Wait until every site knows that the query is over, and has nothing left to say."""

        def calm() -> bool:
            for program in self.servers.values():
                if not program.alive:
                    program.start()
            found = [peek(place, kind="query").sessions for place in self.places]
            if any(set(each.values()) != {"done"} for each in found):
                return False
            if not (_listens(self.base.port) and all(map(_serves, self.places))):
                return False
            return not any(_unsent(place) for place in self.places) and not _waiting(self.directory / "relay")

        try:
            _until(calm, self.patience)
        except Stuck:
            raise Stuck(f"the sites did not come to rest: {self._told()}") from None

    def _packages(self) -> list[Path]:
        """Prepare a dataset for every site under the federation's key."""
        federation = load_public_file(self.places[0] / "federation.public")
        made = []
        for position, (patients, site) in enumerate(zip(PATIENTS, federation.sites, strict=True), start=1):
            target = Target(
                federation=federation.federation_id, transcript=federation.transcript, catalogue=CATALOGUE.hash,
                parameters=self.base.parameters, public_key=federation.public_key, site=site.key, residues=5,
            )  # fmt: skip
            csv = write_csv(self.directory / f"{position}.csv", rows(patients, self.seed + position))
            made.append(self.directory / f"{position}.consilium")
            begin_worker(*worker_arguments(target))
            seal_table(
                read_table(csv, mapping(), CATALOGUE), target, made[-1],
                preparer=PreparerKey(SecretBytes(b"p" * 32)), executor=Inline(), in_flight=2, now=NOW,
            )  # fmt: skip
        return made

    # --- what has become of it --------------------------------------------------------------------------------

    @property
    def truth(self) -> int:
        """The number that the sites must open together."""
        cohort = parse(self.question, CATALOGUE)
        patients = [_patient(row) for n, each in enumerate(PATIENTS, start=1) for row in rows(each, self.seed + n)]
        return count(cohort, patients, CATALOGUE)

    def judge(self) -> None:
        """Everything was done; nothing was done, said or computed twice; nothing was left; nobody was refused."""
        [query] = self._queries()
        for position, place in enumerate(self.places, start=1):
            with open_profile(place, program="tests") as profile:
                assert [(each.code, each.sender) for each in profile.store.refusals.all()] == []
                assert len(profile.store.datasets.all()) == 1
                assert profile.store.datasets.all()[0].active
                assert len(list(profile.store.dataset_directory.iterdir())) == 1
                kept = profile.store.sealed_secrets.names()
                assert [name for name in kept if not name.startswith("joining")] == ["dealt share"]
                assert leftovers(place) == []
                shares = profile.store.shares.of_session(query)
                assert [each.attempt for each in shares] == ([1] if position in (1, 2) else [])
                assert all(each.share is not None for each in shares)
                member = Member(profile, Inline(), _Nobody())
                said_once(member, query)
                if position == 1:
                    released = member.desk.result(query)
                    assert released is not None
                    assert released.numbers == (self.truth,), (released.numbers, self.truth)

    def _told(self) -> str:
        """What everybody has printed and where everybody is: for whoever reads a failure."""
        logs = {path.name: path.read_text("utf-8", "replace")[-2000:] for path in self.directory.glob("*.log")}
        states: dict[str, object] = {name: (each.alive, each.exit_code) for name, each in self.servers.items()}
        for place in self.places:
            with suppress(ConsiliumError):
                kinds = {kind: list(peek(place, kind=kind).sessions.values()) for kind in ("ceremony", "query")}
                states[f"{place.name} is"] = kinds
        return f"seed {self.seed}, killed {dict(self.killed)}, {states}, {logs}"


def said_once(member: Member, query: bytes) -> None:
    """Assert that in ceremony and query every site said each thing once, as this site has heard it."""
    ceremony = member.site.roster.ceremony
    for session, types in ((ceremony, ceremony_messages.MESSAGE_TYPES), (query, query_messages.MESSAGE_TYPES)):
        for type_ in types:
            heard: Counter[object] = Counter()
            for sender, body in member.mailroom.heard(session, type_):
                heard[sender, body[0] if isinstance(body, tuple) else None] += 1
            if type_ not in (query_messages.STATE, query_messages.NOTE):
                assert all(number == 1 for number in heard.values()), (type_, heard)


class _Nobody:
    """A post that is not used."""

    def send(self, envelope: bytes, recipients: tuple[int, ...]) -> None:
        raise AssertionError("a site that had nothing to say has said something")

    def fetch(self, name: bytes, limit: int) -> Sequence[bytes]:
        raise AssertionError(name)


def _patient(row: tuple[str, str, str, str]) -> dict[str, object]:
    _, smoker, sex, age = row
    return {
        "smoker": smoker == "1",
        "sex": {"": None, "2": "f"}.get(sex, sex),
        "age": None if age == "" else float(age),
    }


def _unsent(place: Path) -> int:
    with sqlite3.connect(f"{(place / 'site.db').as_uri()}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM messages_out WHERE sent IS NULL").fetchone()[0])


def _serves(place: Path) -> bool:
    """Whether an agent has the profile open and would hear a signal."""
    reached = reach(place)
    if reached is None:
        return False
    channel, greeting = reached
    channel.release()
    return greeting.state in ("agent", "offline")


def _listens(port: int) -> bool:
    """Whether the relay has come so far that it would hear a signal."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _waiting(relay: Path) -> int:
    with sqlite3.connect(f"{(relay / 'relay.db').as_uri()}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM mailboxes").fetchone()[0])
