"""The vectors of a site's policy: what is in each file of ``policies/``.

``python -m tests.vectors.policies`` writes the files that are missing. It never replaces one: a released vector must
keep loading, and a new version of a format gets vectors of its own beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from app.core import codec
from app.core.crypto.identity import MemberKey, SigningKey
from app.core.disclosure.policy import BudgetRules, Mode, Never, People, Policy, Projects, Rule
from app.core.federation.custodian import Signer
from app.core.federation.policy_versions import PolicyVersion
from app.core.secret import SecretBytes

DIRECTORY = Path(__file__).parent / "policies"

FIRST = {"version": 1, "mode": "ask", "exact": False, "noised": True, "others": 3}
"""What programs wrote that knew no numbers per site."""
POLICY = Policy(
    Mode.ASK,
    exact=False,
    others=3,
    per_site=True,
    rules=(
        Rule(Mode.NEVER, site=3, person="Ada Example", project="a1" * 16, analysis="regress"),
        Rule(Mode.AUTOMATIC, analysis="count"),
    ),
    min_patients=40,
    never=(Never("postcode"), Never("stage", "iv")),
    projects=Projects.LISTED,
    listed=("a1" * 16,),
    people=People.ENDORSED,
    epsilon=Fraction(1, 3),
    smallest=8,
    zeros=False,
    enforced=True,
    rounding=5,
    budget=BudgetRules(Fraction(10), Fraction(1, 2), 365, Fraction(5), Fraction(7, 2), 12),
)
_MEMBER = MemberKey.from_root(SecretBytes(bytes([1]) * 32))
_CUSTODIAN = SigningKey(SecretBytes(bytes([2]) * 32))


def versions() -> tuple[PolicyVersion, PolicyVersion]:
    """A version that the site has signed of an old policy, and the next one, signed by its custodian."""
    federation, time = bytes(range(32)), 1_780_000_000_000
    old = codec.encode(FIRST)
    first = PolicyVersion(federation, 2, 1, bytes(32), time, Policy.from_cbor(old), written=old)
    signed = first.signed(Signer(_MEMBER.public.verify, "site", _MEMBER.sign))
    second = PolicyVersion(federation, 2, 2, signed.hash, time + 1, POLICY)
    return signed, second.signed(Signer(_CUSTODIAN.public, "custodian", _CUSTODIAN.sign))


FILES: dict[str, Callable[[], bytes]] = {
    "policy-v1.cbor": lambda: codec.encode(FIRST),
    "policy-v2.cbor": lambda: codec.encode({**FIRST, "version": 2, "per_site": True}),
    "policy-v3.cbor": POLICY.to_cbor,
    "first-version-v1.cbor": versions()[0].to_cbor,
    "second-version-v1.cbor": versions()[1].to_cbor,
}


def read(name: str) -> bytes:
    """Return a checked-in vector."""
    return (DIRECTORY / name).read_bytes()


def main() -> None:
    """Write the vectors that are missing."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, make in FILES.items():
        if not (DIRECTORY / name).exists():
            (DIRECTORY / name).write_bytes(make())


if __name__ == "__main__":
    main()
