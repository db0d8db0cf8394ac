"""A site that dies anywhere in the ceremony goes on from its disk, to the same bytes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from app.core.federation import ceremony as ceremonies
from app.core.federation.public_file import load_public_file
from app.core.federation.rounds import ROUNDS
from tests.crash import Killer, leftovers
from tests.federation_sites import Federation


def check_end(federation: Federation, killer: Killer) -> None:
    for position, node in federation.nodes.items():
        assert node.ceremony.advance().state == ceremonies.READY
        assert node.refusals == []
        assert node.profile.sealed_secrets.names() == ("dealt share",)
        assert node.profile.outbox.unsent() == ()
        assert {each.sender for each in node.profile.inbox.of_session(node.ceremony.session)} == {1, 2}
        entries = node.profile.shares.of_session(node.ceremony.session)
        assert [entry.attempt for entry in entries] == [1]
        assert all(entry.share is not None for entry in entries)
        assert leftovers(federation.directory(position)) == []
        assert [path.name for path in (federation.directory(position) / "keys").iterdir()] == [
            node.site.key_directory.name
        ]
    files = {(federation.directory(position) / "federation.public").read_bytes() for position in federation.positions}
    assert len(files) == 1
    load_public_file(federation.directory(1) / "federation.public")
    keys = [
        {path.name: path.read_bytes() for path in node.site.key_directory.iterdir()}
        for node in federation.nodes.values()
    ]
    assert keys[0] == keys[1]
    said = Counter((message.sender, message.type) for message in map(_parsed, federation.post.sent.values()))
    assert said == {(p, t): len(ROUNDS) for p in (1, 2) for t in ceremonies.MESSAGE_TYPES}  # each once


def _parsed(data: bytes):  # type: ignore[no-untyped-def]
    from tests.federation_sites import parse

    return parse(data)


@pytest.mark.parametrize("victim", [1, 2])
def test_a_site_killed_at_every_point_goes_on(tmp_path: Path, victim: int) -> None:
    with Federation(tmp_path, 2, 2) as federation:
        killer = Killer(federation, victim)
        with killer.watching():
            killer.run()
        print(Counter(killer.kills), len(killer.kills))
        check_end(federation, killer)
