"""What sites tell each other of their datasets: which of the catalogue's variables the active one holds, and no more.

``site.holdings`` {"number", "held": one bit a variable (:mod:`app.core.catalogue.holding`), empty without a dataset},
in the session :func:`session_of` of the roster. The one with the highest number counts. The bits are in the order of
the roster's catalogue; version 2 of the message has ``catalogue``, the hash of the later version that is in force at
the sender. It goes to those sites whose news say that they read it: a program from before refuses what it does not
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
VERSION, OF_A_CATALOGUE = 1, 2
_MOST = 1 << 53
_TOLD = "holdings told"


@dataclass(frozen=True)
class Holdings:
    """What one site holds; ``held`` is empty if it has no dataset, ``catalogue`` if the roster's is in force there."""

    number: int
    held: bytes
    catalogue: bytes = b""


def _read(body: Any, roster: Roster) -> Holdings:
    fields = Fields(body, "news.malformed")
    holdings = Holdings(fields.number("number", 1, _MOST), fields.bytes("held", 0, MAX_BYTES))
    if fields.given("catalogue"):
        holdings = replace(holdings, catalogue=fields.bytes("catalogue", 32))
    fields.done()
    return holdings


MESSAGE_TYPES: Mapping[str, Reader] = {HOLDINGS: _read}


def session_of(roster: Roster) -> bytes:
    """Return the session of a roster's holdings."""
    return codec.digest(["consilium holdings v1", roster.hash])


def announce(site: LocalSite, mailroom: Mailroom, held: bytes) -> None:
    """Queue what this site holds, unless all who read it have been told just that."""
    in_force = site.catalogues.hash
    catalogue = b"" if in_force == site.catalogues.first else in_force
    version = OF_A_CATALOGUE if catalogue else VERSION
    programs = {position: told.program for position, told in news.heard(site, mailroom).items()}
    readers = tuple(
        position
        for position, program in sorted(programs.items())
        if position != site.position and version in program.formats.get(HOLDINGS_FORMAT, ())
    )
    said = codec.encode([site.roster.hash, list(readers), held, *([catalogue] if catalogue else [])])
    if not readers or site.profile.settings.get(_TOLD) == said:
        return
    own = heard(site, mailroom).get(site.position)
    number = 1 if own is None else own.number + 1
    with site.profile.database.atomic():
        body = {"number": number, "held": held, **({"catalogue": catalogue} if catalogue else {})}
        mailroom.post(HOLDINGS, session_of(site.roster), body, readers)
        site.profile.settings.put(_TOLD, said)


def heard(site: LocalSite, mailroom: Mailroom) -> dict[int, Holdings]:
    """Return what every site has last told, by position, as far as it has come."""
    latest: dict[int, Holdings] = {}
    for sender, told in mailroom.heard(session_of(site.roster), HOLDINGS):
        if sender not in latest or told.number > latest[sender].number:
            latest[sender] = told
    return latest
