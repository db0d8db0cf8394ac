"""A site that dies anywhere while a version of the catalogue is published and accepted goes on from its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.federation.catalogue_publishing import PUBLISHED
from app.core.store.blobs import BlobStore
from app.core.store.database import SiteDatabase
from tests.catalogue_sites import Publishing, version


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Kills at the ``at``-th point: before or after a commit, before or after a blob is written or removed."""

    def __init__(self) -> None:
        self.at = 0
        self.count = 0

    def point(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Killed


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    made = Killer()
    atomic = SiteDatabase.atomic

    @contextmanager
    def mortal(database: SiteDatabase) -> Iterator[None]:
        outermost = not database._database.conn.in_transaction
        with atomic(database):
            yield
            if outermost:
                made.point()
        if outermost:
            made.point()

    monkeypatch.setattr(SiteDatabase, "atomic", mortal)
    for name in ("put", "remove"):
        real = getattr(BlobStore, name)

        def around(*arguments: object, _real=real, **options: object) -> object:  # type: ignore[no-untyped-def]
            made.point()
            done = _real(*arguments, **options)
            made.point()
            return done

        monkeypatch.setattr(BlobStore, name, around)
    return made


def live(sites: Publishing) -> None:
    """What people do, each thing unless it is done already; in between the sites work."""
    sites.settle()
    if sites.in_force()[0] == 1:
        sites.desks[1].publish(version(2), "A note")
        sites.settle()
    if sites.waiting(2):
        sites.desks[2].accept(2)
        sites.settle()


def killed_at(directory: Path, killer: Killer, at: int) -> int:
    """Live with a death at a point, begin again, and judge; return how many points there were before the death."""
    killer.at = 0
    with Publishing(directory) as sites:
        killer.count, killer.at = 0, at
        try:
            live(sites)
        except Killed:
            killer.at = 0
            for position in (1, 2, 3):
                sites.restart(position)
            live(sites)
        killer.at, count = 0, killer.count
        assert sites.in_force() == [2, 2, 1]
        assert [sites.waiting(position) for position in (1, 2, 3)] == [[], [], [2]]
        assert len(sites.federation.post.messages(PUBLISHED)) == 1
        for position, node in sites.federation.nodes.items():
            assert node.refusals == []
            assert node.profile.outbox.unsent() == ()
            assert [row.note for row in node.profile.catalogues.links()] == ["A note"]
            assert len(list(node.profile.blobs.names())) == (1 if position == 1 else 0)
    return count


def test_everything_is_done_once_wherever_it_was_killed(tmp_path: Path, killer: Killer) -> None:
    points = killed_at(tmp_path / "whole", killer, 0)
    assert points > 20
    for at in range(1, points + 1):
        killed_at(tmp_path / str(at), killer, at)
        shutil.rmtree(tmp_path / str(at))  # three sites with their keys, each time
