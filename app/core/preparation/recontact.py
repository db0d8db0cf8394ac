"""The file for later re-contact: which pseudonym is which patient of this hospital, for its data manager alone.

Nothing of it is in a package, and nothing that is released points into it: the slots of a dataset are drawn anew in
each preparation, in an order that nobody keeps, and answers are counts. The pseudonyms serve inside the hospital: a
list of patients, made there with the same criteria as a question, can be given to a study team under pseudonyms, and
this file says later whom to call. A pseudonym is 60 random bits and says nothing of the patient, not even the order of
the rows. A patient keeps it when the file is written again next quarter; patients who are gone stay in the file.

It is as sensitive as the hospital's own list of patients: whoever has the passphrase has all of them.

Format: :mod:`app.core.crypto.passphrase` with content ``re-contact``; plaintext canonical CBOR ``{"version": 1, "site":
text, "created": UTC milliseconds of the first writing, "patients": {pseudonym: the hospital's number}}``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.codec import decode, encode
from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost, lock, unlock
from app.core.errors import EnvironmentProblem, ProtocolViolation, UserError
from app.core.files import read_limited, write_atomic
from app.core.secret import SecretBytes

CONTENT = "re-contact"
MAX_BYTES = 512 << 20

_VERSION = 1
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O, U, which are misread
_LETTERS = 12
_READ_AS = str.maketrans("ILO", "110", "- ")


@dataclass(frozen=True)
class Recontact:
    """The pseudonyms of a site's patients; the repr shows none of them."""

    site: str
    created: int
    patients: Mapping[str, str] = field(repr=False)

    def find(self, text: str) -> tuple[tuple[str, str], ...]:
        """Return the (pseudonym, patient) whose pseudonym, however it is typed, or number is ``text``."""
        pseudonym = _spaced(text.upper().translate(_READ_AS))
        return tuple(
            (known, patient) for known, patient in self.patients.items() if pseudonym == known or text == patient
        )


def extended(
    before: Recontact | None,
    patients: Iterable[str],
    *,
    site: str,
    now: int,
    random: Callable[[int], bytes] = os.urandom,
) -> Recontact:
    """Return ``before`` (None: nothing yet) with a new pseudonym for every patient that it does not know.

    Raises UserError ``recontact.other_site`` if it is another site's.
    """
    if before is not None and before.site != site:
        raise UserError("recontact.other_site", found=before.site[:100], site=site[:100])
    known = dict(before.patients) if before is not None else {}
    named = set(known.values())
    for patient in sorted(set(patients) - named):  # in an order that says nothing of the rows
        while (pseudonym := _pseudonym(random)) in known:
            pass
        known[pseudonym] = patient
    return Recontact(site, before.created if before is not None else now, dict(sorted(known.items())))


def write_recontact(
    path: Path, recontact: Recontact, passphrase: SecretBytes, cost: Argon2Cost = STANDARD_COST
) -> None:
    """Write the file whole or not at all. Raises as :func:`locked`, and EnvironmentProblem ``disk.*``."""
    write_atomic(path, locked(recontact, passphrase, cost))


def locked(recontact: Recontact, passphrase: SecretBytes, cost: Argon2Cost = STANDARD_COST) -> bytes:
    """Return the bytes of the file. Raises UserError ``recontact.too_many``."""
    plain = {"version": _VERSION, "site": recontact.site, "created": recontact.created}
    plaintext = encode({**plain, "patients": dict(recontact.patients)})
    if len(plaintext) > MAX_BYTES - 4096:
        raise UserError("recontact.too_many", patients=len(recontact.patients))
    return lock(CONTENT, plaintext, passphrase, cost)


def read_recontact(path: Path, passphrase: SecretBytes) -> Recontact:
    """Open the file. Raises as :func:`.passphrase.unlock`, and EnvironmentProblem ``file.*``."""
    plaintext = unlock(CONTENT, read_limited(path, MAX_BYTES), passphrase, MAX_BYTES)
    try:
        value = decode(plaintext, MAX_BYTES)
    except ProtocolViolation as error:
        raise EnvironmentProblem("passphrase.damaged") from error
    if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > _VERSION:
        raise EnvironmentProblem("passphrase.newer")
    if not _is_recontact(value):
        raise EnvironmentProblem("passphrase.damaged")
    return Recontact(value["site"], value["created"], value["patients"])


def _is_recontact(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"version", "site", "created", "patients"}
        and value["version"] == _VERSION
        and type(value["site"]) is str
        and type(value["created"]) is int
        and isinstance(value["patients"], dict)
        and all(type(each) is str and type(patient) is str for each, patient in value["patients"].items())
    )


def _pseudonym(random: Callable[[int], bytes]) -> str:
    number = int.from_bytes(random(8), "big")
    return _spaced("".join(_ALPHABET[number >> 5 * place & 31] for place in range(_LETTERS)))


def _spaced(letters: str) -> str:
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
