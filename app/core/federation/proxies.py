"""Which way out of the hospital: directly, through a fixed proxy, or as the system or a PAC file says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from app.core import settings
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.trust import RelayAdapter, system_context

SYSTEM, NONE = "system", "none"
_PAC = "pac+"
_PAC_SECONDS = 10
_PAC_TYPES = {
    "application/x-ns-proxy-autoconfig", "application/x-javascript-config", "application/javascript",
    "text/javascript", "text/plain", "application/octet-stream",
}  # fmt: skip
_PROXY = re.compile(r"https?://[^/?#\s]+/?")

Route = str | None
"""A proxy's URL, or None for a direct connection."""


@dataclass(frozen=True)
class ProxySetting:
    """``system`` (environment, system settings, and the system's PAC file), ``none``, a proxy's URL, or ``pac+URL``.

    Making one checks it; raises UserError ``relay.bad_proxy``.
    """

    value: str = SYSTEM

    def __post_init__(self) -> None:
        rest = self.value.removeprefix(_PAC)
        fits = _PROXY.fullmatch(rest) if rest == self.value else rest.startswith(("https://", "http://"))
        if self.value not in (SYSTEM, NONE) and not fits:
            raise UserError("relay.bad_proxy", proxy=without_credentials(self.value))

    def routes(self, url: str) -> tuple[Route, ...]:
        """Return the ways to ``url``, the best one first; never empty. What IT has fixed outranks this setting.

        Raises EnvironmentProblem ``relay.pac_failed``, ``managed.*``, ``file.*``.
        """
        fixed = settings.current()
        login = fixed.proxy_login() if fixed.word("network.proxy") else ""  # to no proxy that IT has not named
        found = ProxySetting(fixed.proxy(self.value, url))._own_routes(url)
        return tuple(_with_login(each, login) for each in found) if login else found

    def _own_routes(self, url: str) -> tuple[Route, ...]:
        if self.value == NONE:
            return (None,)
        if self.value == SYSTEM:
            found = select_proxy(url, get_environ_proxies(url))
            return (found,) if found else _pac_routes(None, url)
        if self.value.startswith(_PAC):
            return _pac_routes(self.value.removeprefix(_PAC), url)
        return (self.value,)


def _with_login(route: Route, login: str) -> Route:
    """Return a proxy's URL with ``name:password``, unless it has them."""
    if route is None:
        return None
    parts = urlsplit(route)
    if "@" in parts.netloc:
        return route
    name, _, password = login.partition(":")
    return f"{parts.scheme}://{quote(name, safe='')}:{quote(password, safe='')}@{parts.netloc}"


def without_credentials(proxy: str) -> str:
    """Return a proxy's URL without name and password."""
    try:
        parts = urlsplit(proxy)
        return proxy if "@" not in parts.netloc else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        return proxy.rpartition("@")[2]


def _pac_routes(pac: str | None, url: str) -> tuple[Route, ...]:
    """Ask the PAC file at ``pac``, or the one that the system's settings name; without any, go directly."""
    import pypac  # noqa: PLC0415  (brings a JavaScript engine; most networks need none)
    from pypac.parser import MalformedPacError, parse_pac_value  # noqa: PLC0415

    try:
        with _session() as session:
            file = pypac.get_pac(
                url=pac, from_dns=False, timeout=_PAC_SECONDS, allowed_content_types=_PAC_TYPES, session=session
            )
        if file is None:
            if pac is not None:
                raise EnvironmentProblem("relay.pac_failed", pac=pac)
            return (None,)
        find: Callable[[str, str], str] = file.find_proxy_for_url
        answer = parse_pac_value(find(url, urlsplit(url).hostname or ""))
    except (MalformedPacError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise EnvironmentProblem("relay.pac_failed", pac=pac or "") from error
    routes = tuple(None if each == "DIRECT" else each for each in answer if each == "DIRECT" or _PROXY.fullmatch(each))
    return routes or (None,)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # the way to the PAC file is never through a proxy
    session.mount("https://", RelayAdapter(system_context()))
    return session
