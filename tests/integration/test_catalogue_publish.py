"""Three hospitals with agents of their own and a real relay get new versions of their catalogue, and ask each other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import catalogue_publish
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.catalogue.writing import format_catalogue
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.public_file import load_public_file
from app.core.preparation.encrypting import begin_worker
from app.core.preparation.preparer import PreparerKey
from app.core.preparation.sealing import Target, seal_table, worker_arguments
from app.core.secret import SecretBytes
from app.core.services.commands import Waiting
from app.core.services.connect import Site, connect
from app.core.services.profile import OpenProfile
from tests.clear_tables import clear_table
from tests.faults.hospitals import SITES, founded
from tests.faults.programs import Program
from tests.packages import CATALOGUE, NOW, Inline, rows

_PATIENCE = 240.0


class Hospitals:
    """Three agents and a relay as processes; their ceremony is done."""

    def __init__(self, directory: Path, port: int, stack: ExitStack) -> None:
        self.directory = directory
        self.places = [directory / f"site-{position}" for position in range(1, SITES + 1)]
        programs = [
            self._program("relay", "relay", "serve", "--data", str(directory / "relay"), "--port", str(port)),
            *(self._program(place.name, "agent", "--profile", str(place)) for place in self.places),
        ]
        for each in programs:
            stack.callback(each.close)
            stack.callback(each.stop)
            each.start()
        for position in range(1, SITES + 1):
            self.until(position, lambda site: site.call("site.overview")["stage"] == "ready")
        self.until(1, lambda site: site.call("catalogue.show")["sites"] == SITES)

    def _program(self, name: str, *arguments: str) -> Program:
        return Program(arguments, self.directory / f"{name}.log")

    def until(self, position: int, done: Callable[[Site], bool]) -> None:
        """Wait until it is so at a site, looking again whenever something has changed there."""
        deadline = time.monotonic() + _PATIENCE
        with connect(self.places[position - 1], patience=_PATIENCE, open_profile=_by_its_agent) as site:
            while True:
                number = site.call("site.watch", {"after": 0, "wait": 0})["number"]
                if done(site):
                    return
                if (left := deadline - time.monotonic()) <= 0:
                    logs = {log.name: log.read_text("utf-8", "replace")[-2000:] for log in self.directory.glob("*.log")}
                    raise AssertionError(f"waited in vain: {logs}")
                site.call("site.watch", {"after": number, "wait": min(60, int(left) + 1)})

    def call(self, position: int, name: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the agent of a site."""
        with connect(self.places[position - 1], become=False) as site:
            return site.call(name, values or {})

    def versions(self, position: int) -> dict[int, str]:
        """The state of each version at a site."""
        return _states(self.call(position, "catalogue.versions"))

    def until_waiting(self, position: int, version: int) -> None:
        """Wait until a version has come to a site, and waits there."""
        self.until(position, lambda site: _states(site.call("catalogue.versions")).get(version) == "waiting")

    def publish(self, position: int, catalogue: Catalogue, note: str = "") -> dict[str, Any]:
        """Publish a catalogue, and wait until it waits everywhere else."""
        path = self.directory / f"catalogue-{catalogue.version}.toml"
        path.write_text(format_catalogue(catalogue), "utf-8")
        done = self.call(position, "catalogue.publish", {"path": str(path), "note": note})
        for other in set(range(1, SITES + 1)) - {position}:
            self.until_waiting(other, catalogue.version)
        return done

    def give_data(self, position: int, exporter: int, patients: int, extra: str = "") -> dict[str, Any]:
        """Seal data with the public file of ``exporter``, and import it; every third patient has ``extra``."""
        public = self.directory / f"{exporter}.public"
        self.call(exporter, "federation.export_public", {"path": str(public)})
        federation = load_public_file(public)
        target = Target(
            federation=federation.federation_id,
            transcript=federation.transcript,
            catalogue=federation.catalogue.hash,
            parameters=federation.parameters,
            public_key=federation.public_key,
            site=federation.sites[position - 1].key,
            residues=5,
        )
        values = [patient(row) | {extra: number % 3 == 0} for number, row in enumerate(rows(patients, position))]
        package = self.directory / f"{position}-{federation.catalogue.version}.consilium"
        begin_worker(*worker_arguments(target))
        key = PreparerKey(SecretBytes(b"p" * 32))
        table = clear_table(federation.catalogue, values)
        seal_table(table, target, package, preparer=key, executor=Inline(), in_flight=2, now=NOW)
        return self.call(position, "data.import", {"package": str(package), "preparer": None})

    def ask(self, position: int, question: str, minimum: int = 3) -> dict[str, Any]:
        """Ask everybody, and wait for the answer."""
        asked = {"text": question, "epsilon": "", "sites": [], "minimum": minimum, "deadline": 0, "purpose": "A test"}
        with suppress(Waiting):
            return self.call(position, "query.run", {**asked, "wait": 120})
        raise AssertionError(self.call(position, "query.list")["queries"][0])


