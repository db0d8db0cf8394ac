"""The audit trail as a FHIR R4 bundle of AuditEvents.

Each event says who did what and when in the fields that R4 requires (type, recorded, agent.requestor,
source.observer), and carries in its entity's details what is hashed and signed; a verification makes every event again
from these, so that no field can be changed unseen. What other sites hold of the chain are events of the subtype
``audit.held``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.errors import ProtocolViolation
from app.core.federation.audit import BEGAN, CREATED, Entry
from app.core.federation.audit_check import Problem
from app.core.store.audit import AuditRow, Witness

KINDS = "urn:consilium:audit-kind"
KEYS = "urn:consilium:member-key"
CHAIN = "urn:consilium:audit-chain"
HELD = "audit.held"
_DIFFERS = "audit.export_differs"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ACTIVITY, _QUERY = ("110100", "Application Activity"), ("110112", "Query")
_EXPORT, _IMPORT, _ALERT = ("110106", "Export"), ("110107", "Import"), ("110113", "Security Alert")
_TYPES = {
    "request": _QUERY,
    "decision": _QUERY,
    "contribution": _QUERY,
    "share": _QUERY,
    "released": _QUERY,
    "data.imported": _IMPORT,
    "audit.exported": _EXPORT,
    "audit.finding": _ALERT,
    HELD: _ALERT,
    "refusal": _ALERT,
}
_ACTIONS = {"created": "C", "imported": "C", "removed": "D", "changed": "U", "activated": "U", "signed": "U"}
_OUTCOMES = {"refusal": "4", "request.declined": "4", "audit.finding": "8"}
_BINARY = ("body", "previous", "hash", "signature")


@dataclass(frozen=True)
class About:
    """Whose trail it is: the site, its federation ("" for none), and the fingerprint of its key."""

    site: str
    federation: str
    fingerprint: str


def bundle(rows: Iterable[AuditRow], witnesses: Iterable[Witness], names: Mapping[bytes, str], about: About) -> bytes:
    """Return records, and what the sites in ``names`` (by key) hold, as a Bundle of the type "collection" in JSON."""
    resources = [_event(row, about) for row in rows]
    resources += [_held(each, names.get(each.holder, ""), about) for each in witnesses]
    made = {**_around(resources, about), **({"entry": list(map(_entry, resources))} if resources else {})}
    return json.dumps(made, ensure_ascii=False, indent=1).encode() + b"\n"


def _around(resources: Sequence[dict[str, Any]], about: About) -> dict[str, Any]:
    """Return the bundle but for its entries."""
    identifier = {"system": CHAIN, "value": about.fingerprint}
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "identifier": identifier}
    return {**made, "timestamp": max(str(each["recorded"]) for each in resources)} if resources else made


def _entry(resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def read(data: bytes) -> tuple[tuple[AuditRow, ...], tuple[Witness, ...], list[Problem]]:
    """Return the records and witnesses of a bundle, and which events do not say what they carry.

    Raises ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError for what is no bundle of ours.
    """
    made = json.loads(data)
    if made["resourceType"] != "Bundle" or made["type"] != "collection":
        raise ValueError
    entries, rows, witnesses, found = made.get("entry", []), [], [], []
    source = entries[0]["resource"]["source"]
    about = About(source["observer"]["display"], source.get("site", ""), source["observer"]["identifier"]["value"])
    for entry in entries:
        resource = entry["resource"]
        details, kind = _details(resource), resource["subtype"][0]["code"]
        number, at = int(details["number"]), int(details["time"])
        carried = {name: base64.b64decode(details.get(name, ""), validate=True) for name in _BINARY}
        if kind == HELD:
            witnesses.append(Witness(carried["body"], number, carried["hash"], at, carried["signature"]))
            again = _held(witnesses[-1], resource["agent"][0].get("who", {}).get("display", ""), about)
        else:
            rows.append(AuditRow(number, at, kind, **carried))
            again = _event(rows[-1], about)
        if entry != _entry(again):
            found.append(Problem(number, _DIFFERS))
    if made != {**_around([entry["resource"] for entry in entries], about), "entry": entries}:
        found.append(Problem(0, _DIFFERS))
    for name, said in _own_words(rows).items():
        if said != getattr(about, name):
            found.append(Problem(0, _DIFFERS))
    return tuple(rows), tuple(witnesses), found


def _own_words(rows: Iterable[AuditRow]) -> dict[str, str]:
    """Return what the records themselves say of :class:`About`, the last word on each."""
    said: dict[str, str] = {}
    for row in rows:
        try:
            what = Entry.decode(row.body).what or {}
        except ProtocolViolation:
            continue
        if row.kind in (BEGAN, CREATED) and "site" in what:
            said["site"] = str(what["site"])
        if row.kind == "federation.roster":
            said["federation"] = str(what.get("federation", ""))
    return said


def _event(row: AuditRow, about: About) -> dict[str, Any]:
    try:
        entry = Entry.decode(row.body)
    except ProtocolViolation:
        entry = Entry()
    agents = [_agent(about.site, requestor=not entry.who)]
    if entry.who:
        agents.insert(0, _agent(entry.who, requestor=True))
    said = {f"what.{name}": value for name, value in (entry.what or {}).items() if name != "key"}
    said |= {"why": entry.why} | {f"budget.{name}": value for name, value in (entry.budget or {}).items()}
    event = _resource(row.number, row.at, row.kind, row.hash, agents, about)
    event["entity"][0]["detail"] = [
        *({"type": name, "valueString": text} for name, value in said.items() if (text := _text(value))),
        *_carried(row.number, row.at, {name: getattr(row, name) for name in _BINARY}),
    ]
    if entry.why:
        event["outcomeDesc"] = entry.why
    return event


def _held(witness: Witness, name: str, about: About) -> dict[str, Any]:
    agents = [_agent(name, requestor=True), _agent(about.site, requestor=False)]
    event = _resource(witness.number, witness.at, HELD, witness.signature, agents, about)
    carried = {"body": witness.holder, "previous": b"", "hash": witness.hash, "signature": witness.signature}
    event["entity"][0]["detail"] = _carried(witness.number, witness.at, carried)
    return event


def _resource(  # noqa: PLR0917 - what every event has
    number: int, at: int, kind: str, hash: bytes, agents: list[dict[str, Any]], about: About
) -> dict[str, Any]:
    observer = {"identifier": {"system": KEYS, "value": about.fingerprint}, "display": about.site}
    code, display = _TYPES.get(kind) or _TYPES.get(kind.split(".", maxsplit=1)[0], _ACTIVITY)
    return {
        "resourceType": "AuditEvent",
        "id": str(UUID(bytes=(hash + bytes(16))[:16])),
        "type": {"system": _DICOM, "code": code, "display": display},
        "subtype": [{"system": KINDS, "code": kind}],
        "action": _ACTIONS.get(kind.rsplit(".", maxsplit=1)[-1], "E"),
        "recorded": instant(at),
        "outcome": _OUTCOMES.get(kind, "0"),
        "agent": agents,
        "source": {**({"site": about.federation} if about.federation else {}), "observer": observer},
        "entity": [
            {
                "type": {"system": _ENTITY, "code": "4", "display": "Other"},
                "name": f"record {number}",
            }
        ],
    }


def _agent(name: str, *, requestor: bool) -> dict[str, Any]:
    return {**({"who": {"display": name}} if name else {}), "requestor": requestor}


def _carried(number: int, at: int, data: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Return what is hashed and signed, as details that :func:`_details` reads."""
    return [
        {"type": "record.number", "valueString": str(number)},
        {"type": "record.time", "valueString": str(at)},
        *(
            {"type": f"record.{name}", "valueBase64Binary": base64.b64encode(value).decode()}
            for name, value in data.items()
            if value
        ),
    ]


def _details(resource: Mapping[str, Any]) -> dict[str, str]:
    named = {each["type"]: each for each in resource["entity"][0]["detail"]}
    return {
        name.removeprefix("record."): each.get("valueString") or each.get("valueBase64Binary", "")
        for name, each in named.items()
        if name.startswith("record.")
    }


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool) or value is None or isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(item)}" for name, item in value.items())
    return str(value).strip()


def instant(milliseconds: int) -> str:
    """Return a moment (UTC ms) as ISO 8601 in UTC with milliseconds; "" for what is no moment."""
    try:
        whole = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{whole}.{milliseconds % 1000:03d}Z"
