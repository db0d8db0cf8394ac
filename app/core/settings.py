"""What the IT of a hospital fixes of the program itself: relay, network, keyring, storage, modes, updates.

Tables of the file that :mod:`app.core.managed` describes, every key optional::

    [relay]
    address = "https://relay.hospital.example:8443"   # the only one for founding and joining

    [network]
    proxy = "http://proxy.hospital.example:3128"      # "system", "none", a URL, or "pac+" and a URL
    proxy_login = "/etc/consilium/proxy-login"        # a file with name:password, readable by who needs it
    ca_bundle = "/etc/ssl/hospital.pem"               # authorities to trust beside the system's

    [keyring]
    store = "system"                                  # or "passphrase-file"

    [storage]
    profiles = "/srv/consilium/profiles"              # where sites live; "~" is the home of each account

    [modes]
    create = false                                    # also join, ask, prepare: what is done on this computer

    [updates]
    address = "https://hospital.example/consilium.manifest"
    key = "…"                                         # base64: the Ed25519 key that signs it

Relays on this very computer (the demo, the pretend hospitals, a trial) are exempt from ``relay``, ``proxy`` and
``modes``: nothing leaves it. ``installers/managed.schema.json`` says the same to editors.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.core import paths
from app.core.errors import EnvironmentProblem, UserError
from app.core.files import disk_problems, read_limited
from app.core.toml_reader import parse_toml

_MOST = 1000
_LIMIT = 1 << 16
_VERSION = 1
_LOGIN_LIMIT = 1 << 10
CREDENTIAL = "consilium-proxy"
"""Name of the systemd credential that holds the proxy's name:password."""


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST and value.isprintable()


def _url(*schemes: str) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if not isinstance(value, str) or not _text(value):
            return False
        try:
            parts = urlsplit(value)
            return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        except ValueError:
            return False

    return check


def _proxy(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return value in ("system", "none") or _url("http", "https")(value.removeprefix("pac+"))


def _path(value: object) -> bool:
    return isinstance(value, str) and _text(value) and Path(value).expanduser().is_absolute()


def _key(value: object) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) == 32
    except ValueError:
        return False


def _flag(value: object) -> bool:
    return isinstance(value, bool)


STORES = ("system", "passphrase-file")
MODES = ("create", "join", "ask", "prepare")
TABLES: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    "relay": {"address": _url("https")},
    "network": {"proxy": _proxy, "proxy_login": _path, "ca_bundle": _path},
    "keyring": {"store": lambda value: value in STORES},
    "storage": {"profiles": _path},
    "modes": dict.fromkeys(MODES, _flag),
    "updates": {"address": _url("https"), "key": _key},
}
"""What may stand in each table, and whether a value is one."""


@dataclass(frozen=True)
class Settings:
    """What is fixed, by ``table.key``; and in which file."""

    values: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""

    def word(self, name: str) -> str:
        """Return a value that is text, "" where nothing is fixed."""
        return str(self.values.get(name, ""))

    def allows(self, mode: str) -> bool:
        """Return whether something of :data:`MODES` is done on this computer."""
        return self.values.get(f"modes.{mode}") is not False

    def require(self, mode: str, relay: str = "") -> None:
        """Raise UserError ``managed.mode`` if this is not done here, at a relay of this URL."""
        if not self.allows(mode) and not is_local(relay):
            raise UserError(f"managed.no_{mode}", file=self.file)

    def require_relay(self, url: str) -> None:
        """Raise UserError ``managed.relay`` if another relay is fixed."""
        fixed = self.word("relay.address")
        if fixed and url.rstrip("/") != fixed.rstrip("/") and not is_local(url):
            raise UserError("managed.relay", relay=fixed, given=url[:200], file=self.file)

    def require_store(self, kind: str) -> None:
        """Raise UserError ``managed.keyring`` if keys are to be kept elsewhere; ``kind`` is one of :data:`STORES`."""
        fixed = self.word("keyring.store")
        if fixed and kind != fixed:
            raise UserError(f"managed.keyring.{fixed.replace('-', '_')}", file=self.file)

    def proxy(self, chosen: str, url: str) -> str:
        """Return the proxy setting for a connection to ``url``: what is fixed, else what was ``chosen``."""
        return chosen if is_local(url) else self.word("network.proxy") or chosen

    def proxy_login(self) -> str:
        """Return ``name:password`` for proxies, "" where there is none; from the service's credential or the file.

        Raises EnvironmentProblem ``managed.bad_login`` or ``file.*``.
        """
        file = self.word("network.proxy_login")
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and (Path(credentials) / CREDENTIAL).is_file():
            file = str(Path(credentials) / CREDENTIAL)
        if not file:
            return ""
        login = read_limited(Path(file).expanduser(), _LOGIN_LIMIT).decode("utf-8", "replace").strip()
        if ":" not in login or not login.isprintable():
            raise EnvironmentProblem("managed.bad_login", path=file)
        return login

    def folder(self, name: str) -> Path | None:
        """Return a value that is a path, None where nothing is fixed."""
        value = self.word(name)
        return Path(value).expanduser() if value else None


