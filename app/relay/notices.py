"""Mail that says “something waits for you at the relay”, and nothing else. Off unless ``relay.toml`` says otherwise.

::

    [mail]
    host = "smtp.hospital.example"
    sender = "relay@hospital.example"
    port = 587
    security = "starttls"            # or "tls" (port 465), or "none" for a mail server on this machine
    ca = ""                          # a PEM file, if the server's certificate is not one that this system trusts
    user = ""                        # and the file with its password:
    password_file = ""
    after_minutes = 60               # how long something has waited, and the site was not seen
    again_hours = 24                 # how long until it is said once more

    [[mail.notice]]
    federation = "1a2b3c4d"          # as in the relay's log, eight characters or more
    place = 2
    to = "it@other-hospital.example"
    language = "en"

A site that fetches its mail is never written to. A mail names neither federation, sender nor number.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import smtplib
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truststore import SSLContext

from app.core import log
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.files import disk_problems, read_limited, write_atomic
from app.relay import mail
from app.texts import LANGUAGES, text

if TYPE_CHECKING:
    from app.relay.service import Service

_LOOK_SECONDS = 300.0
_STATE = "notices.json"
_PATIENCE_SECONDS = 30.0
_PASSWORD_LIMIT = 4096
_LEAST_FEDERATION = 8
_MINUTE = 60_000
_log = log.logger("relay")


@dataclass(frozen=True)
class Notice:
    """Who is written to about which member. ``federation`` is the beginning of its id in hexadecimal digits."""

    federation: str
    place: int
    to: str
    language: str = "en"


@dataclass(frozen=True)
class MailSettings:
    """The table ``mail`` of relay.toml."""

    host: str
    sender: str
    notices: tuple[Notice, ...]
    port: int = 587
    security: str = "starttls"
    ca: str = ""
    user: str = ""
    password_file: str = ""
    after_minutes: int = 60
    again_hours: int = 24


def read_mail(path: Path) -> MailSettings | None:
    """Return the table ``mail`` of the relay's settings, None without one.

    Raises EnvironmentProblem ``relay.bad_settings`` naming what is missing, unknown or not possible.
    """
    if not path.exists():
        return None
    with disk_problems(path):
        found = tomllib.loads(path.read_text("utf-8")).get("mail")  # that it is TOML, read_limits has seen
    if found is None:
        return None
    table = _table(path, "mail", found)
    given = table.pop("notice", [])
    if not isinstance(given, list):
        raise _bad(path, "mail.notice")
    notices = tuple(_made(path, "mail.notice", Notice, _table(path, "mail.notice", each)) for each in given)
    settings: MailSettings = _made(path, "mail", MailSettings, {**table, "notices": notices})
    plain_here = settings.security == "none" and _is_here(settings.host)
    alone = bool(settings.user) != bool(settings.password_file)
    checks = {
        "mail.security": settings.security in ("starttls", "tls") or plain_here,
        "mail.user": not alone and not (settings.user and settings.security == "none"),
        "mail.sender": _is_address(settings.sender),
        "mail.after_minutes": settings.after_minutes > 0,
        "mail.again_hours": settings.again_hours > 0,
        "mail.notice.to": all(_is_address(each.to) for each in notices),
        "mail.notice.language": all(each.language in LANGUAGES for each in notices),
        "mail.notice.federation": all(_is_federation(each.federation) for each in notices),
    }  # fmt: skip
    if wrong := [name for name, right in checks.items() if not right]:
        raise _bad(path, wrong[0])
    return settings


class Register:
    """When each notice was last sent (UTC ms); kept beside the database, so that a restart repeats none."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _STATE
        self._sent: dict[str, int] = {}
        try:
            found = json.loads(self._path.read_text("utf-8"))
            self._sent = {name: when for name, when in found.items() if type(when) is int}
        except (OSError, ValueError, AttributeError):
            pass  # none yet, or damaged: one mail too many is the worst of it

    def last(self, notice: Notice) -> int:
        """Return when it was last sent, 0 for never."""
        return self._sent.get(_name(notice), 0)

    def note(self, notice: Notice, now: int) -> None:
        """Keep that it was sent."""
        self._sent[_name(notice)] = now
        write_atomic(self._path, json.dumps(self._sent, sort_keys=True).encode())


