"""What is fuzzed of policies, the audit trail, and what withholds small counts; see :mod:`tests.benchmarks.fuzz`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from app.core import codec
from app.core.crypto import release
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.smallest_count import Hidden, SmallestCountRule
from app.core.disclosure.policy import Policy
from app.core.federation import audit_heads, small_counts
from app.core.federation.audit import Entry
from app.core.federation.policy_versions import PolicyVersion
from app.core.federation.query_smallest import SmallestCountWork
from app.core.managed import read_managed
from app.core.services import audit as trails
from tests.benchmarks.fuzz_targets import PARAMETERS, Parser, Target, _polynomials, _readers, simple, target
from tests.vectors import make_audit_vectors as audits
from tests.vectors import make_smallest_vectors, policies

_RESULTS = 4
_MANAGED = """version = 1
[policy]
mode = "ask"
rules = [{ mode = "never", analysis = "regress", site = 2 }]
never = [["postcode", ""], ["stage", "iv"]]
epsilon = "1/2"
smallest = 11
budget = { cap = "10", refill = "1", days = 365, exact = 100 }
"""


@simple("policy documents")
def _policies() -> Sequence[tuple[Parser, bytes]]:
    """Policies of all versions, and their signed versions as a database keeps them."""
    names = [name for name in policies.FILES if name.startswith("policy-")]
    signed = [version.to_cbor() for version in policies.versions()]
    return [
        *((Policy.from_cbor, policies.FILES[name]()) for name in names),
        *((PolicyVersion.from_cbor, each) for each in signed),
    ]


@target("managed settings")
def _managed() -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "managed.toml")

        def parse(data: bytes) -> object:
            path.write_bytes(data)
            return read_managed(path)

        yield Target([(parse, _MANAGED.encode())], part=0.5)


@simple("audit heads")
def _heads() -> Sequence[tuple[Parser, bytes]]:
    plain = {**audits.head(), "held": [[2, 1, bytes(32), bytes(64)]]}
    return _readers(audit_heads.MESSAGE_TYPES, {audit_heads.HEAD: [audits.head(), plain]})


@target("audit trail")
def _trail() -> Iterator[Target]:
    """A record's body, and whole trails as somebody hands them on: they are verified without trusting them."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "trail")

        def verify(data: bytes) -> object:
            path.write_bytes(data)
            return trails.verify_file(path)

        exports = [(verify, (audits.DIRECTORY / name).read_bytes()) for name in ("trail-v1.csv", "trail-v1.json")]
        yield Target([(Entry.decode, audits.ENTRIES[1][1].encode(bytes(16))), *exports], part=0.5)


@simple("small counts")
def _small_counts() -> Sequence[tuple[Parser, bytes]]:
    """What sites tell of the small counts that they withhold, and what the asker reads of the pair."""
    asker = cast(Any, SimpleNamespace(_parameters=PARAMETERS))
    share = release.share_to_bytes(_polynomials(1, PARAMETERS.data_primes[:RELEASE_PRIMES])[0][:, :_RESULTS].copy())
    answer = {"openings": [bytes(32)] * 2, "values": [share] * 2, "shares": [share] * 2}
    told = [{"number": 1, "least": 11, "zeros": False}, {"number": 2, "least": 0, "zeros": True}]
    return [
        *_readers(small_counts.MESSAGE_TYPES, {small_counts.SMALL_COUNTS: told}),
        (lambda data: SmallestCountWork._answer(asker, data, _RESULTS), codec.encode(answer)),
    ]


@simple("masks", part=0.1)
def _masks() -> Sequence[tuple[Parser, bytes]]:
    """The blob of encrypted masks that each site of a quorum gives."""
    rule = SmallestCountRule(PARAMETERS, 5, zeros=True)
    blob = make_smallest_vectors.hidden(rule).to_bytes()
    return [(lambda data: Hidden.from_bytes(rule, data, _RESULTS), blob)]
