"""A site that dies anywhere in the ceremony goes on from its disk, to the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem
from app.core.federation import ceremony as ceremonies
from app.core.federation import rounds
from app.core.federation.ceremony_messages import COMMIT, REVEAL
from app.core.federation.local_site import LocalSite
from app.core.federation.public_file import load_public_file
from app.core.federation.rounds import ROUNDS
from tests.crash import Killer, leftovers
from tests.federation_sites import Federation, parse
from tests.mortal_process import SIGKILL


def check_end(federation: Federation) -> None:
    """Everyone has the same keys, everything was said once, nothing is left over."""
    for position, node in federation.nodes.items():
        assert node.ceremony.advance().state == ceremonies.READY
        assert node.refusals == []
        assert node.profile.sealed_secrets.names() == ("dealt share",)
        assert node.profile.outbox.unsent() == ()
        entries = node.profile.shares.of_session(node.ceremony.session)
        assert entries
        assert all(entry.share is not None for entry in entries)
        said = [each for each in node.profile.inbox.of_session(node.ceremony.session)]
        assert Counter((each.sender, each.type) for each in said) == {
            (sender, type_): len(ROUNDS) for sender in federation.positions for type_ in (COMMIT, REVEAL)
        }
        assert leftovers(federation.directory(position)) == []
        directories = list((federation.directory(position) / "keys").iterdir())
        assert directories == [node.site.key_directory]
    public = {(federation.directory(position) / "federation.public").read_bytes() for position in federation.positions}
    assert len(public) == 1
    load_public_file(federation.directory(1) / "federation.public")
    keys = [
        {path.name: path.read_bytes() for path in node.site.key_directory.iterdir()}
        for node in federation.nodes.values()
    ]
    assert all(each == keys[0] for each in keys)


@pytest.mark.parametrize(
    ("sites", "quorum", "victim", "stride"), [(2, 2, 1, 1), (3, 2, 2, 7)], ids=["every point", "with a quorum of two"]
)
def test_a_site_killed_between_any_two_steps_goes_on(
    tmp_path: Path, sites: int, quorum: int, victim: int, stride: int
) -> None:
    with Federation(tmp_path, sites, quorum) as federation:
        killer = Killer(federation, victim, stride)
        with killer.watching():
            killer.run()
        check_end(federation)
        said = Counter((each.sender, each.type) for each in map(parse, federation.post.sent.values()))
        assert set(said.values()) == {len(ROUNDS)}
    if stride == 1:
        assert {"after generate_share", "after decryption_share", "before build_keys", "before rename"} < set(
            killer.kills
        )
        assert len(killer.kills) > 250


def test_a_worker_killed_while_it_builds_the_keys_leaves_no_keys(tmp_path: Path) -> None:
    """Whatever lies in the directory of keys being built is not taken for keys."""
    with Federation(tmp_path, 2, 2) as federation:
        killer = Killer(federation, 1)
        killer.point = lambda kind: None  # type: ignore[method-assign]
        reached = []

        def dying(kind: str) -> None:
            if kind == "before build_keys" and not reached:
                reached.append(kind)
                building = federation[1].ceremony._parts.building
                (building / "public_key.bin").write_bytes(b"half a key")
                (building / "relinearization.3.seal").mkdir()
                killer.found, killer._seen = 0, set()
                Killer.point(killer, kind)

        killer.point = dying  # type: ignore[method-assign]
        with killer.watching():
            killer.run()
        assert reached
        check_end(federation)


def test_a_failing_ceremony_killed_before_it_sweeps_is_swept_later(tmp_path: Path) -> None:
    with Federation(tmp_path, 2, 2) as federation, pytest.MonkeyPatch.context() as patch:
        killer = Killer(federation, 1, stride=10_000)
        payloads = federation[2].ceremony._parts.payloads
        original = payloads[rounds.CHECK]
        payloads[rounds.CHECK] = lambda *given: original(*given) | {"shares": [[0, b"no share"]]}
        sweep = ceremonies.Ceremony._sweep

        def dying(ceremony: ceremonies.Ceremony) -> None:
            killer.stride = 1  # from here on every point is deadly
            sweep(ceremony)

        patch.setattr(ceremonies.Ceremony, "_sweep", dying)
        with killer.watching():
            killer.run()
        assert killer.kills[0] == "before unlink"
        status = federation[1].ceremony.advance()
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "release.wrong_share", "Site 2")
        assert leftovers(federation.directory(1)) == []
        assert list((federation.directory(1) / "keys").iterdir()) == []
        assert federation[1].profile.sealed_secrets.names() == ("dealt share",)
        assert federation[1].refusals == [("release.wrong_share", 2)]


def test_a_worker_killed_at_any_task_costs_nothing_but_time(tmp_path: Path) -> None:
    with Federation(tmp_path, 2, 2) as federation, pytest.MonkeyPatch.context() as patch:
        original, killed = LocalSite.compute, set()

        def compute(site: LocalSite, task: Callable[..., object], *arguments: object) -> object:
            if (site.position, task) not in killed:
                killed.add((site.position, task))
                raise EnvironmentProblem("worker.killed")
            return original(site, task, *arguments)

        patch.setattr(LocalSite, "compute", compute)
        problems: list[str] = []
        while any(node.ceremony._stored()["state"] != ceremonies.READY for node in federation.nodes.values()):
            try:
                federation.settle()
            except EnvironmentProblem as problem:
                problems.append(problem.code)
        assert problems == ["worker.killed"] * len(killed)
        assert len(killed) == 12
        check_end(federation)


def died(point: int) -> int:
    """The exit code of a process that killed itself (or, at point 0, did not)."""
    return 0 if point == 0 else -SIGKILL if os.name == "posix" else SIGKILL


def test_all_sites_killed_by_the_system_go_on(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    points = [70, 160, 90, 200, 0]
    for point in points:
        command = [sys.executable, "-m", "tests.mortal_process", str(tmp_path), "3", "2", str(point), "0"]
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
        assert done.returncode == died(point), done.stderr.decode()
    with Federation(tmp_path, 3, 2) as federation:
        check_end(federation)
