"""Mail from the relay: to a real mail server, when something has waited too long, and with nothing in it."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.core.errors import EnvironmentProblem
from app.relay import notices
from app.relay.metrics import Metrics
from app.relay.notices import MailSettings, Notice, Notices, Register, is_due, read_mail
from app.relay.service import Service
from tests.relay_server import PLENTY, TestClock, found_federation, running_relay

MINUTE = 60_000


@dataclass
class Inbox:
    """What a mail server has taken in, and where it is."""

    port: int = 0
    ca: str = ""
    mails: list[Envelope] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        self.secured.append(session.ssl is not None)
        return "250 taken"


class OnAnyPort(Controller):
    """A mail server on a port that is free."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def authenticated(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"relay", b"password 1")
    return AuthResult(success=right)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """A mail server that wants STARTTLS and a password."""
    authority, found = trustme.CA(), Inbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    found.ca = str(tmp_path / "ca.pem")
    controller = OnAnyPort(
        found, "127.0.0.1", 0, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=authenticated,
    )  # fmt: skip
    controller.start()
    found.port = controller.port
    yield found
    controller.stop()


@pytest.fixture
def settings(inbox: Inbox, tmp_path: Path) -> MailSettings:
    (tmp_path / "password").write_text("password 1\n")
    return MailSettings(
        "127.0.0.1", "relay@hospital.example", (), inbox.port, "starttls", inbox.ca, "relay", str(tmp_path / "password")
    )


def test_it_says_that_something_waits_and_nothing_else(inbox: Inbox, settings: MailSettings) -> None:
    for language, begin in (("en", "Something waits"), ("de", "Am Relay wartet"), ("fr", "Quelque chose attend")):
        notices.send(settings, Notice("1a2b3c4d", 2, "it@other.example", language))
        mail = inbox.mails[-1]
        assert (mail.mail_from, mail.rcpt_tos) == ("relay@hospital.example", ["it@other.example"])
        assert b"1a2b3c4d" not in mail.content  # type: ignore[operator]
        said = email.message_from_bytes(mail.content, policy=email.policy.default)  # type: ignore[arg-type]
        assert said.get_content().startswith(begin)
        assert said["Auto-Submitted"] == "auto-generated"
    assert inbox.secured == [True] * 3


def test_a_server_that_is_not_the_one_is_not_spoken_to(inbox: Inbox, settings: MailSettings, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        notices.send(replace(settings, ca=str(tmp_path / "other.pem")), Notice("1a2b3c4d", 2, "it@other.example"))
    assert inbox.mails == []


def test_a_password_that_cannot_be_sent_is_not_quoted(settings: MailSettings) -> None:
    Path(settings.password_file).write_text("pässwörd", "utf-8")
    with pytest.raises(EnvironmentProblem, match=r"relay\.bad_settings") as caught:
        notices.send(settings, Notice("1a2b3c4d", 2, "it@other.example"))
    assert "pässwörd" not in str(caught.value.params)


def test_it_is_written_once_for_a_while_and_never_to_those_who_ask(
    inbox: Inbox, settings: MailSettings, tmp_path: Path
) -> None:
    """A relay with three members: 2 asks for its messages, 3 does not."""
    with running_relay(tmp_path / "relay") as server:
        people = found_federation(server, 3)
        people[1].send(people.message(1, (2, 3)))
    began = TestClock().now()
    told = tuple(Notice(people.id.hex()[:8], place, f"it@{place}.example") for place in (1, 2, 3, 9))
    settings = replace(settings, notices=told)
    clock = TestClock()

    async def live() -> list[str]:
        service = Service(tmp_path / "relay", PLENTY, clock, Metrics())
        looking, member = Notices(service, tmp_path / "relay", settings), service.directory.federation(people.id)
        assert member is not None
        found = []
        for ahead in (59, 61, 70, 62 + 24 * 60):  # minutes
            clock.ahead = began + ahead * MINUTE - TestClock().now()
            await service.receive(member.by_place[2], 1 << 53, 0)  # asks, but acknowledges nothing
            await looking.look()
            found.append(",".join(mail.rcpt_tos[0] for mail in inbox.mails))
            inbox.mails.clear()
        assert service.metrics.counts == {"notices_sent": 2}
        await Notices(service, tmp_path / "none", replace(settings, port=1)).look()
        assert service.metrics.counts["notices_failed"] == 1
        await service.close()
        return found

    assert asyncio.run(live()) == ["", "it@3.example", "", "it@3.example"]
    assert Register(tmp_path / "relay").last(told[2]) > began  # also after a restart


def test_rules() -> None:
    some = MailSettings("h", "a@b", ())
    late = 61 * MINUTE
    assert is_due(some, oldest=0, seen=0, last=-(10**9), now=late)
    assert not is_due(some, oldest=None, seen=0, last=-(10**9), now=late)
    assert not is_due(some, oldest=2 * MINUTE, seen=0, last=-(10**9), now=late)
    assert not is_due(some, oldest=0, seen=2 * MINUTE, last=-(10**9), now=late)
    assert not is_due(some, oldest=0, seen=0, last=0, now=late)


WHOLE = """
members = 5
[mail]
host = "smtp.hospital.example"
sender = "relay@hospital.example"
[[mail.notice]]
federation = "1a2b3c4d"
place = 2
to = "it@other.example"
"""


def test_it_is_off_unless_the_settings_have_it(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    assert read_mail(path) is None
    path.write_text("members = 5")
    assert read_mail(path) is None
    path.write_text(WHOLE)
    told = Notice("1a2b3c4d", 2, "it@other.example", "en")
    assert read_mail(path) == MailSettings("smtp.hospital.example", "relay@hospital.example", (told,))


@pytest.mark.parametrize(
    ("line", "instead", "setting"),
    [
        ('host = "smtp', 'hosts = "smtp', "mail.hosts"),
        ('host = "smtp.hospital.example"', "", "mail.host"),
        ('host = "smtp', 'security = "none"\nhost = "smtp', "mail.security"),
        ('host = "smtp', 'user = "relay"\nhost = "smtp', "mail.user"),
        ('host = "smtp', 'again_hours = 0\nhost = "smtp', "mail.again_hours"),
        ("place = 2", 'place = "2"', "mail.notice.place"),
        ("1a2b3c4d", "1a2b", "mail.notice.federation"),
        ("it@other", "it\\r\\nBcc: x@other", "mail.notice.to"),
        ("place = 2", 'place = 2\nlanguage = "it"', "mail.notice.language"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, line: str, instead: str, setting: str) -> None:
    path = tmp_path / "relay.toml"
    assert line in WHOLE
    path.write_text(WHOLE.replace(line, instead))
    with pytest.raises(EnvironmentProblem) as caught:
        read_mail(path)
    assert caught.value.params["setting"] == setting
