"""The audit trail for people: listed and searched, verified from wherever it lies, and as a table to hand on.

A table (CSV) has one record a line. Its last cells are what is hashed and signed, the others say the same for readers;
a verification compares both, so that no cell can be changed unseen. After the records come lines of the kind
``audit.held``: what other sites have signed that they hold of this chain.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core import codec
from app.core.crypto.identity import MemberPublicKey
from app.core.crypto.recovery_sheet import short_fingerprint
from app.core.errors import ConsiliumError, ProtocolViolation, UserError
from app.core.federation.audit import BEGAN, CREATED, FINDING, Entry
from app.core.federation.audit_check import Problem, Verified, check_chain
from app.core.federation.audit_heads import OWN_REWRITTEN, OWN_SHORTENED
from app.core.federation.public_file import load_public_file
from app.core.federation.roster import LIMIT as ROSTER_LIMIT
from app.core.federation.roster import Roster
from app.core.files import read_limited
from app.core.preparation.csv_table import harmless
from app.core.services import audit_fhir
from app.core.services.profile import MEMBER, ROSTER, SIGNATURES, OpenProfile
from app.core.store.audit import AuditRow, Witness, read_file

CSV, FHIR = "csv", "fhir"
FORMATS = (CSV, FHIR)
HELD = "audit.held"
FILE_LIMIT = 1 << 30
COLUMNS = (
    "number",
    "recorded",
    "kind",
    "who",
    "what",
    "why",
    "budget",
    "time",
    "body",
    "previous",
    "hash",
    "signature",
)
_SQLITE = b"SQLite format 3\0"
_KEY_LIMIT = 1 << 13
_NOT_SHOWN = ("key",)
_MOST_FINDINGS = 100
_MALFORMED = "audit.not_an_export"
_NO_EXPORT = (ValueError, LookupError, TypeError, AttributeError, RecursionError, StopIteration, csv.Error)
"""What reading raises where something is not as an export has it."""


@dataclass(frozen=True)
class Wanted:
    """Which records: of ``kinds`` (each the beginning of a kind; () for all), containing ``text``, between two times.

    ``since`` and ``until`` are UTC milliseconds, 0 for no bound.
    """

    kinds: tuple[str, ...] = ()
    text: str = ""
    since: int = 0
    until: int = 0

    def takes(self, row: AuditRow) -> bool:
        """Return whether a record is one of these."""
        if self.kinds and not any(row.kind == each or row.kind.startswith(f"{each}.") for each in self.kinds):
            return False
        if row.at < self.since or (self.until and row.at >= self.until):
            return False
        return not self.text or self.text.casefold() in json.dumps(shown(row), ensure_ascii=False).casefold()


def shown(row: AuditRow) -> dict[str, Any]:
    """Return a record in plain values, bytes in hexadecimal; what cannot be read is empty."""
    try:
        entry = Entry.decode(row.body)
    except ProtocolViolation:
        entry = Entry()
    what = {name: value for name, value in (entry.what or {}).items() if name not in _NOT_SHOWN}
    return {
        "number": row.number,
        "at": row.at,
        "kind": row.kind,
        "who": entry.who,
        "what": plain(what),
        "why": entry.why,
        "budget": plain(entry.budget),
        "hash": row.hash.hex(),
    }


def plain(value: Any) -> Any:
    """Return ``value`` with bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


# --- verifying ----------------------------------------------------------------------------------------------------


def verify_profile(profile: OpenProfile) -> Verified:
    """Verify the chain of an open profile against its own key, its roster, and what other sites hold of it."""
    store = profile.store
    witnesses = store.audit_heads.witnesses()
    return check_chain(store.audit.all(), profile.member_public, witnesses=witnesses, roster=profile.roster)


def findings(profile: OpenProfile) -> list[dict[str, Any]]:
    """Return what this site has found wrong in the chains of other sites, as its own records tell, newest first."""
    told = [shown(row) for row in profile.store.audit.of_kind(FINDING, _MOST_FINDINGS)]
    return [
        {"number": each["number"], "at": each["at"], "code": each["why"], "params": each["what"]}
        for each in told
        if each["why"] not in (OWN_REWRITTEN, OWN_SHORTENED)  # the witnesses prove these
    ]


@dataclass(frozen=True)
class Source:
    """What was verified in a file, and against whom: "federation" (a file given for it), "itself", or "" (no roster).

    ``site`` is whose chain it is, ``fingerprint`` that of its key.
    """

    verified: Verified
    site: str
    fingerprint: str
    against: str
    federation: str