def is_due(settings: MailSettings, *, oldest: int | None, seen: int, last: int, now: int) -> bool:
    """Return whether a site is to be written to: ``oldest`` waits for it, ``seen`` is when it last asked."""
    after, again = settings.after_minutes * _MINUTE, settings.again_hours * 60 * _MINUTE
    return oldest is not None and now - oldest >= after and now - seen >= after and now - last >= again


def send(settings: MailSettings, notice: Notice) -> None:
    """Send one notice; takes as long as the mail server does, at most about half a minute a step.

    Raises OSError or smtplib.SMTPException (which is one) as they come; EnvironmentProblem ``relay.bad_settings`` for a
    password that is not ASCII, ``file.*``.
    """
    context = ssl.create_default_context(cafile=settings.ca) if settings.ca else SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    message = EmailMessage()
    message["From"], message["To"] = settings.sender, notice.to
    message["Subject"] = text("relay.notice.subject", notice.language)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=settings.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text("relay.notice.body", notice.language))
    secured = settings.security == "tls"
    line: smtplib.SMTP = (
        smtplib.SMTP_SSL(settings.host, settings.port, timeout=_PATIENCE_SECONDS, context=context)
        if secured
        else smtplib.SMTP(settings.host, settings.port, timeout=_PATIENCE_SECONDS)
    )
    with line:
        if settings.security == "starttls":
            line.starttls(context=context)  # a server that cannot is not written to
        if settings.user:
            line.login(settings.user, _password(settings))
        line.send_message(message)


class Notices:
    """Looks again and again who is to be written to, and writes."""

    def __init__(self, service: Service, directory: Path, settings: MailSettings) -> None:
        self._service = service
        self._settings = settings
        self.register = Register(directory)

    async def again_and_again(self) -> None:
        """Look every few minutes."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Write to those for whom something has waited too long."""
        for notice in self._settings.notices:
            try:
                if await self._is_due(notice):
                    await asyncio.to_thread(send, self._settings, notice)
                    await asyncio.to_thread(self.register.note, notice, self._service.clock.now())
                    self._service.metrics.counts["notices_sent"] += 1
            except (OSError, ConsiliumError) as error:  # the next look tries again
                self._service.metrics.counts["notices_failed"] += 1
                _log.warning("notice", place=notice.place, reason=type(error).__name__)

    async def _is_due(self, notice: Notice) -> bool:
        service = self._service
        found = [each for each in service.directory if each.id.hex().startswith(notice.federation)]
        member = found[0].by_place.get(notice.place) if len(found) == 1 else None
        if member is None:  # not yet, no longer, or not only one
            return False
        oldest = await service.read(mail.oldest, member.number)
        last, seen = self.register.last(notice), service.seen(member)
        return is_due(self._settings, oldest=oldest, seen=seen, last=last, now=service.clock.now())


def _password(settings: MailSettings) -> str:
    path = Path(os.path.expandvars(settings.password_file))  # $CREDENTIALS_DIRECTORY/…
    password = read_limited(path, _PASSWORD_LIMIT)
    if not password.isascii():  # smtplib sends no other, and its error would quote it
        raise _bad(path, "mail.password_file")
    return password.decode().rstrip("\r\n")


def _table(path: Path, name: str, found: object) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise _bad(path, name)
    return dict(found)


def _made(path: Path, name: str, kind: Any, values: dict[str, Any]) -> Any:
    known = {each.name: str(each.type) for each in fields(kind)}
    types: dict[str, type] = {"str": str, "int": int, "tuple[Notice, ...]": tuple}
    for each, value in values.items():
        if each not in known or type(value) is not types[known[each]]:
            raise _bad(path, f"{name}.{each}")
    try:
        return kind(**values)
    except TypeError:
        missing = [each for each in known if each not in values]
        raise _bad(path, f"{name}.{missing[0]}") from None


def _bad(path: Path, setting: str) -> EnvironmentProblem:
    return EnvironmentProblem("relay.bad_settings", path=str(path), setting=setting)


def _is_address(address: str) -> bool:
    return address.count("@") == 1 and address.isascii() and address.isprintable() and " " not in address


def _is_federation(digits: str) -> bool:
    return _LEAST_FEDERATION <= len(digits) <= 64 and not set(digits) - set("0123456789abcdef")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(notice: Notice) -> str:
    return f"{notice.federation} {notice.place} {notice.to}"
