"""``python -m tests.benchmarks.parsers [--count N] [--seed S]``: a million damaged inputs for every parser, each.

Every parser of what arrives over the relay gets N inputs: whole ones with bytes changed, cut, put in or doubled. Each
must be read or refused with an error of the family; anything else ends the run with the input that did it. The slowest
single input and the growth of memory are reported: neither may run away.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

from app.core.clock import SystemClock
from app.core.errors import ConsiliumError
from app.core.federation import relay_protocol as protocol
from app.core.federation.envelope import Envelope, open_envelope, sign
from app.core.federation.invitation import Invitation, read_invitation
from app.core.federation.relay_protocol import Admission, Login, RelayMember, Session
from app.core.secret import SecretBytes
from tests.relay_server import new_key

KEY = new_key()
FEDERATION = bytes(range(32))


def parsers() -> dict[str, tuple[Callable[[bytes], Any], bytes]]:
    """Return each parser with a whole input."""
    admission = Admission.sign(FEDERATION, SecretBytes(bytes(32)), KEY, bytes(100))
    member = RelayMember(1, KEY.public, True, bytes(100), bytes(32), 5)
    message = Envelope(FEDERATION, "test.message", 1, (1, 2), bytes(16), bytes(16), SystemClock().now(), bytes(200))
    invitation = Invitation(
        "https://relay.example", b"", FEDERATION, "Lung", "North", "+41 …", bytes(32), "South",
        SecretBytes(secrets.token_bytes(32)), 1 << 50,
    ).to_text()  # fmt: skip

    def envelope(data: bytes) -> Envelope:
        return open_envelope(data, federation=FEDERATION, roster={1: KEY.public}, me=None, types=("test.message",))

    return {
        "envelope": (envelope, sign(message, KEY)),
        "invitation": (lambda data: read_invitation(data.decode("utf-8", "replace")), invitation.encode()),
        "admission": (Admission.from_bytes, admission.to_bytes()),
        "login": (Login.from_bytes, Login.sign(FEDERATION, bytes(56), KEY).to_bytes()),
        "session": (Session.from_bytes, Session("token", 3600).to_bytes()),
        "members": (protocol.decode_members, protocol.encode_members((member,))),
        "messages": (protocol.decode_messages, protocol.encode_messages([(1, bytes(50)), (7, bytes(50))])),
        "challenge": (protocol.decode_challenge, protocol.encode_challenge(bytes(56), 7)),
        "relay_invitation": (protocol.decode_invitation, protocol.encode_invitation(7)),
        "places": (protocol.decode_places, protocol.encode_places((bytes(32), bytes([1]) * 32))),
    }


def damaged(whole: bytes, source: random.Random) -> bytes:
    """Return ``whole`` with one to four changes."""
    data = bytearray(whole)
    for _ in range(source.randrange(1, 5)):
        place = source.randrange(len(data) + 1)
        match source.randrange(5):
            case 0 if place < len(data):
                data[place] = source.randrange(256)
            case 1 if place < len(data):
                data[place] ^= 1 << source.randrange(8)
            case 2:
                del data[place : place + source.randrange(1, 40)]
            case 3:
                data[place:place] = source.randbytes(source.randrange(1, 9))
            case _:
                data += data[place : place + 200]
    return bytes(data)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.parsers")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = {}
    for name, (read, whole) in parsers().items():
        source, slowest, was_read = random.Random(options.seed), 0.0, 0
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(options.count):
            data = damaged(whole, source)
            began = time.perf_counter()
            try:
                read(data)
                was_read += 1
            except ConsiliumError:
                pass
            except BaseException:
                print(f"{name}: {data.hex()}", file=sys.stderr)
                raise
            slowest = max(slowest, time.perf_counter() - began)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        found[name] = {
            "inputs": options.count,
            "read": was_read,
            "slowest_ms": round(slowest * 1000, 2),
            "grown_mb": grown,
        }
        print(json.dumps({name: found[name]}), flush=True)


if __name__ == "__main__":
    main()
