"""The messages of a ceremony, read strictly.

All bodies are sealed to every site::

    ceremony.commit  {round, transcript, commitment}
    ceremony.reveal  {round, salt, payload}
    ceremony.stop    {code}                            from a site for which the ceremony has failed

Payloads, canonical CBOR, name large arrays as blobs {"blob": SHA-256, "size"}:

    randomness {"random": 32 bytes} · key rounds {"blob", "size"} · dealing {"blobs": [[SHA-256, size] a site]} ·
    check {"shares": [[window, share], …], "pads": [a tag of 32 bytes a site]} · confirm {"signature": 64 bytes}
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation import rounds
from app.core.federation.mailroom import Reader
from app.core.federation.roster import Roster
from app.core.federation.rounds import Commit, Heard, Reveal
from app.core.fields import Fields

COMMIT, REVEAL, STOP = "ceremony.commit", "ceremony.reveal", "ceremony.stop"
KEY_ROUNDS = (rounds.PUBLIC_KEY, rounds.RELINEARIZATION_1, rounds.RELINEARIZATION_2, rounds.ROTATION)

MALFORMED = "ceremony.malformed"
PAYLOAD_LIMIT = 1 << 19
_DEALT_LIMIT = 1 << 22


def payload(reveal: Reveal) -> Fields:
    """Return the payload's fields; raises ProtocolViolation ``codec.*`` or ``ceremony.malformed``."""
    return Fields(codec.decode(reveal.payload, PAYLOAD_LIMIT), MALFORMED)


def dealt_blobs(fields: Fields, sites: int) -> list[tuple[bytes, int]]:
    """Take (name, size) of the sealed value for each site out of a dealing payload, which holds nothing else."""
    items = fields.items("blobs", sites)
    fields.done()
    if len(items) != sites or not all(isinstance(item, list) and len(item) == 2 for item in items):
        fields.refuse("blobs")
    entries = [Fields({"blob": item[0], "size": item[1]}, MALFORMED) for item in items]
    return [(entry.bytes("blob", 32), entry.number("size", 1, _DEALT_LIMIT)) for entry in entries]


def offered_blobs(heard: Heard, position: int) -> frozenset[bytes]:
    """Return the names of the blobs that a site has offered so far, as far as they can be read."""
    names: set[bytes] = set()
    for (round_, sender), reveal in heard.reveals.items():
        if sender == position and round_ in (*KEY_ROUNDS, rounds.DEALING):
            with suppress(ProtocolViolation):
                if round_ == rounds.DEALING:
                    names.update(name for name, _ in dealt_blobs(payload(reveal), heard.sites))
                else:
                    names.add(payload(reveal).bytes("blob", 32))
    return frozenset(names)


def _read_commit(body: Any, roster: Roster) -> tuple[str, Commit]:
    fields = Fields(body, MALFORMED)
    commit = Commit(fields.bytes("transcript", 32), fields.bytes("commitment", 32))
    return _round(fields), commit


def _read_reveal(body: Any, roster: Roster) -> tuple[str, Reveal]:
    fields = Fields(body, MALFORMED)
    reveal = Reveal(fields.bytes("salt", 32), fields.bytes("payload", 1, PAYLOAD_LIMIT))
    return _round(fields), reveal


def _read_stop(body: Any, roster: Roster) -> str:
    fields = Fields(body, MALFORMED)
    code = fields.text("code", 64)
    fields.done()
    return code


def _round(fields: Fields) -> str:
    """Take the last field, the round."""
    round_ = fields.text("round", 32)
    if round_ not in rounds.ROUNDS:
        fields.refuse("round")
    fields.done()
    return round_


MESSAGE_TYPES: Mapping[str, Reader] = {COMMIT: _read_commit, REVEAL: _read_reveal, STOP: _read_stop}
