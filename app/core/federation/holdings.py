"""What sites tell each other of their datasets: which of the catalogue's variables the active one holds, and no more.

``site.holdings`` {"number", "held": one bit a variable (:mod:`app.core.catalogue.holding`), empty without a dataset},
in the session :func:`session_of` of the roster. The one with the highest number counts. The bits are in the order of
the roster's catalogue; version 2 of the message has ``catalogue``, the hash of the later version that is in force at
the sender; version 3 has ``blocks``, how many blocks of patients the dataset fills, which bounds what its sums can
come to. Every site gets the highest version that its news say it reads: a program from before refuses what it does not
know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core import codec
from app.core.catalogue.holding import MAX_BYTES
from app.core.federation import news
from app.core.federation.joining_messages import HOLDINGS_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.roster import Roster
from app.core.fields import Fields

HOLDINGS = "site.holdings"
VERSION, OF_A_CATALOGUE, WITH_BLOCKS = 1, 2, 3
_MOST_BLOCKS = 1 << 20
_MOST = 1 << 53
_TOLD = "holdings told"


@dataclass(frozen=True)
class Holdings:
    """What one site holds; ``held`` is empty if it has no dataset, ``catalogue`` if the roster's is in force there.

    ``blocks`` is None if it does not say.
    """

    number: int
    held: bytes
    catalogue: bytes = b""
    blocks: int | None = None


def _read(body: Any, roster: Roster) -> Holdings:
    fields = Fields(body, "news.malformed")
    holdings = Holdings(fields.number("number", 1, _MOST), fields.bytes("held", 0, MAX_BYTES))
    if fields.given("catalogue"):
        holdings = replace(holdings, catalogue=fields.bytes("catalogue", 32))
    if fields.given("blocks"):
        holdings = replace(holdings, blocks=fields.number("blocks", 0, _MOST_BLOCKS))
    fields.done()
    return holdings


MESSAGE_TYPES: Mapping[str, Reader] = {HOLDINGS: _read}


def session_of(roster: Roster) -> bytes:
    """Return the session of a roster's holdings."""
    return codec.digest(["consilium holdings v1", roster.hash])


def announce(site: LocalSite, mailroom: Mailroom, held: bytes, blocks: int) -> None:
    """Queue what this site holds, unless all who read it have been told just that."""
    in_force = site.catalogues.hash
    catalogue = b"" if in_force == site.catalogues.first else in_force
    version = OF_A_CATALOGUE if catalogue else VERSION
    programs = {position: told.program for position, told in news.heard(site, mailroom).items()}
    reads = {
        position: program.formats.get(HOLDINGS_FORMAT, ())
        for position, program in sorted(programs.items())
        if position != site.position
    }
    newer = tuple(position for position, versions in reads.items() if WITH_BLOCKS in versions)
    older = tuple(position for position, versions in reads.items() if position not in newer and version in versions)
    said = codec.encode([site.roster.hash, list(newer), list(older), held, blocks, catalogue])
    if not newer + older or site.profile.settings.get(_TOLD) == said:
        return
    own = heard(site, mailroom).get(site.position)
    body = {"number": 1 if own is None else own.number + 1, "held": held}
    body |= {"catalogue": catalogue} if catalogue else {}
    with site.profile.database.atomic():
        for readers, more in ((newer, {"blocks": blocks}), (older, {})):
            if readers:
                mailroom.post(HOLDINGS, session_of(site.roster), {**body, **more}, readers)
        site.profile.settings.put(_TOLD, said)


def heard(site: LocalSite, mailroom: Mailroom) -> dict[int, Holdings]:
    """Return what every site has last told, by position, as far as it has come."""
    latest: dict[int, Holdings] = {}
    for sender, told in mailroom.heard(session_of(site.roster), HOLDINGS):
        if sender not in latest or told.number > latest[sender].number:
            latest[sender] = told
    return latest
