"""A small federation whose ceremony the test did itself, with real profiles under a passphrase."""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS, ParameterSet
from app.core.federation.public_file import PublicFederation, assemble, save_public_file, sign_statement
from app.core.secret import SecretBytes
from app.core.services.profile import OpenProfile, create_profile
from tests.crypto_parties import Parties
from tests.founding import found
from tests.packages import CATALOGUE

PASSPHRASE = "correct horse battery staple"


def two_sites(
    directory: Path,
    catalogue: Catalogue = CATALOGUE,
    parameters: ParameterSet = INSECURE_TEST_PARAMETERS,
    names: tuple[str, str] = ("A", "B"),
) -> tuple[PublicFederation, tuple[OpenProfile, OpenProfile]]:
    """Return the federation of two sites, and their open profiles in ``directory``."""
    first, second = (
        create_profile(directory / name, name=name, contact="–", passphrase=lambda: SecretBytes(PASSPHRASE.encode()))
        for name in names
    )
    roster = found((first, second), name="Test", catalogue=catalogue, parameters=parameters)
    public_key = Parties(parameters, 2, 2).public_key
    transcript = hashlib.sha256(b"transcript").digest()
    signatures = {
        position: sign_statement(profile.member_key, roster, public_key, transcript)
        for position, profile in enumerate((first, second), 1)
    }
    federation = assemble(roster, catalogue, public_key, transcript, signatures)
    for profile in (first, second):
        save_public_file(federation, profile.directory / "federation.public")
    return federation, (first, second)
