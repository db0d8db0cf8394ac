"""Records of custodians between real sites in one program (:mod:`tests.federation_sites`), handed over as messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.core.crypto.identity import SealingKey, SigningKey
from app.core.federation import custodian, people_messages
from app.core.federation.custodian import Signer
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.people import ASKED, Delegation, Role
from app.core.federation.query_messages import Authority, Request
from app.core.federation.signed_records import DELEGATION, Record
from app.core.query.model import Flag, Query
from app.core.secret import SecretBytes
from tests.fake_profile import CHEAP
from tests.federation_sites import Federation

PASSPHRASE, OTHER = SecretBytes(b"a passphrase to sign"), SecretBytes(b"another one to sign")
ADA = SigningKey(SecretBytes(bytes(range(32))))
DAY = 24 * 3_600_000
REQUEST = Request(
    query=Query(Flag("smoker")),
    epsilon=None,
    contributors=(1, 2, 3),
    quorum=(1, 2, 3),
    minimum=2,
    key=SealingKey.generate(lambda count: bytes(range(count))).public,
    meanings={"smoker": bytes(32)},
    purpose="A study",
)


class Town:
    """The sites of a federation and what their custodians sign."""

    def __init__(self, federation: Federation) -> None:
        self.sites = {position: federation[position].site for position in federation.positions}
        self.desks = {each: Mailroom(site, people_messages.MESSAGE_TYPES) for each, site in self.sites.items()}

    def __getitem__(self, position: int) -> LocalSite:
        return self.sites[position]

    def custodian(self, position: int, passphrase: SecretBytes, **how: Any) -> Record:
        """A (new) key of a site's custodian; nobody else is told."""
        with self[position].profile.database.atomic():
            return custodian.make(self[position], passphrase, cost=CHEAP, **how)

    def issue(self, position: int, kind: str, content: Mapping[str, Any], by: Signer | None = None) -> Record:
        """A record of a site, signed by its member key unless somebody else is named."""
        return people_messages.issue(self[position], by or custodian.member(self[position]), kind, content)

    def endorse(self, position: int, role: str = Role.TOTAL_EXACT, by: Signer | None = None, **changes: Any) -> Record:
        """An endorsement of Ada for ten days from now."""
        now = self[position].clock.now()
        ada = Delegation(b"", position, "Ada", ADA.public, Role.TOTAL_EXACT, now, now + 10 * DAY, b"", now)
        return self.issue(position, DELEGATION, {**ada.to_content(), "role": str(role), **changes}, by)

    def hand(self, record: Record, to: Iterable[int], sender: int | None = None) -> list[str]:
        """Send a record to sites as its author does, or as ``sender``; return the codes of what they refused."""
        sender = sender or record.site
        session = people_messages.session_of(self[sender].roster)
        draft = self.desks[sender].draft(people_messages.RECORD, session, {"record": record.to_cbor()})
        refused = []
        for position in to:
            self.desks[position].receive(draft.envelope)
            before = len(self[position].profile.refusals.all())
            people_messages.take_in(self[position], self.desks[position])
            refused += [each.code for each in self[position].profile.refusals.all()[before:]]
        return refused


def asked(record: Record | bytes, request: Request = REQUEST, project: bytes = b"", key: SigningKey = ADA) -> Request:
    """A request as whoever has ``key`` signs it."""
    delegation = record if isinstance(record, bytes) else record.to_cbor()
    unsigned = replace(request, authority=Authority(delegation, project))
    return replace(request, authority=Authority(delegation, project, key.sign(ASKED, unsigned.signed_part())))
