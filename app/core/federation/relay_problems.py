"""What went wrong between here and the relay, in codes that name the cause: network, proxy, TLS, clock, the relay."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from urllib3.exceptions import NameResolutionError

from app.core.errors import (
    ConsiliumError,
    EnvironmentProblem,
    PeerProblem,
    ProtocolViolation,
    SafeParam,
    UserError,
)
from app.core.federation.proxies import Route, without_credentials
from app.core.federation.relay_protocol import MARK, REASON, STATUS
from app.core.federation.trust import SYSTEM, RelayAddress, authority, common_name, shown_certificate

_PEEK_SECONDS = 5.0
_PROBLEM_LIMIT = 4096
_STANDARD = frozenset({"type", "title", "status", "detail", "instance", "code"})
_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_WRONG_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_KINDS: dict[str, type[ConsiliumError]] = {
    "relay.code_refused": UserError,
    "relay.invitation_refused": UserError,
    "relay.envelope_refused": ProtocolViolation,
    "relay.id_used_twice": ProtocolViolation,
    "relay.blob_altered": ProtocolViolation,
    "relay.message_from_future": EnvironmentProblem,
}


def from_exception(error: requests.RequestException, address: RelayAddress, route: Route) -> ConsiliumError:
    """Return what a failed request means."""
    causes = tuple(_causes(error))
    if isinstance(error, requests.exceptions.ProxyError):
        return _proxy(str(error), address, route)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, address, route)
    cut = any(isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) for cause in causes)
    if isinstance(error, requests.exceptions.SSLError) and not cut:
        return EnvironmentProblem("relay.tls_failed", host=address.host)
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return EnvironmentProblem("relay.unknown_host", host=address.host)
    if isinstance(error, requests.exceptions.Timeout):
        return EnvironmentProblem("relay.timeout", host=address.host)
    return EnvironmentProblem("relay.unreachable", host=address.host, port=address.port)


def is_lasting(error: requests.RequestException) -> bool:
    """Whether trying again at once cannot help: certificates, names and proxies do not change in a second."""
    lasting = (requests.exceptions.ProxyError, requests.exceptions.InvalidURL)
    causes = (ssl.SSLCertVerificationError, NameResolutionError)
    return isinstance(error, lasting) or any(isinstance(cause, causes) for cause in _causes(error))


def from_answer(response: requests.Response, body: bytes, route: Route) -> ConsiliumError:
    """Return what an answer that says no means; one that is not the relay's own is ``relay.not_a_relay``."""
    if response.status_code == 407:
        return EnvironmentProblem("relay.proxy_auth", proxy="" if route is None else without_credentials(route))
    code = response.headers.get(REASON)
    if code is None or MARK not in response.headers:
        return EnvironmentProblem("relay.not_a_relay", status=response.status_code)
    if code not in STATUS:  # a newer relay
        return PeerProblem("relay.refused", status=response.status_code)
    return _KINDS.get(code, PeerProblem)(code, **_params(body))


def _params(body: bytes) -> dict[str, SafeParam]:
    try:
        told = json.loads(body[:_PROBLEM_LIMIT] or b"{}")
    except (ValueError, RecursionError):  # replaced on the way: the code alone must do
        return {}
    members = told.items() if isinstance(told, dict) else ()
    return {name: value for name, value in members if name not in _STANDARD and _is_safe(name, value)}


def _proxy(told: str, address: RelayAddress, route: Route) -> ConsiliumError:
    proxy = "" if route is None else without_credentials(route)
    if " 407 " in told:
        return EnvironmentProblem("relay.proxy_auth", proxy=proxy)
    if "Tunnel connection failed" in told:
        return EnvironmentProblem("relay.proxy_refused", proxy=proxy, host=address.host)
    return EnvironmentProblem("relay.proxy_unreachable", proxy=proxy)


def _is_safe(name: object, value: SafeParam) -> bool:
    """Whether a word from the relay may be shown: short, plain, and none of Python's own."""
    named = isinstance(name, str) and name.isidentifier() and len(name) <= 32
    return named and (type(value) is int or (type(value) is str and len(value) <= 100 and value.isprintable()))


def _certificate(error: ssl.SSLCertVerificationError, address: RelayAddress, route: Route) -> ConsiliumError:
    """Tell the reasons apart by looking at what is shown: ours in a bad state, another one of ours, or a stranger's."""
    if error.verify_code == _NOT_YET_VALID:
        return EnvironmentProblem("relay.certificate_not_yet", host=address.host)
    shown = shown_certificate(address, route, _PEEK_SECONDS)
    host, issuer = address.host, "?" if shown is None else common_name(shown.issuer)
    ours = None if address.trust == SYSTEM else authority(address.trust)
    if ours is None or (shown is not None and _issued_by(shown, ours)):
        if error.verify_code == _EXPIRED:
            return EnvironmentProblem("relay.certificate_expired", host=host)
        if error.verify_code in _WRONG_NAME:
            return EnvironmentProblem("relay.certificate_wrong_name", host=host)
        return EnvironmentProblem("relay.certificate_untrusted", host=host, issuer=issuer)
    if shown is not None and shown.issuer == ours.subject:  # a private CA of the same kind, but not this one
        return EnvironmentProblem("relay.certificate_changed", host=host)
    return EnvironmentProblem("relay.tls_inspected", host=host, issuer=issuer)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and all that it wraps: as cause, as argument, or as urllib3's ``reason``."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        pending += [each for each in inner if isinstance(each, BaseException)]
