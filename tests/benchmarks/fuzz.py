"""Mutated inputs for every parser of bytes from outside: ``python -m tests.benchmarks.fuzz [--count 1000000]``.

Each parser gets ``count`` mutations of valid samples: flipped bits, cut, lengthened, spliced and overwritten. It must
either accept or raise the program's own error: no crash, no hang (the slowest input is reported), bounded memory.
Seeds are fixed; a finding prints the input in hexadecimal.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from app.core import codec
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto import format as crypto_format
from app.core.crypto import release, sampling
from app.core.crypto.identity import MemberKey, SealingKey
from app.core.crypto.parameters import INSECURE_SWITCH
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as PARAMETERS
from app.core.crypto.ring import Array
from app.core.errors import ConsiliumError
from app.core.federation import envelope as envelopes
from app.core.federation import invitation, query_messages
from app.core.federation.query_messages import Request
from app.core.federation.roster import Roster, Site
from app.core.query.model import All, Flag, Levels, Not, Query
from app.core.secret import SecretBytes
from app.core.store.documents import Header, SealedColumn

Parser = Callable[[bytes], object]
os.environ[INSECURE_SWITCH] = "yes"


@dataclass(frozen=True)
class Found:
    """How one parser did; ``findings`` are inputs that raised something else, in hexadecimal."""

    parser: str
    inputs: int
    accepted: int
    seconds: float
    slowest_ms: float
    peak_mb: float
    findings: tuple[str, ...]


def _root(number: int) -> SecretBytes:
    return SecretBytes(bytes([number]) * 32)


def _roster() -> Roster:
    sites = tuple(Site(n, f"Site {n}", "+41", MemberKey.from_root(_root(n)).public) for n in (1, 2, 3))
    return Roster(bytes(32), "Fuzz", PARAMETERS, 2, bytes(32), bytes(32), sites)


def _envelope() -> tuple[Parser, bytes]:
    roster, keys = _roster(), [MemberKey.from_root(_root(n)) for n in (1, 2)]
    sealed = envelopes.seal_body(b"body", {2: keys[1].public}, b"context", bytes)
    message = envelopes.Envelope(
        federation=roster.federation_id,
        type=query_messages.NOTE,
        sender=1,
        recipients=(2,),
        session=bytes(32),
        id=bytes(16),
        time=1,
        body=sealed,
    )

    def parse(data: bytes) -> object:
        opened = envelopes.open_envelope(
            data, federation=bytes(32), roster=roster.keys, me=2, types=query_messages.MESSAGE_TYPES
        )
        return envelopes.open_body(opened.body, 2, keys[1], b"context")

    return parse, envelopes.sign(message, keys[0])


def _body() -> tuple[Parser, bytes]:
    key = MemberKey.from_root(_root(2))
    sealed = envelopes.seal_body(b"body", {2: key.public}, b"context", bytes)
    return lambda data: envelopes.open_body(data, 2, key, b"context"), sealed


def _roster_parser() -> tuple[Parser, bytes]:
    return lambda data: Roster.from_plain(codec.decode(data, 1 << 18)), codec.encode(_roster().to_plain())


def _request() -> tuple[Parser, bytes]:
    query = Query(All((Flag("a"), Not(Levels("b", frozenset({"x", "y"}))))))
    meanings = {"a": bytes(32), "b": bytes(32)}
    key = SealingKey(SecretBytes(bytes(range(96)))).public
    request = Request(query, None, (1, 2, 3), (1, 2), 2, key, meanings, "A purpose")
    return lambda data: Request.from_body(codec.decode(data, 1 << 20), 3, 2), codec.encode(request.to_body())


def _query() -> tuple[Parser, bytes]:
    return Query.from_cbor, Query(All((Flag("a"), Not(Levels("b", frozenset({"x", "y"})))))).to_cbor()


def _catalogue() -> tuple[Parser, bytes]:
    return Catalogue.from_cbor, Catalogue("c", 1, (Variable("a", Kind.FLAG, Label("A")),)).to_cbor()


def _header() -> tuple[Parser, bytes]:
    column = SealedColumn("a", bytes(32), "has")
    header = Header(bytes(32), bytes(32), bytes(32), bytes(16), PARAMETERS.name, 5, 1, (column,), 1)
    return Header.decode, header.encode()


def _polynomials(count: int, primes: tuple[int, ...]) -> Array:
    degree = PARAMETERS.ring_degree
    rows = [[sampling.uniform(bytes(32), "fuzz", (n, prime), prime, degree) for prime in primes] for n in range(count)]
    return np.array(rows)


def _residue() -> tuple[Parser, bytes]:
    prime = PARAMETERS.data_primes[2]
    blob = crypto_format.pack_residue(PARAMETERS, 5, 2, _polynomials(2, (prime,))[:, 0])
    return lambda data: crypto_format.unpack_residue(PARAMETERS, data, 5, 2), blob


def _contribution() -> tuple[Parser, bytes]:
    primes = PARAMETERS.data_primes[:3]
    mask = _polynomials(1, primes)[0]
    data = release.Contribution(PARAMETERS, mask, mask[:, :1].copy()).to_bytes()
    return lambda data: release.Contribution.from_bytes(PARAMETERS, data, 3, 1), data


def _share() -> tuple[Parser, bytes]:
    share = _polynomials(1, PARAMETERS.data_primes[:3])[0][:, :4].copy()
    return lambda data: release.share_from_bytes(PARAMETERS, data, 3, 4), release.share_to_bytes(share)


def _invitation() -> tuple[Parser, bytes]:
    """The payload is changed and its checksum made right again: what a hostile inviter can send."""
    sample = invitation.Invitation(
        relay="https://relay.example",
        authority=b"",
        federation_id=bytes(32),
        federation="Fuzz",
        creator="Site 1",
        contact="+41",
        creator_fingerprint=bytes(32),
        site="Site 2",
        secret=_root(1),
        expires=1,
    )
    letters = sample.to_text().removeprefix(invitation.PREFIX).rstrip(".").upper()
    payload = base64.b32decode(letters + "=" * (-len(letters) % 8))[:-4]

    def parse(data: bytes) -> object:
        text = base64.b32encode(data + invitation._checksum(data)).decode().rstrip("=").lower()
        return invitation.read_invitation(f"{invitation.PREFIX}{text}.")

    return parse, payload


PARSERS: dict[str, Callable[[], tuple[Parser, bytes]]] = {
    "envelope": _envelope,
    "sealed body": _body,
    "roster": _roster_parser,
    "request": _request,
    "query": _query,
    "catalogue": _catalogue,
    "package header": _header,
    "residue": _residue,
    "contribution": _contribution,
    "decryption share": _share,
    "invitation": _invitation,
}


def mutate(source: random.Random, sample: bytes) -> bytes:
    """Return ``sample`` changed in one to four places, or cut, or lengthened."""
    data = bytearray(sample)
    for _ in range(source.randint(1, 4)):
        where = source.randrange(len(data)) if data else 0
        match source.randrange(6):
            case 0 if data:
                data[where] ^= 1 << source.randrange(8)
            case 1 if data:
                data[where] = source.randrange(256)
            case 2:
                del data[where:]
            case 3:
                data[where:where] = source.randbytes(source.randint(1, 9))
            case 4:
                data += source.randbytes(source.randint(1, 64))
            case _:
                piece = sample[source.randrange(len(sample)) :][: source.randint(1, 32)]
                data[where : where + len(piece)] = piece
    return bytes(data)


def fuzz(name: str, count: int) -> Found:
    """Feed ``count`` mutations to one parser."""
    parse, sample = PARSERS[name]()
    parse(sample)
    source, accepted, slowest = random.Random(name), 0, 0.0  # noqa: S311 - repeatable on purpose
    findings: list[str] = []
    began = time.perf_counter()
    for _ in range(count):
        data = mutate(source, sample)
        started = time.perf_counter()
        try:
            parse(data)
            accepted += 1
        except ConsiliumError:
            pass
        except Exception as error:  # noqa: BLE001 - what is looked for
            if len(findings) < 5:
                findings.append(f"{type(error).__name__}: {data[:2000].hex()}")
        slowest = max(slowest, time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Found(name, count, accepted, time.perf_counter() - began, 1000 * slowest, peak, tuple(findings))


def main() -> int:
    """Fuzz every parser on all cores and print a table; exit 1 if anything was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=1_000_000)
    options.add_argument("--only", choices=sorted(PARSERS), action="append")
    options.add_argument("--report", type=Path)
    chosen = options.parse_args()
    names = chosen.only or list(PARSERS)
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(fuzz, names, [chosen.count] * len(names)))
    for each in found:
        state = f"{len(each.findings)} FINDINGS" if each.findings else "clean"
        print(
            f"{each.parser:18} {each.inputs:>9} inputs {each.accepted:>7} accepted {each.seconds:>7.1f} s "
            f"slowest {each.slowest_ms:>6.1f} ms  peak {each.peak_mb:>5.0f} MB  {state}"
        )
        for finding in each.findings:
            print("   ", finding)
    if chosen.report:
        chosen.report.write_text(json.dumps([asdict(each) for each in found], indent=2), "utf-8")
    return int(any(each.findings for each in found))


if __name__ == "__main__":
    sys.exit(main())
