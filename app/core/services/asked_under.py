"""What was in force when a question was put: kept with its run, so that it can be repeated and accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app import __version__
from app.core import codec
from app.core.disclosure.policy import Policy
from app.core.errors import ProtocolViolation
from app.core.federation import decisions
from app.core.services.member import Member

_LIMIT = 1 << 16


@dataclass(frozen=True)
class AskedUnder:
    """What was in force here when a question was put: with its text, all that is needed to repeat it.

    ``catalogue`` is the hash of the version in force; ``dataset`` this site's dataset and its version (empty and 0 for
    none); ``policy`` the site's own. A run from before all that was kept has none of it.
    """

    program: str = ""
    catalogue: bytes = b""
    dataset: bytes = b""
    dataset_version: int = 0
    policy: Policy | None = None

    def to_cbor(self) -> bytes:
        """Return the canonical bytes, as they are kept with the run."""
        policy = b"" if self.policy is None else self.policy.to_cbor()
        return codec.encode(
            {
                "version": 1,
                "program": self.program,
                "catalogue": self.catalogue,
                "dataset": self.dataset,
                "dataset_version": self.dataset_version,
                "policy": policy,
            }
        )

    @classmethod
    def from_cbor(cls, data: bytes) -> AskedUnder:
        """Read what :meth:`to_cbor` wrote, or the little that programs from before kept."""
        try:
            plain = codec.decode(data, _LIMIT)
        except ProtocolViolation:
            return cls()
        if not isinstance(plain, dict) or plain.get("version") != 1:
            return cls()
        policy = Policy.from_cbor(plain["policy"]) if plain["policy"] else None
        return cls(plain["program"], plain["catalogue"], plain["dataset"], plain["dataset_version"], policy)

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        policy = self.policy
        return {
            "program": self.program,
            "catalogue": self.catalogue.hex(),
            "dataset": self.dataset.hex(),
            "dataset_version": self.dataset_version,
            "policy": None if policy is None else policy.to_plain(),
        }


def in_force(member: Member) -> AskedUnder:
    """Return what is in force here now."""
    site, dataset = member.site, member.dataset.find()
    return AskedUnder(
        program=__version__,
        catalogue=site.catalogues.hash,
        dataset=b"" if dataset is None else dataset.id,
        dataset_version=0 if dataset is None else dataset.version,
        policy=decisions.policy_of(site),
    )
