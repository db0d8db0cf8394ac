"""The vectors of the audit trail, version 1, in ``audit/``, and how they were made.

``python -m tests.vectors.make_audit_vectors`` writes the files that are missing. It never replaces one: a released
vector must keep loading, and a new version of the format gets vectors of its own beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.federation import audit_heads
from app.core.federation.audit import CREATED, Entry
from app.core.services import audit_fhir
from app.core.services.audit import table
from app.core.store.audit import AuditRow, Witness, beginning
from tests.federation_sites import root_of

DIRECTORY = Path(__file__).parent / "audit"
KEY, OTHER = (MemberKey.from_root(root_of(position)) for position in (1, 2))
AT = 1_767_225_600_000
ABOUT = audit_fhir.About("Lausanne", "Tests", "0001 0203")
NAMES = {OTHER.public.verify: "Bern"}
_ASKED = {"question": "=smoker", "contributors": ["Lausanne", "Bern"], "epsilon": "1/2", "per_site": False}
_SPENT = {"before": {"left": "2"}, "after": {"left": "3/2"}}
ENTRIES = (
    (CREATED, Entry("", {"site": "Lausanne", "key": KEY.public.to_dict(), "fingerprint": "00"})),
    ("request.received", Entry("Bern", _ASKED)),
    ("budget.charged", Entry("Bern", {"exact": 0, "session": bytes(32)}, "", _SPENT)),
    ("request.declined", Entry("Bern", _ASKED, "query.declined")),
)


def rows() -> list[AuditRow]:
    """A chain of four records."""
    made, previous = list[AuditRow](), beginning(KEY.public.verify)
    for number, (kind, entry) in enumerate(ENTRIES, start=1):
        body = entry.encode(bytes([number]) * 16)
        made.append(AuditRow.signed(KEY, number=number, at=AT + number, kind=kind, body=body, previous=previous))
        previous = made[-1].hash
    return made


def witnesses() -> list[Witness]:
    """What another site has signed that it holds of the chain."""
    third = rows()[2]
    signature = OTHER.sign(audit_heads.HELD_PURPOSE, codec.encode([KEY.public.verify, 3, third.hash]))
    return [Witness(OTHER.public.verify, 3, third.hash, AT + 9, signature)]


def head() -> dict[str, Any]:
    """The body of ``audit.head`` with the way from the second record to the last."""
    chain = rows()
    held = [[1, each.number, each.hash, each.signature] for each in witnesses()]
    steps = b"".join(row.content for row in chain[2:])
    return {"number": 4, "hash": chain[-1].hash, "first": 2, "steps": steps, "held": held, "ask": True}


FILES: dict[str, Callable[[], bytes]] = {
    "trail-v1.csv": lambda: table(rows(), witnesses(), NAMES),
    "trail-v1.json": lambda: audit_fhir.bundle(rows(), witnesses(), NAMES, ABOUT),
    "head-v1.cbor": lambda: codec.encode(head()),
}


def main() -> None:
    """Write what is missing."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, make in FILES.items():
        if not (DIRECTORY / name).exists():
            (DIRECTORY / name).write_bytes(make())


if __name__ == "__main__":
    main()