def _by_its_agent(directory: Path) -> OpenProfile:
    raise EnvironmentProblem("profile.in_use", path=str(directory))  # so that whoever connects waits for the agent


def _states(found: Mapping[str, Any]) -> dict[int, str]:
    return {each["version"]: each["state"] for each in found["versions"]}


def patient(row: tuple[str, str, str, str]) -> dict[str, object]:
    """The values of a made-up patient."""
    _, smoker, sex, age = row
    return {"smoker": smoker == "1", "sex": {"2": "f"}.get(sex, sex) or None, "age": Decimal(age) if age else None}


@pytest.fixture(scope="module")
def hospitals() -> Iterator[Hospitals]:
    with founded() as base, ExitStack() as stack:
        yield Hospitals(base.directory, base.port, stack)


def truth(wanted: Callable[[tuple[str, str, str, str]], bool], patients: Mapping[int, int]) -> int:
    return sum(wanted(row) for seed, count in patients.items() for row in rows(count, seed))


PATIENTS = {1: 30, 2: 41, 3: 52}
RELABELLED = tuple(replace(variable, label=Label("New words")) for variable in CATALOGUE)
SECOND = replace(CATALOGUE, version=2, variables=RELABELLED)
OTHER_AGE = replace(CATALOGUE.variable("age"), cut_points=(Decimal(40), Decimal(60)))
THIRD = replace(SECOND, version=3, variables=(*RELABELLED[:2], OTHER_AGE, Variable("cough", Kind.FLAG, Label("Cough"))))


