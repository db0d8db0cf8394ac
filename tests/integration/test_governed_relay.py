"""Five hospitals with rules of their own at a real relay, as their people type it.

One answers nothing, one asks a person, one is away, and two answer by themselves, each under conditions.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core.federation.public_file import load_public_file
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.sealing import Target, seal_table, worker_arguments
from app.core.secret import SecretBytes
from app.core.services.connect import connect
from app.core.services.owner import Owner
from app.core.services.profile import open_profile
from tests.agent_sites import passphrase
from tests.clear_tables import clear_table
from tests.federation_sites import CATALOGUE, Inline
from tests.relay_server import RelayServer, TestClock, running_relay
from tests.relay_sites import RelaySites

ASKER, PERSON, AUTOMATIC, NEVER, AWAY = 1, 2, 3, 4, 5
"""The sites: who asks, whose policy asks a person, who answers by itself, who declines, and who is away."""
ALL = (ASKER, PERSON, AUTOMATIC, NEVER, AWAY)
PATIENTS = 60
HALF = [{"smoker": row % 2 == 0, "died": row in (0, 1, 3)} for row in range(PATIENTS)]
"""What each site has: 30 smokers, 3 who died, one of them a smoker."""
DAY, HOUR = timedelta(days=1), 3_600_000
LATER, TOMORROW = ((datetime.now(UTC) + each * DAY).strftime("%Y-%m-%d") for each in (100, 1))
PREPARER = PreparerKey(SecretBytes(b"p" * 32))


class Hospitals(RelaySites):
    """Five sites, of which three open a result; their clock can be put ahead."""

    quorum = 3

    def __init__(self, base: Path, relay: RelayServer) -> None:
        super().__init__(base / "sites", relay, count=len(ALL))
        self.clock = relay.clock
        self.secret = base / "passphrase.txt"
        self.secret.write_text("the custodian’s passphrase\n", "utf-8")
        self._base = base
        self._away = ExitStack()

    def owner(self, position: int) -> Owner:
        """Open a site in this thread."""
        profile = open_profile(self.directories[position - 1], passphrase=passphrase, clock=self.clock, program="tests")
        return Owner(profile, program="tests", executor=Inline())

    # --- at work ----------------------------------------------------------------------------------------------

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let all agents run, make the collective key, and seal what each site has."""
        with self._away, self.running(*ALL[:-1]):
            self.comes_back()
            for position in ALL:
                assert self.call(position, "test.ready")["state"] == "ready"
            for position in ALL:
                self.call(position, "data.import", {"package": str(self._sealed(position)), "preparer": None})
            for position in ALL:
                self.call(position, "test.told")
            yield

    def comes_back(self) -> None:
        """The site that is away is there again."""
        self._away.enter_context(self.running(AWAY))

    def goes_away(self) -> None:
        """Switch one site's computer off."""
        self._away.close()

    def _sealed(self, position: int) -> Path:
        public = load_public_file(self.directories[position - 1] / "federation.public")
        target = Target(
            federation=public.federation_id,
            transcript=public.transcript,
            catalogue=CATALOGUE.hash,
            parameters=public.parameters,
            public_key=public.public_key,
            site=self.roster.keys[position],
            residues=6,
            sharing=1,
        )
        begin_worker(*worker_arguments(target))
        path = self._base / f"{position}.consilium"
        table = clear_table(CATALOGUE, HALF)
        seal_table(table, target, path, preparer=PREPARER, executor=Inline(), in_flight=2, now=1)
        return path

    # --- commands ---------------------------------------------------------------------------------------------

    def run(self, position: int, *words: object, code: int | None = 0) -> dict[str, Any]:
        """Type a command at a site; return what it says as JSON. ``code`` is the exit code; None for any."""
        said = self._type(position, words, "--json", code=code)
        return dict(json.loads(said)) if said else {}

    def said(self, position: int, *words: object, code: int | None = 0) -> str:
        """Type a command at a site; return what it says to people."""
        return self._type(position, words, code=code)

    def _type(self, position: int, words: tuple[object, ...], *more: str, code: int | None) -> str:
        line = [str(each) for each in words]
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
            done = main([*line[:2], "--profile", str(self.directories[position - 1]), *more, *line[2:]])
        assert code in (None, done), (line, out.getvalue(), errors.getvalue())
        return out.getvalue() if more else out.getvalue() + errors.getvalue()

    def signed(self, position: int, *words: object, **options: Any) -> dict[str, Any]:
        """Type a command at a site that the custodian signs."""
        return self.run(position, *words[:2], "--passphrase-file", self.secret, *words[2:], **options)

    def until(
        self, position: int, done: Callable[[dict[str, Any]], Any], name: str, values: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what ``done`` makes of a command's answer, asked again whenever something has changed there."""
        with connect(self.directories[position - 1], become=False) as site:
            while True:
                number = site.call("site.watch", {"after": 0, "wait": 0})["number"]
                if found := done(site.call(name, dict(values or {}))):
                    return found
                site.call("site.watch", {"after": number, "wait": 60})


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    """The five, with Ada, whom the asker's custodian has endorsed, and her project, approved everywhere."""
    base = tmp_path_factory.mktemp("governed")
    language, os.environ["CONSILIUM_LANGUAGE"] = os.environ.get("CONSILIUM_LANGUAGE"), "en"
    with running_relay(base / "relay", clock=TestClock()) as relay:
        made = Hospitals(base, relay)
        with made.at_work():
            _govern(made)
            yield made
    if language is None:
        del os.environ["CONSILIUM_LANGUAGE"]
    else:
        os.environ["CONSILIUM_LANGUAGE"] = language


def _govern(made: Hospitals) -> None:
    """Endorse Ada, let every site approve her project, and give each site its rules."""
    for position in (ASKER, AUTOMATIC):
        assert made.signed(position, "people", "custodian")["waits"] is False
    endorse(made, "Ada", "total-exact", LATER)
    options = ("--purpose", "Whom it helps", "--legal-basis", "Art. 34", "--member", "Ada", "--until", LATER)
    made.signed(ASKER, "project", "new", *options, "Lungs")
    for position in ALL[1:]:
        made.until(position, lambda said: said["projects"], "project.list")
        assert made.signed(position, "project", "approve", "Lungs")["state"] == "approved"
    made.run(PERSON, "policy", "set", "--mode", "ask")
    made.run(NEVER, "policy", "set", "--mode", "never")
    rules = made.run(AUTOMATIC, "policy", "set", "--people", "endorsed", "--projects", "approved", "--enforced")
    assert (rules["version"], rules["draft"] is None) == (0, False), "without the custodian it is a draft"
    assert "waits for the custodian’s signature" in made.said(AUTOMATIC, "policy", "show")
    assert made.signed(AUTOMATIC, "policy", "sign")["signed_by"] == "custodian"
    for position in ALL:
        made.until(position, lambda said: len(said["people"]) == 1, "people.list")


def endorse(made: Hospitals, person: str, role: str, until: str, **options: Any) -> dict[str, Any]:
    """Make a key for somebody at the asker's site, and endorse it."""
    request = made.run(ASKER, "people", "key", person)["request"]
    return made.signed(ASKER, "people", "endorse", "--role", role, "--until", until, "--yes", request, **options)


def ask(made: Hospitals, question: str, *words: object, wait: int = 60, code: int | None = 0) -> dict[str, Any]:
    """Ask in Ada's name under her project."""
    who = ("--person", "Ada", "--project", "Lungs", "--wait", wait)
    return made.run(ASKER, "query", "run", *who, *words, question, code=code)


def newest(made: Hospitals) -> str:
    """The id of the question that was asked last."""
    return str(made.run(ASKER, "query", "list")["queries"][0]["id"])


def waiting(made: Hospitals, id: str) -> dict[str, Any]:
    """A request, once it waits for a person at the site that asks one."""

    def there(said: dict[str, Any]) -> Any:
        return next((each for each in said["requests"] if (each["id"], each["state"]) == (id, "waiting")), None)

    return dict(made.until(PERSON, there, "request.list"))


def of(found: dict[str, Any], position: int) -> dict[str, Any]:
    """Where one site is in a query."""
    return next(each for each in found["sites"] if each["site"] == f"Site {position}")


def shown(made: Hospitals, id: str, done: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """What is told of a question at the asker's site, once that is ``done``."""
    return dict(made.until(ASKER, lambda said: said if done(said) else None, "query.show", {"id": id}))


def decided(made: Hospitals, id: str) -> dict[str, Any]:
    """A question, once all that can answer by themselves have said whether they do."""
    return shown(made, id, lambda said: all(of(said, each)["state"] in _SAID for each in (AUTOMATIC, NEVER, AWAY)))


_SAID = ("committed", "answered", "declined", "late")


# --- the whole way ------------------------------------------------------------------------------------------------


def test_a_question_goes_its_whole_way(hospitals: Hospitals) -> None:
    ask(hospitals, "smoker", wait=0, code=3)
    id = newest(hospitals)
    request = waiting(hospitals, id)
    assert (request["asker"], request["asked_by"], request["project"]) == ("Site 1", "Ada", "Lungs")
    assert request["smallest"] == {"least": 11, "zeros": True, "binding": "cryptography"}
    said = hospitals.said(PERSON, "request", "show", id[:12])
    assert "Asked by Ada.\nIn the project “Lungs”." in said
    assert "if at least 3 of Site 1, Site 2, Site 3, Site 4, Site 5 answer" in said
    assert hospitals.run(PERSON, "policy", "preview", "--request", id)["verdict"] == "ask"
    hospitals.run(PERSON, "request", "ask", id, "Who will see it?")
    shown(hospitals, id, lambda said: said["notes"])
    assert "Site 2 writes: Who will see it?" in hospitals.said(ASKER, "query", "show", id)
    assert hospitals.run(PERSON, "request", "answer", id)["decided"] == "answer"

    found = hospitals.run(ASKER, "query", "wait", id, "--wait", 60)
    assert (found["state"], found["answer"]["count"]) == ("released", 4 * 30)
    assert found["answer"]["contributors"] == ["Site 1", "Site 2", "Site 3", "Site 5"]
    declined = of(found, NEVER)
    assert (declined["state"], declined["code"]) == ("declined", "policy.never")
    assert {"rule": "mode", "source": "site", "version": 1}.items() <= declined["reason"].items()
    said = hospitals.said(ASKER, "query", "show", id)
    assert "answers no requests of this kind at present. (the site’s own policy, version 1)" in said
    assert "declined" in hospitals.said(NEVER, "request", "show", id)


def test_a_site_that_is_away_is_left_out_at_the_deadline(hospitals: Hospitals) -> None:
    hospitals.goes_away()
    try:
        ask(hospitals, "smoker or died", "--deadline", "2h", wait=0, code=3)
        id = newest(hospitals)
        waiting(hospitals, id)
        hospitals.run(PERSON, "request", "answer", id)
        shown(hospitals, id, lambda said: all(of(said, each)["state"] == "committed" for each in (1, 2, 3)))
        hospitals.clock.ahead += 3 * HOUR
        found = hospitals.run(ASKER, "query", "wait", id, "--wait", 60)
    finally:
        hospitals.comes_back()
    assert found["answer"]["count"] == 3 * 32
    assert (of(found, AWAY)["state"], of(found, NEVER)["state"]) == ("late", "declined")
    assert str(AWAY) not in "".join(found["protection"]["openers"]), "three others open the result"


def test_a_person_declines_and_the_asker_reads_why(hospitals: Hospitals) -> None:
    ask(hospitals, "not smoker", wait=0, code=3)
    id = newest(hospitals)
    waiting(hospitals, id)
    assert hospitals.run(PERSON, "request", "decline", id, "--reason", "Not for lungs")["state"] == "declined"
    found = hospitals.run(ASKER, "query", "wait", id, "--wait", 60)
    assert found["answer"]["contributors"] == ["Site 1", "Site 3", "Site 5"]
    assert of(found, PERSON)["code"] == "query.declined"
    said = hospitals.said(ASKER, "query", "show", id)
    assert "declined: A person at the site declined." in said
    assert "Site 2 writes: Not for lungs" in said


# --- what it costs, and what is withheld --------------------------------------------------------------------------


def test_noise_has_a_price_and_asking_again_is_free(hospitals: Hospitals) -> None:
    rules = hospitals.secret.with_name("rules.toml")
    rules.write_text('[budget]\ncap = "1"\n', "utf-8")
    hospitals.run(AUTOMATIC, "policy", "edit", "--file", rules)
    hospitals.signed(AUTOMATIC, "policy", "sign")
    noised, others = ("--noise", "1/2"), ("--sites", "Site 1,Site 3,Site 5")
    explained = hospitals.run(AUTOMATIC, "query", "explain", "--noise", "1/2", "not died")
    assert (explained["price"]["epsilon"], explained["price"]["left"]) == ("1/2", "1")
    first = ask(hospitals, "not died", *noised, *others)
    spent = hospitals.run(AUTOMATIC, "budget", "show")
    assert (spent["spent"], spent["left"]) == ("1/2", "1/2")
    assert (spent["entries"][0]["person"], spent["entries"][0]["query"]) == ("Ada", first["id"])
    again = ask(hospitals, "not (died)", *noised, *others)
    assert again["answer"]["count"] == first["answer"]["count"], "the same noise"
    assert hospitals.run(AUTOMATIC, "budget", "show")["entries"] == spent["entries"]

    ask(hospitals, "not died and smoker", *noised, *others)
    ask(hospitals, "not died or smoker", *noised, *others, code=1)
    refused = of(hospitals.run(ASKER, "query", "show", newest(hospitals)), AUTOMATIC)
    assert (refused["code"], refused["reason"]["left"]) == ("budget.exhausted_site", "0")
    said = hospitals.said(ASKER, "query", "show", newest(hospitals))
    assert "this answer needs ε = 1/2, and 0 is left." in said
    assert "Left: 0." in hospitals.said(AUTOMATIC, "budget", "show")


def test_small_counts_are_withheld_by_cryptography_where_one_policy_wants_it(hospitals: Hospitals) -> None:
    others = ("--sites", "Site 1,Site 3,Site 5")
    found = ask(hospitals, "smoker and died", *others)
    assert found["protection"]["smallest"] == {"least": 11, "zeros": True, "binding": "cryptography"}
    assert found["answer"]["count"] == {"withheld": "below", "least": 11}
    without = ask(hospitals, "smoker and not died", "--sites", "Site 1,Site 5", "--min-sites", 2, code=1)
    assert without["error"]["code"] == "policy.own_too_few_sites", "a question that nobody would answer is not sent"
    assert without["error"]["params"]["least"] == 2


# --- refusals -----------------------------------------------------------------------------------------------------


def test_what_a_policy_refuses_names_rule_version_and_source(hospitals: Hospitals) -> None:
    hospitals.run(AUTOMATIC, "policy", "set", "--never", "died")
    version = hospitals.signed(AUTOMATIC, "policy", "sign")["version"]
    preview = hospitals.run(
        AUTOMATIC, "policy", "preview", "died and not smoker", "--person", "Ada", "--asker", "Site 1"
    )
    never = next(each for each in preview["findings"] if each["rule"] == "never")
    assert (preview["verdict"], never["holds"], never["version"]) == ("decline", False, version)
    asked = ask(hospitals, "died and not smoker", "--sites", "Site 3,Site 4,Site 5", code=1)
    told = of(asked, AUTOMATIC)
    assert (told["code"], told["reason"]["variable"], told["reason"]["version"]) == (
        "policy.never_used",
        "died",
        version,
    )
    said = hospitals.said(ASKER, "query", "show", asked["id"])
    assert f"(the site’s own policy, version {version} – died)" in said
    hospitals.run(AUTOMATIC, "policy", "set", "--never", "none")
    hospitals.signed(AUTOMATIC, "policy", "sign")

    few = ask(hospitals, "not smoker", "--sites", "Site 3,Site 4", "--min-sites", 2, code=1)
    assert (few["code"], of(few, NEVER)["code"]) == ("query.too_few_sites", "policy.never")
    nobody = hospitals.run(ASKER, "query", "run", "--sites", "Site 1,Site 3,Site 4,Site 5", "smoker", code=1)
    assert of(nobody, AUTOMATIC)["code"] == "policy.not_endorsed"
    assert of(nobody, AUTOMATIC)["reason"]["rule"] == "people"


def test_a_role_tells_no_more_than_it_says_and_ends_with_its_revocation(hospitals: Hospitals) -> None:
    endorse(hospitals, "Bo", "total-noised", LATER)
    for position in (AUTOMATIC, AWAY):
        hospitals.until(
            position, lambda said: [each for each in said["people"] if each["person"] == "Bo"], "people.list"
        )
    as_bo = ("--person", "Bo", "--sites", "Site 1,Site 3,Site 5", "--wait", 60)
    weak = hospitals.run(ASKER, "query", "run", *as_bo, "died", code=None)
    assert weak["error"]["code"] == "people.role_too_weak", "the asker's own site says it before anything is sent"
    noised = hospitals.run(ASKER, "query", "run", "--noise", "1/4", *as_bo, "died", code=None)
    assert of(noised, AUTOMATIC)["code"] == "policy.no_project"
    assert of(noised, AWAY)["code"] == ""

    [bo] = [each for each in hospitals.run(ASKER, "people", "list")["people"] if each["person"] == "Bo"]
    hospitals.signed(ASKER, "people", "revoke", "--reason", "Has left", bo["id"])
    hospitals.until(AWAY, lambda said: [each for each in said["people"] if each["state"] == "revoked"], "people.list")
    revoked = hospitals.run(ASKER, "query", "run", "--noise", "1/4", *as_bo, "died", code=None)
    assert revoked["error"]["code"].startswith("people.")


def test_a_closed_project_is_closed_everywhere(hospitals: Hospitals) -> None:
    hospitals.signed(ASKER, "project", "close", "Lungs")
    hospitals.until(AUTOMATIC, lambda said: said["projects"][0]["state"] == "closed", "project.list")
    closed = ask(hospitals, "died or not smoker", "--sites", "Site 1,Site 3,Site 5", code=None)
    assert closed["error"]["code"] == "project.closed"


# --- afterwards ---------------------------------------------------------------------------------------------------


def test_every_site_can_say_afterwards_what_it_told(hospitals: Hospitals, tmp_path: Path) -> None:
    for position in (ASKER, PERSON, AUTOMATIC, NEVER, AWAY):
        verified = hospitals.run(position, "audit", "verify", "--ask")
        assert (verified["ok"], verified["problems"]) == (True, []), position
        exported = tmp_path / f"{position}.csv"
        hospitals.run(position, "audit", "export", exported)
        assert exported.read_text("utf-8").count("\n") >= verified["records"]
    kinds = {each["kind"] for each in hospitals.run(AUTOMATIC, "audit", "show", "--most", 500)["records"]}
    assert {"policy.signed", "request.received", "contribution", "share", "people.endorsed"} <= kinds, kinds
