"""The relay's own certificates are what Python 3.13 (OpenSSL's strict mode) accepts, and are renewed in time."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from app.core.errors import EnvironmentProblem
from app.core.federation.trust import authority
from app.relay import certificates

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_the_chain_passes_a_strict_verifier(tmp_path: Path) -> None:
    made = certificates.private(tmp_path, ("relay.example", "192.0.2.7"), NOW)
    leaf, ca = x509.load_pem_x509_certificates(made.chain.read_bytes())
    assert made.authority is not None
    assert ca == authority(made.authority.read_text())
    for name in (x509.DNSName("relay.example"), x509.DNSName("localhost")):
        verifier = PolicyBuilder().store(Store([ca])).time(NOW + DAY).build_server_verifier(name)
        assert verifier.verify(leaf, []) == [leaf, ca]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "192.0.2.7" in map(str, names.get_values_for_type(x509.IPAddress))
    assert made.fingerprint == certificates.fingerprint(ca)
    made.context()


def test_keys_are_the_owners_alone(tmp_path: Path) -> None:
    certificates.private(tmp_path, (), NOW)
    for path in tmp_path.glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_certificate_stays_until_it_is_old_or_the_names_change(tmp_path: Path) -> None:
    first = certificates.private(tmp_path, ("relay.example",), NOW)
    assert certificates.private(tmp_path, ("relay.example",), NOW + 300 * DAY) == first
    renewed = certificates.private(tmp_path, ("relay.example",), NOW + 380 * DAY)
    assert renewed.leaf != first.leaf
    renamed = certificates.private(tmp_path, ("other.example",), NOW + 380 * DAY)
    assert renamed.leaf != renewed.leaf
    assert renamed.fingerprint == first.fingerprint  # the authority is what clients keep


def test_a_damaged_certificate_is_made_anew_and_a_damaged_authority_is_not(tmp_path: Path) -> None:
    first = certificates.private(tmp_path, (), NOW)
    first.key.write_bytes(b"")
    assert certificates.private(tmp_path, (), NOW).leaf != first.leaf
    (tmp_path / "ca.key").write_bytes(b"")
    first.chain.unlink()
    with pytest.raises(EnvironmentProblem, match=r"relay\.bad_certificate"):
        certificates.private(tmp_path, (), NOW)


def test_a_given_certificate_must_fit_its_key(tmp_path: Path) -> None:
    one = certificates.private(tmp_path / "one", (), NOW)
    other = certificates.private(tmp_path / "other", (), NOW)
    assert certificates.given(one.chain, one.key).authority is None
    with pytest.raises(EnvironmentProblem, match=r"relay\.bad_certificate"):
        certificates.given(one.chain, other.key).context()
    with pytest.raises(EnvironmentProblem, match=r"relay\.bad_certificate"):
        certificates.given(tmp_path / "none.pem", one.key)


def test_python_verifies_it_strictly(tmp_path: Path) -> None:
    made = certificates.private(tmp_path, (), datetime.datetime.now(datetime.UTC))
    assert made.authority is not None
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), made.context()
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_verify_locations(made.authority)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    there = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for each in (here, there):
            try:
                each.do_handshake()
                done.add(each)
            except ssl.SSLWantReadError:
                continue
    assert here.version() == "TLSv1.3"
