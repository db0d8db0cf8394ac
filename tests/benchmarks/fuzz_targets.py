"""What is fuzzed: every reader of bytes from another site, from the relay, from a file or from the local socket."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from app.core import codec
from app.core.catalogue.holding import pack, unpack
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto import format as crypto_format
from app.core.crypto import release, sampling
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.crypto.parameters import INSECURE_SWITCH
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as PARAMETERS
from app.core.crypto.ring import Array
from app.core.federation import (
    catalogue_publishing,
    ceremony_messages,
    ceremony_work,
    cohort_sharing,
    endorsement,
    holdings,
    invitation,
    joining_messages,
    news,
    people_messages,
    query_messages,
)
from app.core.federation import envelope as envelopes
from app.core.federation.catalogue_links import Link
from app.core.federation.custodian import Signer
from app.core.federation.joining_messages import THIS_PROGRAM
from app.core.federation.public_file import PublicFederation, assemble, sign_statement
from app.core.federation.query_messages import Authority, Request, SmallestCount
from app.core.federation.roster import Roster, Site
from app.core.federation.signed_records import Record
from app.core.fields import Fields
from app.core.query.analyses import Grouping, Histogram, Regress, Summary, Survival
from app.core.query.model import (
    All,
    Before,
    Dates,
    Flag,
    Happened,
    Levels,
    Moment,
    Not,
    Occurs,
    Query,
    Within,
)
from app.core.secret import SecretBytes
from app.core.services import cohort_files
from app.core.services.carrying import wanted_blobs
from app.core.services.member import MESSAGE_TYPES
from app.core.store.documents import Header, Manifest, SealedColumn
from app.core.store.package import open_package
from tests.vectors import make_people_vectors
from tests.vectors.make_people_vectors import ADA

Parser = Callable[[bytes], object]
os.environ[INSECURE_SWITCH] = "yes"
_LIMIT = 1 << 20


class Accepted(Exception):
    """An input was understood, although what was called raised something else than a result."""


@dataclass(frozen=True)
class Target:
    """Parsers with a valid sample each.

    ``part`` of the inputs is for a slow one; ``whole`` as of Mutator; with ``refused`` a sample may be refused too.
    """

    pairs: Sequence[tuple[Parser, bytes]]
    part: float = 1.0
    whole: bool = True
    refused: bool = False


Opened = Callable[[], AbstractContextManager[Target]]
TARGETS: dict[str, Opened] = {}


def target(name: str) -> Callable[[Callable[[], Iterator[Target]]], Opened]:
    """Register what a generator gives as the target ``name``; it may clean up behind it."""

    def register(make: Callable[[], Iterator[Target]]) -> Opened:
        TARGETS[name] = contextmanager(make)
        return TARGETS[name]

    return register


def simple(name: str, part: float = 1.0) -> Callable[[Callable[[], Sequence[tuple[Parser, bytes]]]], None]:
    """Register a function that returns parsers with their samples."""

    def register(make: Callable[[], Sequence[tuple[Parser, bytes]]]) -> None:
        @target(name)
        def opened() -> Iterator[Target]:
            yield Target(make(), part)

    return register


def decoded(read: Callable[[Any], object], plain: object) -> tuple[Parser, bytes]:
    """Return a reader of decoded CBOR as a parser, with a sample."""
    return lambda data: read(codec.decode(data, _LIMIT)), codec.encode(plain)


# --- a federation ---------------------------------------------------------------------------------------------------

KEYS = [MemberKey.from_root(SecretBytes(bytes([number]) * 32)) for number in (1, 2, 3)]
SITES = tuple(Site(number, f"Site {number}", "+41", key.public) for number, key in enumerate(KEYS, start=1))
CATALOGUE = Catalogue("c", 1, (Variable("a", Kind.FLAG, Label("A")),))
LATER = replace(CATALOGUE, version=2, variables=(*CATALOGUE.variables, Variable("b", Kind.FLAG, Label("B"))))
ROSTER = Roster(bytes(32), "Fuzz", PARAMETERS, 2, CATALOGUE.hash, bytes(32), SITES)
QUERY = Query(All((Flag("a"), Not(Levels("b", frozenset({"x", "y"}))))))
FIRST_A, LAST_B = Moment("first", "a"), Moment("last", "b")
WHOLE = Query(
    All(
        (
            Before(FIRST_A, LAST_B, Decimal(30), None),
            Within(FIRST_A, LAST_B, Decimal(60)),
            Happened("first", "a", None, Decimal(90)),
            Occurs("b", 2),
        )
    ),
    Survival("os", Grouping("age", (Decimal(50), Decimal(65))), Decimal(720), Decimal(60)),
    per_site=True,
)


def message(type_: str, body: bytes, *, sender: int = 1) -> bytes:
    """Return a signed envelope to site 2 with a sealed ``body``."""
    fields: dict[str, Any] = {
        "federation": ROSTER.federation_id, "type": type_, "sender": sender, "recipients": (2,),
        "session": bytes(32), "id": bytes(16),
    }  # fmt: skip
    sealed = envelopes.seal_body(body, {2: KEYS[1].public}, envelopes.body_context(**fields), bytes)
    return envelopes.sign(envelopes.Envelope(**fields, time=1, body=sealed), KEYS[sender - 1])


@simple("envelope")
def _envelope() -> Sequence[tuple[Parser, bytes]]:
    def parse(data: bytes) -> object:
        envelopes.claimed(data)
        opened = envelopes.open_envelope(data, federation=bytes(32), roster=ROSTER.keys, me=2, types=MESSAGE_TYPES)
        return envelopes.open_body(opened.body, 2, KEYS[1], opened.context)

    return [(parse, message(query_messages.NOTE, b"body"))]


@simple("sealed body")
def _body() -> Sequence[tuple[Parser, bytes]]:
    sealed = envelopes.seal_body(b"body", {2: KEYS[1].public}, b"context", bytes)
    return [(lambda data: envelopes.open_body(data, 2, KEYS[1], b"context"), sealed)]


@simple("roster")
def _roster() -> Sequence[tuple[Parser, bytes]]:
    return [decoded(Roster.from_plain, ROSTER.to_plain())]


@simple("catalogue")
def _catalogue() -> Sequence[tuple[Parser, bytes]]:
    return [(Catalogue.from_cbor, CATALOGUE.to_cbor())]


# --- what sites say to each other -----------------------------------------------------------------------------------


def _readers(types: Mapping[str, Any], bodies: Mapping[str, Sequence[object]]) -> list[tuple[Parser, bytes]]:
    """Return the readers of messages by type, with what the agent does next: find out which blobs they offer."""

    def reader(type_: str) -> Callable[[Any], object]:
        return lambda plain: wanted_blobs(type_, types[type_](plain, ROSTER), 2)

    assert bodies.keys() == types.keys()
    return [decoded(reader(type_), body) for type_, each in bodies.items() for body in each]


@simple("ceremony messages")
def _ceremony() -> Sequence[tuple[Parser, bytes]]:
    payloads: list[object] = [
        {"random": bytes(32)}, {"blob": bytes(32), "size": 7}, {"blobs": [[bytes(32), 7]] * 3},
        {"shares": [[0, b"share"]], "pads": [bytes(32)] * 3}, {"signature": bytes(64)},
    ]  # fmt: skip
    rounds = ("randomness", "public key", "dealing", "check", "confirm")
    reveals = [
        {"round": round_, "salt": bytes(32), "payload": codec.encode(payload)}
        for round_, payload in zip(rounds, payloads, strict=True)
    ]
    bodies: dict[str, Sequence[object]] = {
        ceremony_messages.COMMIT: [{"round": "check", "transcript": bytes(32), "commitment": bytes(32)}],
        ceremony_messages.REVEAL: reveals,
        ceremony_messages.STOP: [{"code": "ceremony.bad_share"}],
    }
    dealt = decoded(lambda plain: ceremony_messages.dealt_blobs(ceremony_messages.Fields(plain, "x"), 3), payloads[2])
    return [*_readers(ceremony_messages.MESSAGE_TYPES, bodies), dealt]


@simple("query request")
def _request() -> Sequence[tuple[Parser, bytes]]:
    meanings = {"a": bytes(32), "b": bytes(32)}
    key = SealingKey(SecretBytes(bytes(range(96)))).public
    request = Request(QUERY, Fraction(1, 2), (1, 2, 3), (1, 2), 2, key, meanings, "A purpose")
    whole = replace(request, query=WHOLE, meanings=dict.fromkeys(WHOLE.codes, bytes(32)), blocks=(1, 20, 3), results=64)
    person = Authority(delegation=b"a signed record", project=bytes(16), signature=bytes(64))
    asked = replace(whole, authority=person, epsilon=None, smallest=SmallestCount(11, zeros=False))
    return [decoded(lambda plain: Request.from_body(plain, 3, 2), each.to_body()) for each in (request, whole, asked)]


@simple("query")
def _query() -> Sequence[tuple[Parser, bytes]]:
    more = (
        Query(All(()), Summary(("a", "b"))),
        Query(Flag("a"), Regress("a", ("b", "c"))),
        Query(Dates("a", date(2020, 1, 1), None), Histogram("b"), per_site=True),
    )
    return [(Query.from_cbor, each.to_cbor()) for each in (QUERY, WHOLE, *more)]


@simple("query messages")
def _query_messages() -> Sequence[tuple[Parser, bytes]]:
    bodies: dict[str, Sequence[object]] = {
        query_messages.COMMIT: [{"attempt": 1, "request": bytes(32), "hash": bytes(32), "noise_bits": 40}],
        query_messages.DECLINE: [{"code": "policy.declined"}],
        query_messages.REASON: [{"code": "policy.too_few_sites", "params": {"others": 1, "rule": "a", "own": True}}],
        query_messages.REFUSE: [{"code": "policy.declined"}],
        query_messages.STATE: [
            {"state": query_messages.WAITING},
            {"state": query_messages.COMPUTING, "percent": 40},
        ],
        query_messages.NOTE: [{"text": "Why?\nAnd for whom?"}],
        query_messages.FINISH: [{}],
        query_messages.CLOSE: [{"contributors": [1, 3], "hashes": [bytes(32), bytes(32)]}],
        query_messages.RETRY: [{"attempt": 2, "quorum": [1, 3]}],
        query_messages.CONTRIBUTION: [{"attempt": 1, "blob": bytes(32), "size": 7}],
        query_messages.MASK_COMMIT: [{"attempt": 1, "hash": bytes(32)}],
        query_messages.MASKS: [{"attempt": 1, "blob": bytes(32), "size": 7, "shares": [b"share"]}],
        query_messages.SHARE: [{"attempt": 1, "sealed": b"share"}],
        query_messages.RELEASED: [{}],
        query_messages.FAIL: [{"code": "query.cancelled"}],
    }
    others = {type_: read for type_, read in query_messages.MESSAGE_TYPES.items() if type_ != query_messages.REQUEST}
    return _readers(others, bodies)


@simple("news")
def _news() -> Sequence[tuple[Parser, bytes]]:
    return _readers(
        news.MESSAGE_TYPES, {news.NEWS: [{"number": 1, "program": THIS_PROGRAM.to_plain(), "backed_up": 0}]}
    )


@simple("holdings")
def _holdings() -> Sequence[tuple[Parser, bytes]]:
    return [
        *_readers(
            holdings.MESSAGE_TYPES,
            {
                holdings.HOLDINGS: [
                    {"number": 1, "held": b"\x80"},
                    {"number": 2, "held": b"\x80", "catalogue": bytes(32)},
                    {"number": 3, "held": b"\x80", "blocks": 17},
                ]
            },
        ),
        (lambda changed: unpack(CATALOGUE, changed), pack(CATALOGUE, {"a"})),
    ]


_LINK = Link(1, ROSTER.catalogue_hash, LATER.hash, LATER.version, 1).signed(ROSTER.federation_id, KEYS[0])


@simple("published catalogues")
def _published() -> Sequence[tuple[Parser, bytes]]:
    said = catalogue_publishing.Publication((_LINK,), "A note", bytes(32), 100, SecretBytes(bytes(32)))
    return _readers(catalogue_publishing.MESSAGE_TYPES, {catalogue_publishing.PUBLISHED: [said.to_plain()]})


@simple("shared cohorts")
def _cohorts() -> Sequence[tuple[Parser, bytes]]:
    """The message, and the file that a cohort is exported to."""
    meanings = {code: bytes(32) for code in QUERY.codes}
    shared = cohort_sharing.SharedCohort("Old smokers", QUERY, meanings, 1)
    written = cohort_files.format_file(cohort_files.CohortFile("Old smokers", "a and not b", meanings, "c, version 1"))
    return [
        *_readers(cohort_sharing.MESSAGE_TYPES, {cohort_sharing.SHARED: [shared.to_plain()]}),
        (lambda data: cohort_files.read_file(data, "cohort.toml"), written.encode()),
    ]


@simple("people and projects")
def _people() -> Sequence[tuple[Parser, bytes]]:
    """Records as they come, what each kind says (signed anew: nothing else gets past the signature), and requests."""

    def content(kind: str) -> Parser:
        def read(data: bytes) -> object:
            said = codec.decode(data, _LIMIT)
            Fields(said, "people.malformed_record")  # what is no map cannot be signed as a record
            record = Record(kind, ROSTER.federation_id, 1, 1, said).signed(
                Signer(KEYS[0].public.verify, "site", KEYS[0].sign)
            )
            return people_messages.read_record({"record": record.to_cbor()}, ROSTER)

        return read

    records = make_people_vectors.records(ROSTER.federation_id, site=1)
    plain = {people_messages.RECORD: [{"record": each.to_cbor()} for each in records.values()]}
    return [
        *_readers(people_messages.MESSAGE_TYPES, plain),
        *((content(kind), codec.encode(dict(each.content))) for kind, each in records.items()),
        (
            lambda data: endorsement.read_request(data.decode(errors="replace")),
            make_people_vectors.ENDORSEMENT.to_text(ADA).encode(),
        ),
    ]


@simple("joining messages")
def _joining() -> Sequence[tuple[Parser, bytes]]:
    secret = SecretBytes(bytes(32))
    said: dict[str, Any] = {
        joining_messages.INTRODUCTION: joining_messages.Introduction(
            "Site 2", "+41", KEYS[1].public, THIS_PROGRAM, bytes(32), 1, bytes(32)
        ).sealed_with(secret, bytes(32), bytes(32)),
        joining_messages.FACTS: joining_messages.Facts(
            "Fuzz", PARAMETERS.name, 0, bytes(32), bytes(32), 7, secret, THIS_PROGRAM, ("Site 1", "Site 2")
        ),
        joining_messages.CONFIRMED: joining_messages.Confirmed(bytes(32)),
        joining_messages.PROPOSAL: joining_messages.Proposal(ROSTER, (THIS_PROGRAM,) * 3),
        joining_messages.SIGNATURE: joining_messages.Signature(bytes(64)),
        joining_messages.REFUSAL: joining_messages.Refusal("joining.proposal_us"),
        joining_messages.ROSTER: joining_messages.SignedBy((bytes(64),) * 3),
        joining_messages.LEFT_OUT: joining_messages.LeftOut(),
    }
    assert said.keys() == joining_messages.READERS.keys()
    return [decoded(joining_messages.READERS[type_], each.to_plain()) for type_, each in said.items()]


# --- blobs ----------------------------------------------------------------------------------------------------------


def _polynomials(count: int, primes: tuple[int, ...]) -> Array:
    degree = PARAMETERS.ring_degree
    rows = [[sampling.uniform(bytes(32), "fuzz", (n, prime), prime, degree) for prime in primes] for n in range(count)]
    return np.array(rows)


@simple("key share")
def _key_share() -> Sequence[tuple[Parser, bytes]]:
    ((primes, count),) = ceremony_work.share_shapes(PARAMETERS, "public key")
    data = crypto_format.pack_polynomials(PARAMETERS, primes, _polynomials(count, primes))
    return [(lambda changed: crypto_format.unpack_polynomials(PARAMETERS, primes, count, changed), data)]


@simple("dealt share")
def _dealt() -> Sequence[tuple[Parser, bytes]]:
    primes = PARAMETERS.data_primes[:3]
    data = crypto_format.pack_polynomials(PARAMETERS, primes, _polynomials(1, primes))
    return [(lambda changed: ceremony_work.unpack_dealt(PARAMETERS, changed), data)]


@simple("contribution")
def _contribution() -> Sequence[tuple[Parser, bytes]]:
    mask = _polynomials(1, PARAMETERS.data_primes[:3])[0]
    data = release.Contribution(PARAMETERS, mask, mask[:, :1].copy()).to_bytes()
    return [(lambda changed: release.Contribution.from_bytes(PARAMETERS, changed, 3, 1), data)]


@simple("decryption share")
def _share() -> Sequence[tuple[Parser, bytes]]:
    share = _polynomials(1, PARAMETERS.data_primes[:3])[0][:, :4].copy()
    return [(lambda changed: release.share_from_bytes(PARAMETERS, changed, 3, 4), release.share_to_bytes(share))]


# --- files ----------------------------------------------------------------------------------------------------------


@simple("public file")
def _public_file() -> Sequence[tuple[Parser, bytes]]:
    primes, key_bytes = PARAMETERS.all_primes, _polynomials(2, PARAMETERS.all_primes)
    public_key = crypto_format.pack_polynomials(PARAMETERS, primes, key_bytes)
    signatures = {
        site.position: sign_statement(key, ROSTER, public_key, bytes(32)) for site, key in zip(SITES, KEYS, strict=True)
    }
    first = assemble(ROSTER, CATALOGUE, public_key, bytes(32), signatures)
    later = replace(first, catalogue=LATER, links=(_LINK,))
    return [(PublicFederation.from_bytes, each.to_bytes()) for each in (first, later)]


_COLUMNS = (SealedColumn("a", bytes(32), "has"),)
_HEADER = Header(bytes(32), bytes(32), bytes(32), bytes(16), PARAMETERS.name, 5, 1, _COLUMNS, 1)


@simple("package documents")
def _documents() -> Sequence[tuple[Parser, bytes]]:
    manifest = Manifest(_HEADER.hash, bytes(32), (bytes(32),), bytes(32))
    return [(Header.decode, _HEADER.encode()), (lambda data: Manifest.decode(data, _HEADER), manifest.encode())]


@simple("residue")
def _residue() -> Sequence[tuple[Parser, bytes]]:
    prime = PARAMETERS.data_primes[2]
    blob = crypto_format.pack_residue(PARAMETERS, 5, 2, _polynomials(2, (prime,))[:, 0])
    return [(lambda data: crypto_format.unpack_residue(PARAMETERS, data, 5, 2), blob)]


@target("package file")
def _package_file() -> Iterator[Target]:
    """A whole package, opened as an import opens it: SQLite with hostile pages."""
    from tests.packages import Maker  # noqa: PLC0415  (makes keys)

    with tempfile.TemporaryDirectory() as place:
        maker = Maker(Path(place))
        path, _ = maker.package(maker.table(3))
        hostile = Path(place, "hostile.consilium")

        def parse(data: bytes) -> object:
            hostile.write_bytes(data)
            with open_package(hostile) as package:
                package.check_complete()
                return sum(1 for group in range(package.header.groups) for _ in package.group(group, PARAMETERS))

        yield Target([(parse, path.read_bytes())], part=0.2)


# --- invitations ----------------------------------------------------------------------------------------------------


@simple("invitation")
def _invitation() -> Sequence[tuple[Parser, bytes]]:
    """The payload is changed and its checksum made right again, as a hostile inviter can; and the text as it is."""
    sample = invitation.Invitation(
        relay="https://relay.example",
        authority=b"",
        federation_id=bytes(32),
        federation="Fuzz",
        creator="Site 1",
        contact="+41",
        creator_fingerprint=bytes(32),
        site="Site 2",
        secret=SecretBytes(bytes(32)),
        expires=1,
    )
    text = sample.to_text()
    letters = text.removeprefix(invitation.PREFIX).rstrip(".").upper()
    payload = base64.b32decode(letters + "=" * (-len(letters) % 8))[:-4]

    def parse(data: bytes) -> object:
        remade = base64.b32encode(data + invitation._checksum(data)).decode().rstrip("=").lower()
        return invitation.read_invitation(f"{invitation.PREFIX}{remade}.")

    def parse_text(data: bytes) -> object:
        return invitation.read_invitation(data.decode("utf-8", "replace"))

    return [(parse, payload), (parse_text, text.encode())]
