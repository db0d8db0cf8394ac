"""The vectors of the federation's public file and of a published catalogue: what is in each file of ``federation/``.

``python -m tests.vectors.federation`` writes the files that are missing. It never replaces one: a released vector must
keep loading, and a new version of a format gets vectors of its own beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.core import codec
from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.crypto import format as crypto_format
from app.core.crypto import sampling
from app.core.crypto.identity import MemberKey
from app.core.crypto.parameters import EXTRACTION_PRIMES
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS as PARAMETERS
from app.core.federation.catalogue_links import Link
from app.core.federation.catalogue_publishing import Publication
from app.core.federation.public_file import PublicFederation, assemble, sign_statement
from app.core.federation.roster import Roster, Site
from app.core.secret import SecretBytes

DIRECTORY = Path(__file__).parent / "federation"

KEYS = [MemberKey.from_root(SecretBytes(bytes([number]) * 32)) for number in (1, 2, 3)]
SITES = tuple(Site(place, f"Site {place}", "+41", key.public) for place, key in enumerate(KEYS, start=1))
FIRST = Catalogue("Vector", 1, (Variable("smoker", Kind.FLAG, Label("Smokes", "Fume", "Raucht")),))
SECOND = replace(FIRST, version=2, variables=(*FIRST.variables, Variable("cough", Kind.FLAG, Label("Coughs"))))
THIRD = replace(SECOND, version=4, variables=SECOND.variables[1:])
ROSTER = Roster(bytes(range(32)), "Vectors", PARAMETERS, 2, FIRST.hash, bytes(32), SITES)
TIME = 1_780_000_000_000


def _link(author: int, previous: Catalogue, catalogue: Catalogue) -> Link:
    link = Link(author, previous.hash, catalogue.hash, catalogue.version, TIME)
    return link.signed(ROSTER.federation_id, KEYS[author - 1])


LINKS = (_link(2, FIRST, SECOND), _link(3, SECOND, THIRD))
PUBLICATION = Publication(LINKS, "What the others should know.", bytes(32), 1234, SecretBytes(bytes(range(32))))


def public_federation() -> PublicFederation:
    """The federation with its first catalogue."""
    primes = PARAMETERS.all_primes
    parts = [
        [sampling.uniform(bytes(32), "vector", (part, prime), prime, PARAMETERS.ring_degree) for prime in primes]
        for part in range(2)
    ]
    public_key = crypto_format.pack_polynomials(PARAMETERS, primes, np.array(parts))
    signatures = {place: sign_statement(key, ROSTER, public_key, bytes(32)) for place, key in enumerate(KEYS, start=1)}
    return assemble(ROSTER, FIRST, public_key, bytes(32), signatures)


def later_federation() -> PublicFederation:
    """The same, with a version of the catalogue that was published later."""
    return replace(public_federation(), catalogue=THIRD, links=LINKS)


def extracting_federation() -> PublicFederation:
    """The same, of a ceremony that made keys which extract columns."""
    first = public_federation()
    roster = replace(ROSTER, extraction=EXTRACTION_PRIMES)
    signatures = {
        place: sign_statement(key, roster, first.public_key, bytes(32)) for place, key in enumerate(KEYS, start=1)
    }
    return assemble(roster, FIRST, first.public_key, bytes(32), signatures)


FILES: dict[str, Callable[[], bytes]] = {
    "public-v1.cbor": lambda: public_federation().to_bytes(),
    "public-v2.cbor": lambda: later_federation().to_bytes(),
    "public-v3.cbor": lambda: extracting_federation().to_bytes(),
    "published-catalogue-v1.cbor": lambda: codec.encode(PUBLICATION.to_plain()),
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
