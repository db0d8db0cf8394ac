"""The vectors of what custodians sign, version 1, in ``people/``, and how they were made.

``python -m tests.vectors.make_people_vectors`` writes the files that are missing. It never replaces one: a released
vector must keep loading, and a new version of the format gets vectors of its own beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.crypto.identity import SigningKey
from app.core.federation import custodian
from app.core.federation.endorsement import EndorsementRequest
from app.core.federation.people import Delegation, Role
from app.core.federation.projects import Participant, Project
from app.core.federation.signed_records import CUSTODIAN, DELEGATION, PROJECT, REVOCATION, VERDICT, Record
from app.core.secret import SecretBytes

DIRECTORY = Path(__file__).parent / "people"
FEDERATION = bytes(range(32, 64))
MEMBER, CUSTODIANS, ADA = (SigningKey(SecretBytes(bytes([place]) * 32)) for place in (1, 2, 3))
AT = 1_767_225_600_000
UNTIL = AT + 86_400_000
ENDORSEMENT = EndorsementRequest(FEDERATION, 2, "Ada Lovelace", ADA.public)
_ASSESSMENT = "Nobody is found in a count.\nNothing else leaves."


@dataclass(frozen=True)
class Keyholder:
    """Signs with a key of these vectors."""

    holder: SigningKey

    @property
    def key(self) -> bytes:
        return self.holder.public

    @property
    def sign(self) -> Callable[[str, bytes], bytes]:
        return self.holder.sign


def records(federation: bytes = FEDERATION, site: int = 2) -> dict[str, Record]:
    """A record of each kind."""

    def record(kind: str, content: Mapping[str, Any], by: SigningKey = CUSTODIANS) -> Record:
        return Record(kind, federation, site, AT, content).signed(Keyholder(by))

    proof = CUSTODIANS.sign(custodian._PROOF, custodian._proved(federation, site, 1))
    ada = Delegation(b"", 2, "Ada Lovelace", ADA.public, Role.SITES_NOISED, AT, UNTIL, b"", AT)
    delegation = record(DELEGATION, ada.to_content())
    lungs = Project(
        b"",
        2,
        "Lungs",
        "Whether smoking kills",
        "Article 34",
        _ASSESSMENT,
        (Participant(2, "Ada", ADA.public),),
        UNTIL,
        AT,
    )
    project = record(PROJECT, lungs.to_content())
    return {
        CUSTODIAN: record(CUSTODIAN, {"key": CUSTODIANS.public, "number": 1, "proof": proof}, MEMBER),
        DELEGATION: delegation,
        REVOCATION: record(REVOCATION, {"delegations": [delegation.id], "reason": "Has left"}),
        PROJECT: project,
        VERDICT: record(VERDICT, {"project": project.id, "verdict": "approved"}),
    }


def files() -> dict[str, bytes]:
    """What is in each file."""
    made = {f"{kind}-1.cbor": each.to_cbor() for kind, each in records().items()}
    return {**made, "endorsement-1.txt": (ENDORSEMENT.to_text(ADA) + "\n").encode()}


def main() -> None:
    """Write the files that are missing."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, data in files().items():
        if not (DIRECTORY / name).exists():
            (DIRECTORY / name).write_bytes(data)


if __name__ == "__main__":
    main()
