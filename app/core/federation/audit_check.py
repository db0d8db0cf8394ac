"""Verifying an audit chain without trusting where it comes from: a database, an export, somebody's copy.

What is looked at: numbers without a gap or repetition from 1, each hash over what the record says and the one before,
each signature, the first record, and the heads that other sites have signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from app.core.crypto.identity import MemberPublicKey
from app.core.errors import ProtocolViolation, SafeParam
from app.core.federation.audit import BEGAN, CREATED, Entry
from app.core.federation.audit_heads import check_held
from app.core.federation.roster import Roster, Site
from app.core.store.audit import PURPOSE, AuditRow, Witness, beginning, linked

MOST_PROBLEMS = 100


@dataclass(frozen=True)
class Problem:
    """What is wrong, at which number of the chain (0: with all of it)."""

    number: int
    code: str
    params: dict[str, SafeParam] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """Another site's signed word about the chain, and whether the chain agrees with it."""

    site: str
    number: int
    hash: bytes
    at: int
    agrees: bool


@dataclass(frozen=True)
class Verified:
    """What a verification found. ``first`` and ``last`` are times (UTC ms), 0 without records."""

    records: int
    number: int
    hash: bytes
    first: int
    last: int
    held: tuple[Held, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_chain(
    rows: Iterable[AuditRow],
    key: MemberPublicKey,
    *,
    witnesses: Iterable[Witness] = (),
    roster: Roster | None = None,
    found: Iterable[Problem] = (),
) -> Verified:
    """Verify records in the order in which they are given, signed with ``key``.

    ``witnesses`` say what others hold, and need the ``roster`` of who they are. ``found`` is what is wrong already.
    """
    problems = list(found)
    hashes: dict[int, bytes] = {}
    expected, previous, first, last, count = 1, beginning(key.verify), 0, 0, 0
    for row in rows:
        count += 1
        problems += _wrong(row, expected, previous, key)
        hashes[row.number] = row.hash
        first, last = first or row.at, row.at
        expected, previous = row.number + 1, row.hash
    if not count:
        problems.append(Problem(0, "audit.empty"))
    if roster is not None and all(site.key != key for site in roster.sites):
        problems.append(Problem(0, "audit.not_in_roster", {"federation": roster.name}))
    held = []
    holders = {} if roster is None else {site.key.verify: site for site in roster.sites}
    for each in witnesses:
        if (holder := holders.get(each.holder)) is None:
            continue  # of an earlier roster: nothing proves any more whose word it is
        told, wrong = _heard(each, holder, hashes, expected - 1, key)
        held += [told] if told else []
        problems += [wrong] if wrong else []
    return Verified(
        count, expected - 1, previous, first, last, tuple(held), tuple(islice(_sorted(problems), MOST_PROBLEMS))
    )


def _wrong(row: AuditRow, expected: int, previous: bytes, key: MemberPublicKey) -> Iterable[Problem]:
    """Yield what is wrong with one record, which should have this number and follow this hash."""
    if row.number > expected:
        yield Problem(row.number, "audit.gap", {"missing": expected, "to": row.number - 1})
    elif row.number < expected:
        yield Problem(row.number, "audit.out_of_order", {"expected": expected})
    if row.previous != previous and row.number == expected:
        yield Problem(row.number, "audit.broken_link" if expected > 1 else "audit.foreign_beginning")
    try:
        whole = linked(row.previous, row.content) == row.hash
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        yield Problem(row.number, "audit.altered")
    try:
        key.check(PURPOSE, row.hash, row.signature)
    except (ProtocolViolation, TypeError, ValueError):
        yield Problem(row.number, "audit.bad_signature")
    try:
        Entry.decode(row.body)
    except (ProtocolViolation, TypeError):
        yield Problem(row.number, "audit.unreadable")
    if row.number == 1 and row.kind not in (BEGAN, CREATED):
        yield Problem(1, "audit.no_beginning")


def _heard(
    witness: Witness, holder: Site, hashes: dict[int, bytes], last: int, key: MemberPublicKey
) -> tuple[Held | None, Problem | None]:
    try:
        check_held(holder.key, key, witness.number, witness.hash, witness.signature)
    except (ProtocolViolation, TypeError, ValueError):
        return None, Problem(0, "audit.bad_witness", {"site": holder.name})
    agrees = hashes.get(witness.number) == witness.hash
    held = Held(holder.name, witness.number, witness.hash, witness.at, agrees)
    if agrees:
        return held, None
    params: dict[str, SafeParam] = {"site": holder.name, "number": witness.number, "last": last}
    code = "audit.held_longer" if witness.number > last else "audit.held_otherwise"
    return held, Problem(min(witness.number, last), code, params)


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda each: each.number)
