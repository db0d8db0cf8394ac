"""TLS for the relay: the certificate it was given, or a private CA of its own, made when it first starts.

::

    DATA/tls/ca.pem, ca.key          the private CA: what invitations carry, ten years
    DATA/tls/relay.pem, relay.key    the relay's certificate and its chain, renewed when it gets old or the names change

Python 3.13 verifies strictly (RFC 5280): every certificate below has subject and authority key identifiers, key usage
and basic constraints, those marked critical that must be.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.core.errors import EnvironmentProblem
from app.core.files import private_directory, write_atomic

CA_NAME = "Consilium relay private CA"
_CA_DAYS = 3650
_LEAF_DAYS = 397
_RENEW_DAYS = 60
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """What the relay serves with. ``authority`` is the private CA's PEM file, None for a given certificate.

    ``fingerprint`` is the SHA-256 of what clients trust: the private CA, or the given certificate.
    """

    chain: Path
    key: Path
    authority: Path | None
    fingerprint: str
    leaf: str

    def context(self) -> ssl.SSLContext:
        """Return the server's TLS settings; raises EnvironmentProblem ``relay.bad_certificate``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:
            raise EnvironmentProblem("relay.bad_certificate", path=str(self.chain), reason=str(error)) from error
        return context


def given(chain: Path, key: Path) -> Certificate:
    """Use the certificate that the administrator names; raises EnvironmentProblem ``relay.bad_certificate``."""
    try:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        raise EnvironmentProblem("relay.bad_certificate", path=str(chain), reason=str(error)) from error
    return Certificate(chain, key, None, fingerprint(leaf), fingerprint(leaf))


def private(directory: Path, names: tuple[str, ...], now: datetime.datetime) -> Certificate:
    """Use the private CA below ``directory``, making it if need be, with a certificate for ``names``.

    ``names`` are host names and IP addresses; those of this machine are added.
    """
    directory = private_directory(directory)
    ca_path, ca_key_path = directory / "ca.pem", directory / "ca.key"
    chain, key_path = directory / "relay.pem", directory / "relay.key"
    if not ca_path.exists():
        _make_authority(ca_path, ca_key_path, now)
    try:
        ca = x509.load_pem_x509_certificate(ca_path.read_bytes())
        ca_key = load_pem_private_key(ca_key_path.read_bytes(), None)
        wanted = _alternative_names(names)
        if not _still_good(chain, key_path, ca, wanted, now):
            _make_leaf(chain, key_path, ca, ca_key, wanted, now)
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except (OSError, ValueError, TypeError) as error:
        raise EnvironmentProblem("relay.bad_certificate", path=str(directory), reason=str(error)) from error
    return Certificate(chain, key_path, ca_path, fingerprint(ca), fingerprint(leaf))


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in hexadecimal."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _make_authority(path: Path, key_path: Path, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(CA_NAME)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_atomic(key_path, _pem(key))
    write_atomic(path, certificate.public_bytes(Encoding.PEM))


def _make_leaf(
    path: Path,
    key_path: Path,
    ca: x509.Certificate,
    ca_key: object,
    names: tuple[x509.GeneralName, ...],
    now: datetime.datetime,
) -> None:
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key is not an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_name("Consilium relay"), ca.subject, key, now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_atomic(key_path, _pem(key))
    write_atomic(path, certificate.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM))


def _still_good(
    chain: Path, key_path: Path, ca: x509.Certificate, names: tuple[x509.GeneralName, ...], now: datetime.datetime
) -> bool:
    """Whether there is a certificate that fits its key, comes from this CA, has these names and weeks to live."""
    try:
        leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        key = load_pem_private_key(key_path.read_bytes(), None)
        leaf.verify_directly_issued_by(ca)
        has = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # whatever is wrong with it: a new one is made
        return False
    fits = key.public_key() == leaf.public_key()
    return fits and set(has) == set(names) and leaf.not_valid_after_utc - now > _RENEW_DAYS * _DAY


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)  # clocks differ
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(names: tuple[str, ...]) -> tuple[x509.GeneralName, ...]:
    own = ("localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn())
    found: dict[x509.GeneralName, None] = {}
    for name in (*names, *own):
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            if name and name.isascii():
                found[x509.DNSName(name.lower())] = None
        else:
            if not address.is_unspecified:
                found[x509.IPAddress(address)] = None
    return tuple(found)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
