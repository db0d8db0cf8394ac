"""Killing a site at every point between two durable steps, as the disk would be found afterwards.

A point lies before and after every commit of the site's database, every file that is published, moved or removed in
its profile, every computation and every message handed over. At a point that was not used before, the profile's
directory is copied as it is (nothing is tidied up, as no dead process tidies up) and :class:`Killed` is raised; the
site is then opened again from the copy and goes on. What it computed and sent is compared with what it computed and
sent before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.federation import ceremony_work as work
from app.core.federation import smallest_work
from app.core.federation.local_site import LocalSite
from app.core.store.database import SiteDatabase
from tests.federation_sites import Federation

MOST_KILLS = 1500
_SHARES = work.decryption_share, smallest_work.masked_share
REPEATABLE = (work.generate_share, work.deal, work.collect_dealt, work.check_ciphertext, *_SHARES)
"""What must come out as the same bytes whenever it is computed again."""


class Killed(BaseException):
    """The process is dead."""


class Killer:
    """Kills the site at ``victim`` at every ``stride``-th new point while :meth:`watching`."""

    def __init__(self, federation: Federation, victim: int, stride: int = 1, first: int = 0) -> None:
        self.federation = federation
        self.victim = victim
        self.directory = federation.directory(victim)
        self.stride = stride
        self.found = -first
        self.kills: list[str] = []
        self.computed: dict[bytes, bytes] = {}
        self._seen: set[tuple[int, str, int]] = set()
        self._commits = 0
        self._since: Counter[str] = Counter()
        self._armed = False

    @property
    def _copy(self) -> Path:
        return self.directory.with_name("dead")

    def point(self, kind: str) -> None:
        """Die here, unless the site has died here before."""
        if not self._armed:
            return
        self._since[kind] += 1
        signature = (self._commits, kind, self._since[kind])
        if signature in self._seen:
            return
        self._seen.add(signature)
        self.found += 1
        if self.found % self.stride:
            return
        shutil.copytree(self.directory, self._copy, ignore=shutil.ignore_patterns("*-shm"))
        self._armed = False
        self.kills.append(kind)
        assert len(self.kills) < MOST_KILLS
        raise Killed

    def run(self) -> None:
        """Let all sites work until nothing moves, reviving the victim whenever it dies."""
        while True:
            with self._reviving() as lived:
                for node in list(self.federation.nodes.values()):
                    node.work()
                if not self.federation.post.carry():
                    lived.append(True)
            if lived:
                return

    @contextmanager
    def _reviving(self) -> Iterator[list[bool]]:
        lived: list[bool] = []
        try:
            self._armed = True
            yield lived
        except Killed:
            lived.clear()
            self.revive()
        finally:
            self._armed = False

    def revive(self) -> None:
        """Open the site again from what the disk held when it died."""
        self.federation.stop(self.victim)
        shutil.rmtree(self.directory)
        os.rename(self._copy, self.directory)
        self._since.clear()
        self.federation.start(self.victim)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Put the points into the program."""
        with pytest.MonkeyPatch.context() as patch:
            self._watch_database(patch)
            self._watch_files(patch)
            self._watch_work(patch)
            self._watch_post(patch)
            yield

    def _watch_database(self, patch: pytest.MonkeyPatch) -> None:
        original = SiteDatabase.atomic

        @contextmanager
        def atomic(database: SiteDatabase) -> Iterator[None]:
            connection = database._database.conn
            ours = database.path.is_relative_to(self.directory) and not connection.in_transaction
            before = connection.total_changes
            with original(database):
                yield
                ours = ours and connection.total_changes > before
                if ours:
                    self.point("before a commit")
            if ours and self._armed:
                self._commits += 1
                self._since.clear()
                self.point("after a commit")

        patch.setattr(SiteDatabase, "atomic", atomic)

    def _watch_files(self, patch: pytest.MonkeyPatch) -> None:
        def watched(name: str) -> Callable[..., Any]:
            original = getattr(os, name)

            def call(path: Any, *arguments: Any, **options: Any) -> Any:
                ours = Path(os.fsdecode(path)).is_relative_to(self.directory)
                if ours:
                    self.point(f"before {name}")
                result = original(path, *arguments, **options)
                if ours:
                    self.point(f"after {name}")
                return result

            return call

        for name in ("replace", "rename", "unlink"):
            patch.setattr(os, name, watched(name))

    def _watch_work(self, patch: pytest.MonkeyPatch) -> None:
        original = LocalSite.compute

        def compute(site: LocalSite, task: Callable[..., Any], *arguments: Any) -> Any:
            ours = site.position == self.victim
            if ours:
                self.point(f"before {task.__name__}")
            result = original(site, task, *arguments)
            if ours:
                self.point(f"after {task.__name__}")
                self._compare(task, arguments, result)
            return result

        patch.setattr(LocalSite, "compute", compute)

    def _compare(self, task: Callable[..., Any], arguments: tuple[Any, ...], result: Any) -> None:
        if task not in REPEATABLE:
            return
        named = [each.hex() if isinstance(each, bytes) else str(each) for each in arguments]
        if task in _SHARES:
            named = [arguments[0].digest().hex()]
        elif task is work.generate_share:
            named = [arguments[1]]
        elif task is work.deal:
            named = []
        key = codec.digest([task.__name__, *named])
        outcome = hashlib.sha256(repr(result).encode()).digest()
        assert self.computed.setdefault(key, outcome) == outcome, f"{task.__name__} came out differently"

    def _watch_post(self, patch: pytest.MonkeyPatch) -> None:
        post = self.federation.post
        original = post.send

        def send(envelope: bytes, recipients: tuple[int, ...]) -> None:
            ours = self._armed and self.federation.nodes[self.victim].position == sender_of(envelope)
            if ours:
                self.point("before sending")
            original(envelope, recipients)
            if ours:
                self.point("after sending")

        patch.setattr(post, "send", send)


def sender_of(envelope: bytes) -> int:
    """The sender that an envelope names."""
    return int(codec.decode(envelope, 1 << 24)["sender"])


def leftovers(directory: Path) -> list[str]:
    """Files below a profile that no finished step leaves."""
    found = [path for path in directory.rglob("*") if path.name.endswith(".part") or ".building" in path.name]
    with suppress(FileNotFoundError):
        found += [path for path in (directory / "blobs").rglob("*") if path.is_file()]
    return [str(path.relative_to(directory)) for path in found]
