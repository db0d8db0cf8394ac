"""The commands on datasets over the local socket: list, report, check, activate, remove; an import cut off goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.preparation.reading import read_table
from app.core.secret import SecretBytes
from app.core.services.connect import Site, connect
from app.core.services.owner import Owner
from app.core.services.owner_clients import Call
from app.core.services.profile import open_profile
from app.core.store.documents import fingerprint, fingerprint_words
from app.core.store.package import Package
from tests.federations import PASSPHRASE, two_sites
from tests.packages import CATALOGUE, Inline, Maker, mapping, write_csv


class Served:
    """Site A with an owner in a thread of this process, and a client of its socket."""

    def __init__(self, base: Path) -> None:
        federation, profiles = two_sites(base)
        self.directory = base / "A"
        self.maker = Maker(
            base, federation=federation.federation_id, transcript=federation.transcript, site=profiles[0].member_key
        )
        for profile in profiles:
            profile.close()
        self._began, self._stop = threading.Event(), threading.Event()
        self.owner: Owner
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        assert self._began.wait(60)
        self.site: Site = connect(self.directory)

    def _live(self) -> None:
        passphrase = SecretBytes(PASSPHRASE.encode())
        profile = open_profile(self.directory, passphrase=lambda: passphrase, program="tests")
        with Owner(profile, program="tests", executor=Inline()) as self.owner:
            self._began.set()
            while not self._stop.is_set():
                self.owner.turn(0.05)

    def package(self, patients: int = 30, name: str = "1.consilium") -> str:
        return str(self.maker.package(self.maker.table(patients), name)[0])

    def import_(self, package: str, job: Job | None = None) -> dict[str, Any]:
        return self.site.call("data.import", {"package": package, "preparer": None}, job)

    def file(self, dataset: str) -> Path:
        return self.directory / "datasets" / f"{dataset}.consilium"

    def close(self) -> None:
        self.site.close()
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with closing(Served(tmp_path)) as made:
        yield made


def before_column(monkeypatch: pytest.MonkeyPatch, wanted: int, do: Callable[[], None]) -> None:
    """Have something done, in the owner's thread, when a column of a package is about to be read."""
    read = Package.group

    def column(self: Package, column: int, *others: Any) -> Iterator[tuple[int, bytes]]:
        if column == wanted:
            do()
        yield from read(self, column, *others)

    monkeypatch.setattr(Package, "group", column)


def test_a_list_says_what_there_is(served: Served) -> None:
    package = served.package()
    done = served.import_(package)
    (listed,) = served.site.call("data.list")["datasets"]
    key = served.maker.preparer.public
    assert (done["preparer"], done["preparer_words"]) == (fingerprint(key), fingerprint_words(key))
    assert (listed["preparer"], listed["preparer_words"]) == (fingerprint(key), fingerprint_words(key))
    assert (listed["dataset"], listed["version"], listed["active"]) == (done["dataset"], 1, True)
    assert listed["bytes"] == served.file(done["dataset"]).stat().st_size > 0
    assert (listed["variables"], listed["codes"]) == (3, ["smoker", "sex", "age"])
    assert listed["patients"] is None  # nobody can tell without the report
    assert served.site.call("data.list")["imports"] == []


def test_a_cancelled_import_is_listed_and_goes_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    package, job = served.package(), Job()
    stopped = threading.Event()

    def cancel() -> None:
        assert served.owner._current is not None
        with served.owner._current.job.cancel.interrupting(stopped.set):
            job.cancel.cancel()  # the client sends its wish over the socket …
            assert stopped.wait(30)  # … and here it arrives

    with monkeypatch.context() as patch:
        before_column(patch, 2, cancel)
        with pytest.raises(Cancelled):
            served.import_(package, job)
    found = served.site.call("data.list")
    assert found["datasets"] == []
    (unfinished,) = found["imports"]
    assert (unfinished["columns_done"], unfinished["columns"], unfinished["running"]) == (2, 7, False)
    assert unfinished["package"] == package
    told: list[Progress] = []
    assert served.import_(package, Job(told.append))["active"]
    assert told[0].fraction == pytest.approx(2 / 7)
    assert served.site.call("data.list")["imports"] == []