def test_a_federation_goes_on_to_new_versions_of_its_catalogue(hospitals: Hospitals) -> None:
    for position, patients in PATIENTS.items():
        assert hospitals.give_data(position, 1, patients)["unusable"] == []
    smokers = truth(lambda row: row[1] == "1", PATIENTS)
    assert hospitals.ask(1, "smoker")["answer"]["count"] == smokers

    # other labels: data of before stays usable, whoever has accepted or not
    done = hospitals.publish(1, SECOND, "Better words")
    assert (done["changes"]["shown"], done["unusable"]) == (["smoker", "sex", "age"], [])
    assert hospitals.call(2, "site.overview")["waiting_catalogue"] == 2
    assert hospitals.call(2, "catalogue.accept", {"version": 2})["author"] == "Site 1"
    assert [hospitals.call(each, "site.overview")["waiting_catalogue"] for each in (1, 2, 3)] == [0, 0, 2]
    older = truth(lambda row: row[3] != "" and float(row[3]) >= 50, PATIENTS)
    for asker in (1, 2, 3):
        assert hospitals.ask(asker, "smoker")["answer"]["count"] == smokers
        assert hospitals.ask(asker, "age >= 50")["answer"]["count"] == older
    hospitals.until(3, lambda site: site.call("catalogue.show")["held"] == {"smoker": 3, "sex": 3, "age": 3})
    where = {each["version"]: each["sites"] for each in hospitals.call(1, "catalogue.versions")["versions"]}
    assert where == {1: ["Site 3"], 2: ["Site 1", "Site 2"]}

    # another cut point: that variable is not usable where data is of before, by name; the others are
    done = hospitals.publish(2, THIRD)
    assert done["changes"] == {"added": ["cough"], "removed": [], "meaning": ["age"], "shown": [], "groups": []}
    assert done["unusable"] == ["age"]
    with pytest.raises(UserError) as problem:
        hospitals.ask(2, "age >= 40")
    assert (problem.value.code, problem.value.params["variable"]) == ("query.variable_differs", "age")
    with pytest.raises(UserError) as problem:
        hospitals.ask(2, "cough")
    assert (problem.value.code, problem.value.params["variable"]) == ("query.variable_not_in_dataset", "cough")
    assert hospitals.ask(2, "smoker")["answer"]["count"] == smokers
    assert hospitals.ask(1, "age >= 50")["answer"]["count"] == older, "with the catalogue that is in force at site 1"

    # new data, also where the new version was not accepted yet
    hospitals.call(1, "catalogue.accept", {"version": 3})
    assert hospitals.give_data(2, 2, 60, "cough")["unusable"] == []
    assert hospitals.give_data(3, 2, 70, "cough")["unusable"] == ["age", "cough"], "at site 3 version 1 is in force"
    assert hospitals.versions(3) == {1: "in_force", 2: "waiting", 3: "waiting"}
    for position in PATIENTS:
        hospitals.call(position, "policy.set", {"mode": None, "exact": None, "noised": None, "others": 1})
    found = hospitals.ask(2, "cough", minimum=2)
    states = {each["site"]: (each["state"], each["code"]) for each in found["sites"]}
    assert states["Site 1"] == ("variable missing", "query.variable_not_in_dataset")
    assert found["answer"]["contributors"] == ["Site 2", "Site 3"]
    assert found["answer"]["count"] == 20 + 24
    with pytest.raises(UserError, match=r"query\.(unknown|no_such)_variable"):
        hospitals.ask(3, "cough")
    assert hospitals.give_data(1, 1, 30, "cough")["unusable"] == []
    hospitals.call(3, "catalogue.accept", {"version": 3})
    for asker in (1, 3):
        assert hospitals.ask(asker, "cough")["answer"]["count"] == 10 + 20 + 24
    older = truth(lambda row: row[3] != "" and float(row[3]) >= 60, {1: 30, 2: 60, 3: 70})
    assert hospitals.ask(3, "age >= 60")["answer"]["count"] == older
    hospitals.until(1, lambda site: site.call("catalogue.show")["held"].get("cough") == 3)

    # what was asked before is still shown, with the words of its version
    for query in hospitals.call(1, "query.list")["queries"]:
        shown = hospitals.call(1, "query.show", {"id": query["id"]})
        assert Catalogue.from_cbor(shown["catalogue"]).find(query["text"].split(" ")[0]) is not None
    for request in hospitals.call(3, "request.list")["requests"]:
        assert hospitals.call(3, "request.show", {"id": request["id"]})["catalogue"]


def test_a_person_sees_what_a_version_changes(hospitals: Hospitals, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()
    catalogue_publish.add_to(app)
    current = Catalogue.from_cbor(hospitals.call(1, "catalogue.show")["catalogue"])
    file = hospitals.directory / "next.toml"
    removed = replace(current, version=current.version + 1, variables=current.variables[1:])
    file.write_text(format_catalogue(removed), "utf-8")

    def run(position: int, *arguments: str, answer: str = "") -> Any:
        profile = ["--profile", str(hospitals.places[position - 1])]
        return CliRunner(env={"CONSILIUM_LANGUAGE": "en", **os.environ}).invoke(app, [*arguments, *profile], answer)

    asked = run(1, "publish", str(file), answer="n\n")
    assert asked.exit_code == 1
    assert "1 removed: smoker" in asked.output
    assert "cannot be asked about any more until it is prepared anew: smoker" in asked.output
    assert hospitals.call(1, "catalogue.versions")["in_force"] == current.version
    done = run(1, "publish", str(file), "--note", "No smoking", answer="y\n")
    assert done.exit_code == 0, done.output
    hospitals.until_waiting(2, removed.version)
    assert f"accept it: consilium catalogue accept {removed.version}" in run(2, "versions").output.lower()
    assert "No smoking" in run(2, "versions").output
    taken = json.loads(run(2, "accept", str(removed.version), "--json").stdout)
    assert taken["changes"]["removed"] == ["smoker"]
    assert hospitals.call(2, "catalogue.versions")["in_force"] == removed.version