def verify_file(path: Path, federation_file: Path | None = None) -> Source:
    """Verify a database (or the profile it is in), a table or a bundle, without a profile and without trusting it.

    With a federation's public file, keys are those of its roster; else those that the file itself names. Raises
    UserError ``audit.not_an_export``, ``file.*``; what :func:`load_public_file` raises.
    """
    path = path / "site.db" if path.is_dir() else path
    roster = None if federation_file is None else load_public_file(federation_file).roster
    with_file = "federation" if roster is not None else ""
    found: list[Problem] = []
    if _begins(path) == _SQLITE:
        read = read_file(path, (MEMBER, ROSTER, SIGNATURES))
        rows, witnesses = read.rows, read.witnesses
        if roster is None and ROSTER in read.settings:
            roster, with_file = _roster(read.settings), "itself"
        key = _key(_decoded(read.settings.get(MEMBER, b"")))
    else:
        rows, witnesses, found = _exported(read_limited(path, FILE_LIMIT), path)
        key = _key(_named(rows))
    verified = check_chain(rows, key, witnesses=witnesses, roster=roster, found=found)
    site = _site_of(rows, key, roster)
    return Source(verified, site, short_fingerprint(key), with_file, "" if roster is None else roster.name)


def _begins(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(len(_SQLITE))


def _exported(data: bytes, path: Path) -> tuple[tuple[AuditRow, ...], tuple[Witness, ...], list[Problem]]:
    try:
        read = audit_fhir.read if data[:1] == b"{" else _read_table
        return read(data)
    except _NO_EXPORT as error:
        raise UserError(_MALFORMED, path=str(path)) from error


def _decoded(data: bytes) -> Any:
    try:
        return codec.decode(data, _KEY_LIMIT)
    except ProtocolViolation:
        return None


def _named(rows: Sequence[AuditRow]) -> Any:
    """Return the key that the first record names."""
    first = next((row for row in rows if row.kind in (BEGAN, CREATED)), None)
    try:
        return None if first is None else (Entry.decode(first.body).what or {}).get("key")
    except ProtocolViolation:
        return None


def _key(plain_key: Any) -> MemberPublicKey:
    try:
        return MemberPublicKey.from_dict(plain_key)
    except ProtocolViolation as error:
        raise UserError("audit.no_key") from error


def _roster(settings: Mapping[str, bytes]) -> Roster | None:
    """Return the roster in a database if all its sites have signed it."""
    try:
        roster = Roster.from_plain(codec.decode(settings[ROSTER], ROSTER_LIMIT))
        roster.check(codec.decode(settings.get(SIGNATURES, b""), ROSTER_LIMIT))
    except (ConsiliumError, TypeError, AttributeError):
        return None
    return roster


def _site_of(rows: Sequence[AuditRow], key: MemberPublicKey, roster: Roster | None) -> str:
    for site in () if roster is None else roster.sites:
        if site.key == key:
            return site.name
    try:
        return str((Entry.decode(rows[0].body).what or {}).get("site", "")) if rows else ""
    except ProtocolViolation:
        return ""


# --- a table ------------------------------------------------------------------------------------------------------


def table(rows: Iterable[AuditRow], witnesses: Iterable[Witness], names: Mapping[bytes, str]) -> bytes:
    """Return records as CSV (RFC 4180, UTF-8), and below them what the sites in ``names`` (by key) hold.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_line, rows))
    writer.writerows(_held_line(each, names.get(each.holder, "")) for each in witnesses)
    return target.getvalue().encode()


def _line(row: AuditRow) -> list[str]:
    told = shown(row)
    what, budget = (json.dumps(told[name], ensure_ascii=False, sort_keys=True) for name in ("what", "budget"))
    cells = [str(row.number), audit_fhir.instant(row.at), row.kind, told["who"], what, told["why"]]
    cells += ["" if told["budget"] is None else budget, str(row.at)]
    return [*map(harmless, cells), *(each.hex() for each in (row.body, row.previous, row.hash, row.signature))]


def _held_line(witness: Witness, name: str) -> list[str]:
    number = str(witness.number)
    cells = [number, audit_fhir.instant(witness.at), HELD, name, "", "", "", str(witness.at)]
    return [*map(harmless, cells), witness.holder.hex(), "", witness.hash.hex(), witness.signature.hex()]


def _read_table(data: bytes) -> tuple[tuple[AuditRow, ...], tuple[Witness, ...], list[Problem]]:
    lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    if tuple(next(lines)) != COLUMNS:
        raise ValueError
    rows, witnesses, found = [], [], []
    for line in lines:
        number, at = int(line[0]), int(line[7])
        body, previous, hash_, signature = (bytes.fromhex(cell) for cell in line[8:12])
        if line[2] == HELD:
            witnesses.append(Witness(body, number, hash_, at, signature))
            again = _held_line(witnesses[-1], "")[:3]
        else:
            rows.append(AuditRow(number, at, line[2], body, previous, hash_, signature))
            again = _line(rows[-1])
        if line[: len(again)] != again or len(line) != len(COLUMNS):
            found.append(Problem(number, "audit.export_differs"))
    return tuple(rows), tuple(witnesses), found


def export(profile: OpenProfile, format: str) -> bytes:
    """Return the whole trail of a profile in one of :data:`FORMATS`."""
    store, roster = profile.store, profile.roster
    names = {} if roster is None else {site.key.verify: site.name for site in roster.sites}
    rows, witnesses = store.audit.all(), store.audit_heads.witnesses()
    if format == CSV:
        return table(rows, witnesses, names)
    about = audit_fhir.About(profile.site_name, profile.federation_name, short_fingerprint(profile.member_public))
    return audit_fhir.bundle(rows, witnesses, names, about)
