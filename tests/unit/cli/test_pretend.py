"""The pretend command without making anything: what it says of hospitals that are not there, unfinished or asleep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.core import paths
from app.core.clock import SystemClock
from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Job, Progress
from app.core.secret import SecretBytes
from app.core.services import pretend, pretend_holder
from app.core.services.local_socket import Server, greeting
from app.core.services.pretend import Made
from app.core.services.profile import PRETEND_PASSPHRASE, create_profile, open_profile
from app.core.store.lock import OwnerLock

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "pretend"


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, as_json: bool = True) -> tuple[int, Any]:
        code = main(["pretend", command, "--place", str(place), *(["--json"] if as_json else [])])
        out = capsys.readouterr().out
        return code, json.loads(out) if as_json else out

    return call


def test_nothing_there(run: Run, place: Path) -> None:
    assert run("status")[1]["state"] == "none"
    assert run("stop") == (0, {"stopped": False})
    assert run("remove") == (0, {"removed": False})
    assert "There are no pretend hospitals" in run("status", as_json=False)[1]
    assert not place.exists()


def test_unfinished_then_asleep_then_gone(run: Run, place: Path) -> None:
    pretend.claim(place)
    (place / "site-1").mkdir()
    assert run("status")[1]["state"] == "unfinished"
    assert "was cut off" in run("status", as_json=False)[1]
    Made.of(1234).save(place)
    assert run("status")[1] == {
        "state": "stopped", "profile": str(place / "site-1"), "sites": ["Lausanne", "Geneva", "Bern"]
    }  # fmt: skip
    assert run("remove") == (0, {"removed": True})
    assert list(place.parent.iterdir()) == []


def test_removing_finishes_what_was_cut_off(run: Run, place: Path) -> None:
    left = place.with_name(".pretend-removing-1-2")
    (left / "site-2").mkdir(parents=True)
    assert run("remove") == (0, {"removed": False})
    assert list(place.parent.iterdir()) == []


def test_an_open_profile_is_not_removed(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend, "_OWN_SECONDS", 0.0)
    (place / "site-1").mkdir(parents=True)
    Made.of(1234).save(place)
    with OwnerLock.acquire(place / "site-1" / "owner.lock", program="window", now=SystemClock().now()):
        code, told = run("remove")
        assert (code, told["error"]["code"], told["error"]["params"]["program"]) == (1, "profile.in_use", "window")
    assert run("status")[1]["state"] == "stopped"


def test_a_damaged_record_is_no_record(place: Path) -> None:
    place.mkdir()
    for damaged in (b"", b"[]", b"{}", b'{"version": 2, "port": 1, "at": 1}', b'{"version": 1, "port": "x", "at": 1}'):
        (place / "pretend.json").write_bytes(damaged)
        assert Made.load(place) is None
    Made(1, 5, 6).save(place)
    assert Made.load(place) == Made(1, 5, 6)


def test_wiping_leaves_what_the_holder_has_open(place: Path) -> None:
    for name in ("site-1", "network", "logs"):
        (place / name).mkdir(parents=True)
    for name in ("owner.lock", "owner.address", "passphrase.txt", "site-1.csv"):
        (place / name).touch()
    pretend.wipe(place)
    assert {each.name for each in place.iterdir()} == {"logs", "owner.lock", "owner.address"}


def test_two_holders_cannot_be(place: Path) -> None:
    place.mkdir()
    with (
        OwnerLock.acquire(place / pretend.LOCK, program="another", now=SystemClock().now()),
        pytest.raises(EnvironmentProblem, match=r"pretend\.busy"),
    ):
        pretend_holder.hold(place, Job(), lambda _: None, federation="x")


def test_where_they_run_already_another_looks_on(place: Path) -> None:
    place.mkdir()
    server = Server(place, lambda channel: None, lambda: greeting(place, "another", pretend.RUNNING))
    try:
        assert pretend.status(place).state == pretend.RUNNING
        assert pretend.start(place=place) is None
        job, seen = Job(), list[Path]()

        def ready(profile: Path) -> None:
            seen.append(profile)
            job.cancel.cancel()

        pretend_holder.hold(place, job, ready, federation="x")
        assert seen == [place / "site-1"]
        pretend_holder.hold(place, Job(), lambda _: server.close(), federation="x")  # they end under its eyes
    finally:
        server.close()


def test_the_parts_make_up_the_whole() -> None:
    assert sum(pretend.STEPS.values()) == pytest.approx(1.0)
    whole = [pretend.overall(Progress(part, step, None)) for step in pretend.STEPS for part in (0.0, 0.5, 1.0)]
    assert whole == sorted(whole)
    assert (whole[0], whole[-1]) == (0.0, pytest.approx(1.0))


def test_a_pretend_profile_says_so_and_finds_its_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSILIUM_PASSPHRASE_FILE", raising=False)
    secret = SecretBytes(b"correct horse battery")
    (tmp_path / PRETEND_PASSPHRASE).write_bytes(secret.reveal() + b"\n")
    directory = tmp_path / "site-1"
    with create_profile(directory, name="A", contact="+41", passphrase=lambda: secret, pretend=True) as made:
        root = made.root
    with open_profile(directory) as opened:
        assert (opened.pretend, opened.root) == (True, root)
    with create_profile(tmp_path / "real", name="B", contact="+41", passphrase=lambda: secret) as real:
        assert not real.pretend


def test_it_lives_beside_the_users_profiles() -> None:
    assert paths.pretend_place().parent == paths.default_profile().parent.parent


def test_a_place_with_other_files_is_left_alone(run: Run, place: Path) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("years of work", "utf-8")
    assert run("status")[1]["state"] == "none"
    with pytest.raises(UserError, match=r"pretend\.other_files"):
        pretend.claim(place)
    run("remove")
    assert (place / "thesis.txt").read_text("utf-8") == "years of work"