def test_others_are_served_while_an_import_runs(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    package, outcomes = served.package(), list[Any]()

    def ask() -> None:
        served.owner.submit(Call("data.list", {}, Job(), outcomes.append))
        again = {"package": served.package(31, "2.consilium"), "preparer": None}
        served.owner.submit(Call("data.import", again, Job(), outcomes.append))

    before_column(monkeypatch, 1, ask)
    assert served.import_(package)["version"] == 1
    found, refused = outcomes
    assert found["datasets"] == []
    assert [(each["running"], each["columns_done"]) for each in found["imports"]] == [(True, 2)]
    assert (type(refused), refused.code) == (UserError, "dataset.import_running")


def test_a_report_says_how_values_are_spread(served: Served) -> None:
    ages = ["45"] * 12 + ["55"] * 12 + ["70"] * 10 + [""] * 6
    people = [(f"p{n}", str(n % 2), "f" if n < 25 else "m", age) for n, age in enumerate(ages)]
    table = read_table(write_csv(served.maker.directory / "x.csv", people), mapping(), CATALOGUE)  # type: ignore[arg-type]
    path, header = served.maker.package(table, "x.consilium")
    served.import_(str(path))
    for named in ("", header.dataset.hex()[:6].upper()):
        found = served.site.call("data.report", {"dataset": named})
        assert (found["dataset"], found["rows"], found["patients"]) == (header.dataset.hex(), 40, 40)
        assert (found["refused_rows"], found["refused"], found["left_out"]) == (0, [], [])
        assert found["variables"] == [
            {"code": "smoker", "kind": "flag", "known": 20, "missing": None, "bins": []},
            {
                "code": "sex",
                "kind": "category",
                "known": 40,
                "missing": 0,
                "bins": [{"levels": ["f"], "count": 25}, {"levels": ["m"], "count": 15}],
            },
            {
                "code": "age",
                "kind": "number",
                "known": 34,
                "missing": 6,
                "bins": [
                    {"from": None, "to": "50", "count": 12},
                    {"from": "50", "to": "60", "count": 12},
                    {"from": "60", "to": None, "count": 10},
                ],
            },
        ]


def test_a_report_hides_the_few(served: Served) -> None:
    ages = ["45"] * 2 + ["55"] * 15 + ["70"] * 3
    people = [(f"p{n}", "1" if n < 3 else "0", "", age) for n, age in enumerate(ages)]
    table = read_table(write_csv(served.maker.directory / "x.csv", people), mapping(), CATALOGUE)  # type: ignore[arg-type]
    served.import_(str(served.maker.package(table, "x.consilium")[0]))
    smoker, sex, age = served.site.call("data.report", {"dataset": ""})["variables"]
    assert (smoker["known"], smoker["bins"]) == (None, [])
    assert (sex["known"], sex["missing"]) == (0, 20)
    assert age["bins"] == [{"from": None, "to": None, "count": 20}]


def test_an_import_says_what_changed(served: Served) -> None:
    first = served.import_(served.package(200))
    assert first["changes"] is None
    with pytest.raises(UserError, match=r"dataset\.no_version_before"):
        served.site.call("data.compare", {"older": "", "newer": ""})
    second = served.import_(served.package(203, "2.consilium"))
    assert second["changes"]["patients"] == {"before": 200, "after": 200}  # three more are nobody's business
    third = served.import_(served.package(300, "3.consilium"))
    changes = third["changes"]
    assert (changes["older"], changes["newer"]) == (2, 3)
    assert changes["patients"] == {"before": 200, "after": 300}
    assert (changes["added"], changes["removed"], changes["redefined"]) == ([], [], [])
    assert {each["code"] for each in changes["variables"]} == {"smoker", "sex", "age"}
    assert changes["problems"] == []
    assert served.site.call("data.compare", {"older": "", "newer": ""}) == changes
    asked = {"older": first["dataset"][:8], "newer": third["dataset"][:8]}
    assert served.site.call("data.compare", asked)["older"] == 1


def test_a_report_counts_problems(served: Served) -> None:
    served.import_(served.package())
    found = served.site.call("data.report", {"dataset": ""})
    assert found["problems"] == [
        {"code": "csv.unknown_level", "state": "refused", "column": "Stage", "variable": "stage", "count": 12}
    ]


def test_a_check_finds_a_changed_byte(served: Served) -> None:
    done = served.import_(served.package())
    told: list[Progress] = []
    found = served.site.call("data.check", {"dataset": ""}, Job(told.append))
    assert (found["whole"], found["version"]) == (True, 1)
    assert told[-1] == Progress(1.0, "data.step.verifying", 0.0)
    path = served.file(done["dataset"])
    data = bytearray(path.read_bytes())
    data[-70_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(EnvironmentProblem, match=r"dataset\.damaged"):
        served.site.call("data.check", {"dataset": done["dataset"]})
    path.unlink()
    with pytest.raises(EnvironmentProblem, match=r"dataset\.damaged"):
        served.site.call("data.check", {"dataset": done["dataset"]})


def test_a_check_can_be_cancelled(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.import_(served.package())
    job, stopped = Job(), threading.Event()

    def cancel() -> None:
        assert served.owner._current is not None
        with served.owner._current.job.cancel.interrupting(stopped.set):
            job.cancel.cancel()
            assert stopped.wait(30)

    before_column(monkeypatch, 3, cancel)
    with pytest.raises(Cancelled):
        served.site.call("data.check", {"dataset": ""}, job)


def test_the_active_one_goes_only_by_force(served: Served) -> None:
    with pytest.raises(UserError, match=r"dataset\.none_active"):
        served.site.call("data.check", {"dataset": ""})
    first, second = (served.import_(served.package(count, f"{count}.consilium"))["dataset"] for count in (30, 31))
    assert served.site.call("data.activate", {"dataset": first})["version"] == 1
    assert [each["active"] for each in served.site.call("data.list")["datasets"]] == [True, False]
    with pytest.raises(UserError, match=r"dataset\.active"):
        served.site.call("data.remove", {"dataset": first, "force": False})
    assert served.file(first).exists()
    size = served.file(second).stat().st_size
    assert served.site.call("data.remove", {"dataset": second, "force": False}) == {"freed": size}
    assert served.site.call("data.remove", {"dataset": first, "force": True})["freed"] == size
    assert served.site.call("data.list") == {"datasets": [], "imports": []}
    assert list((served.directory / "datasets").iterdir()) == []
    with pytest.raises(UserError, match=r"dataset\.not_found"):
        served.site.call("data.remove", {"dataset": first, "force": True})


def test_an_unfinished_import_can_be_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    package = served.package()
    with monkeypatch.context() as patch:

        def full() -> None:
            raise EnvironmentProblem("disk.full", path="x")

        before_column(patch, 3, full)
        with pytest.raises(EnvironmentProblem, match=r"disk\.full"):
            served.import_(package)
    (unfinished,) = served.site.call("data.list")["imports"]
    assert served.site.call("data.remove", {"dataset": unfinished["dataset"], "force": False})["freed"] > 0
    assert served.site.call("data.list") == {"datasets": [], "imports": []}
    assert list((served.directory / "datasets").iterdir()) == []