def is_local(url: str) -> bool:
    """Return whether a URL names this very computer."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ManagedFile:
    """The file while it is read: whatever is wrong names it, the line and the key."""

    def __init__(self, file: Path) -> None:
        """Raises EnvironmentProblem ``managed.not_toml``, ``managed.too_large``; ``file.*``."""
        self.file = ""
        self.plain: Mapping[str, Any] = {}
        with disk_problems(file):
            try:
                with open(file, "rb") as opened:
                    data = opened.read(_LIMIT + 1)
            except FileNotFoundError:
                return
        self.file = str(file)
        if len(data) > _LIMIT:
            raise EnvironmentProblem("managed.too_large", file=self.file, limit=_LIMIT)
        try:
            text = data.decode("utf-8-sig")
            self.plain = parse_toml(text)
        except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
            raise EnvironmentProblem("managed.not_toml", file=self.file, reason=str(error)) from error
        self._lines = text.splitlines()

    def settings(self) -> Settings:
        """Return the tables of this module; raises ``managed.newer``, ``unknown_key``, ``bad_value``."""
        self.known("", self.plain, ("version", "policy", *TABLES))
        if self.plain.get("version", _VERSION) != _VERSION:
            raise EnvironmentProblem("managed.newer", file=self.file, version=str(self.plain["version"])[:20])
        values: dict[str, Any] = {}
        for table, keys in TABLES.items():
            found = self.table(table)
            self.known(table, found, tuple(keys))
            for name, value in found.items():
                if not keys[name](value):
                    raise self.problem("managed.bad_value", name, table)
                values[f"{table}.{name}"] = value
        return Settings(values, self.file)

    def table(self, name: str) -> dict[str, Any]:
        """Return a table of the file, empty if it has none."""
        found = self.plain.get(name, {})
        if not isinstance(found, dict):
            raise self.problem("managed.bad_value", name)
        return found

    def known(self, table: str, found: Mapping[str, Any], names: tuple[str, ...]) -> None:
        """Raise ``managed.unknown_key`` for a key that is none of these."""
        for name in found:
            if name not in names:
                raise self.problem("managed.unknown_key", name, table)

    def problem(self, code: str, key: str, table: str = "") -> EnvironmentProblem:
        """Return what is wrong with a key."""
        named = f"{table}.{key}" if table else key
        return EnvironmentProblem(code, file=self.file, line=self._line(key), key=named[:100])

    def _line(self, key: str) -> int:
        """Return the first line that sets ``key`` or opens a table of that name; 0 if there is none such."""
        sets = re.compile(rf"""(^|[\s.\[{{,"'])["']?{re.escape(key)}["']?\s*[=.\]]""")
        return next((number for number, line in enumerate(self._lines, start=1) if sets.search(line)), 0)


def current() -> Settings:
    """Return what is fixed on this computer now; raises as :class:`ManagedFile`."""
    return ManagedFile(paths.managed_settings()).settings()
