"""Which small counts the sites want cryptography to withhold, as they tell each other, and what a request says of it.

``site.small_counts`` {"number", "least": 5, 8 or 11, 0 for none, "zeros"}, in the session :func:`session_of` of the
roster, to the sites whose program reads it. The one with the highest number counts. What a site's policy demands it
looks at itself when it is asked; what it tells only lets who asks ask rightly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from app.core import codec
from app.core.errors import EnvironmentProblem
from app.core.federation import decisions, news
from app.core.federation.joining_messages import SMALL_COUNTS_FORMAT
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Reader
from app.core.federation.query_messages import LEAST_COUNTS, SmallestCount
from app.core.federation.roster import Roster
from app.core.fields import Fields

SMALL_COUNTS = "site.small_counts"
VERSION = 1
CRYPTOGRAPHY, PROGRAM = "cryptography", "program"
_MOST = 1 << 53
_TOLD = "small counts told"


@dataclass(frozen=True)
class Told:
    """What one site wants withheld; None for nothing."""

    number: int
    smallest: SmallestCount | None


def _read(body: Any, roster: Roster) -> Told:
    fields = Fields(body, "news.malformed")
    number, least, zeros = fields.number("number", 1, _MOST), fields.number("least", 0, _MOST), fields.any("zeros")
    fields.done()
    if least not in (0, *LEAST_COUNTS) or type(zeros) is not bool:
        fields.refuse("least")
    return Told(number, SmallestCount(least, zeros) if least else None)


MESSAGE_TYPES: Mapping[str, Reader] = {SMALL_COUNTS: _read}


def session_of(roster: Roster) -> bytes:
    """Return the session of a roster's small counts."""
    return codec.digest(["consilium small counts v1", roster.hash])


def demanded(site: LocalSite) -> SmallestCount | None:
    """Return what this site's policy wants cryptography to withhold of exact numbers; raises as the policy."""
    policy = decisions.policy_of(site)
    return SmallestCount(policy.smallest, policy.zeros) if policy.enforced and policy.smallest else None


def announce(site: LocalSite, mailroom: Mailroom) -> None:
    """Queue what this site wants withheld, unless all who read it have been told just that.

    A site that never wanted anything says nothing; nor does one whose policy cannot be read: it answers nothing.
    """
    try:
        wanted = demanded(site)
    except EnvironmentProblem:
        return
    own = heard(site, mailroom).get(site.position)
    programs = {position: told.program for position, told in news.heard(site, mailroom).items()}
    readers = tuple(
        position
        for position, program in sorted(programs.items())
        if position != site.position and VERSION in program.formats.get(SMALL_COUNTS_FORMAT, ())
    )
    least, zeros = (0, True) if wanted is None else (wanted.least, wanted.zeros)
    said = codec.encode([site.roster.hash, list(readers), least, zeros])
    if not readers or site.profile.settings.get(_TOLD) == said or (wanted is None and own is None):
        return
    body = {"number": 1 if own is None else own.number + 1, "least": least, "zeros": zeros}
    with site.profile.database.atomic():
        mailroom.post(SMALL_COUNTS, session_of(site.roster), body, readers)
        site.profile.settings.put(_TOLD, said)


def heard(site: LocalSite, mailroom: Mailroom) -> dict[int, Told]:
    """Return what every site has last told, by position, as far as it has come."""
    latest: dict[int, Told] = {}
    for sender, told in mailroom.heard(session_of(site.roster), SMALL_COUNTS):
        if sender not in latest or told.number > latest[sender].number:
            latest[sender] = told
    return latest


def needed(
    site: LocalSite, mailroom: Mailroom, contributors: Collection[int], epsilon: Fraction | None
) -> SmallestCount | None:
    """Return what a request to these sites has to have withheld: the strictest of what they want.

    None for noised numbers, which noise protects, and for a question to this site alone, whose numbers are its own.
    """
    if epsilon is not None or set(contributors) <= {site.position}:
        return None
    told = {position: each.smallest for position, each in heard(site, mailroom).items()}
    told[site.position] = demanded(site)
    return strictest([told.get(position) for position in contributors])


def strictest(wanted: Collection[SmallestCount | None]) -> SmallestCount | None:
    """Return what satisfies everybody: the largest count, zeros hidden if anyone hides them."""
    found = [each for each in wanted if each is not None]
    if not found:
        return None
    return SmallestCount(max(each.least for each in found), all(each.zeros for each in found))


def to_plain(smallest: SmallestCount | None, roster: Roster) -> dict[str, Any] | None:
    """Return what is withheld as it travels: ``least``, ``zeros`` (whether they are shown), ``binding``; or None."""
    if smallest is None:
        return None
    return {**asdict(smallest), "binding": binding(len(roster.sites), roster.quorum)}


def binding(sites: int, quorum: int) -> str:
    """Return what withholds small counts from the asker's site.

    ``cryptography`` where a quorum can do without it; ``program`` where all sites open together: a changed program at
    the asker's site could then shift what is tested.
    """
    return CRYPTOGRAPHY if quorum < sites else PROGRAM
