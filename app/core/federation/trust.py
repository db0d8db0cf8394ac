"""Where the relay is and what proves that it is the relay: the system's roots, or the relay's own private CA.

Two traps of ``requests`` are closed here (both tried): REQUESTS_CA_BUNDLE overrides ``verify``, and an adapter's
``ssl_context`` silently gains certifi's roots. :class:`RelayAdapter` lets nothing but its own context decide.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import truststore
from cryptography import x509
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from app.core import settings
from app.core.errors import EnvironmentProblem, UserError

SYSTEM = "system"
_PEM_LIMIT = 1 << 14
_POOL = 4


@dataclass(frozen=True)
class RelayAddress:
    """A relay's URL and what to trust: ``"system"``, or the PEM of the relay's private CA.

    Making one checks both; raises UserError ``relay.bad_address`` or ``relay.bad_trust``.
    """

    url: str
    trust: str = SYSTEM

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            plain = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        except ValueError:
            plain = False
        if not plain or "@" in parts.netloc or parts.query or parts.fragment or not self.url.isprintable():
            raise UserError("relay.bad_address", url=self.url[:200])
        object.__setattr__(self, "url", self.url.rstrip("/"))
        if self.trust != SYSTEM:
            authority(self.trust)

    @classmethod
    def with_authority(cls, url: str, der: bytes) -> RelayAddress:
        """Make an address from the parts of an invitation: no ``der`` is the system's roots. Errors as the class."""
        if not der:
            return cls(url)
        return cls(url, ssl.DER_cert_to_PEM_cert(der))

    @property
    def host(self) -> str:
        """The relay's host name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The relay's port."""
        return urlsplit(self.url).port or 443

    def context(self) -> ssl.SSLContext:
        """Return TLS settings that trust exactly what this address says."""
        if self.trust == SYSTEM:
            return system_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # on every Python what 3.13 does by itself
        context.load_verify_locations(cadata=self.trust)
        return context


def authority(pem: str) -> x509.Certificate:
    """Return the one certificate in ``pem``; raises UserError ``relay.bad_trust`` if it is not a CA's."""
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem[:_PEM_LIMIT].encode())
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound) as error:
        raise UserError("relay.bad_trust") from error
    if not is_authority:
        raise UserError("relay.bad_trust")
    return certificate


def system_context() -> ssl.SSLContext:
    """Return TLS settings that trust what the operating system trusts, and the authorities that IT has added.

    Raises EnvironmentProblem ``managed.ca_bundle`` and other ``managed.*``.
    """
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if (bundle := settings.current().folder("network.ca_bundle")) is not None:
        try:
            context.load_verify_locations(cafile=str(bundle))
        except (OSError, ssl.SSLError) as error:
            raise EnvironmentProblem("managed.ca_bundle", path=str(bundle)) from error
    return context


class RelayAdapter(HTTPAdapter):
    """Connections whose trust is one given TLS context, whatever the environment or ``verify`` says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._pools = _watched_pools(sockets := WeakSet[socket.socket]())
        self._sockets = sockets
        super().__init__(pool_maxsize=_POOL)

    def hang_up(self) -> None:
        """Break every connection, so that whoever waits on one in another thread stops waiting."""
        for each in list(self._sockets):
            with suppress(OSError, ValueError):  # it is closed already
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # not SSLSocket's, which changes it under its reader

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pool with our context."""
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make a proxy's pool: our context for the relay behind it, the system's for the proxy itself."""
        manager = super().proxy_manager_for(
            proxy, **options, ssl_context=self._context, proxy_ssl_context=system_context()
        )
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Name the pool by the host alone: no bundle from elsewhere gets into it."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Verify always, by our context only."""
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None


def _watched_pools(sockets: WeakSet[socket.socket]) -> dict[str, Any]:
    """Return urllib3's pools by scheme, with connections that note their sockets in ``sockets``."""

    class Connection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            if isinstance(self.sock, socket.socket):
                sockets.add(self.sock)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return {"http": HTTPConnectionPool, "https": Pool}


def shown_certificate(address: RelayAddress, proxy: str | None, seconds: float) -> x509.Certificate | None:
    """Return the certificate that is shown for ``address``, unverified, to say what is wrong; None if there is none.

    Nothing is sent on this connection, and nothing read from it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if proxy is None:
        connection = http.client.HTTPSConnection(address.host, address.port, timeout=seconds, context=context)
    else:
        via = urlsplit(proxy)
        connection = http.client.HTTPSConnection(via.hostname or "", via.port or 80, timeout=seconds, context=context)
        headers = {}
        if via.username is not None:
            credentials = f"{unquote(via.username)}:{unquote(via.password or '')}"
            headers["Proxy-Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        connection.set_tunnel(address.host, address.port, headers)
    try:
        connection.connect()
        data = connection.sock.getpeercert(True)
        return x509.load_der_x509_certificate(data) if data else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def common_name(name: x509.Name) -> str:
    """Return who a certificate's name means, for people."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(kind):
            value = attribute.value
            return value[:100] if isinstance(value, str) else "?"
    return name.rfc4514_string()[:100] or "?"
