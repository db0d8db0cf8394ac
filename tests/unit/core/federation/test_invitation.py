"""Invitations: what a mail program does to them is undone; what cannot be undone is named."""

from __future__ import annotations

import base64
import textwrap

import pytest

from app.core import codec
from app.core.errors import UserError
from app.core.federation import invitation as invitations
from app.core.federation.invitation import PREFIX, Invitation, read_invitation, svg, terminal
from app.core.secret import SecretBytes

INVITATION = Invitation(
    relay="https://relay.example:8443",
    authority=b"\x30\x82" * 200,
    federation_id=bytes(range(32)),
    federation="Étude du poumon",
    creator="Lausanne",
    contact="research office, +41 21 000 00 00",
    creator_fingerprint=bytes([1]) * 32,
    site="Geneva",
    secret=SecretBytes(bytes([2]) * 32),
    expires=1_700_000_000_000,
)
TEXT = INVITATION.to_text()


def coded(text: str) -> str:
    with pytest.raises(UserError) as caught:
        read_invitation(text)
    return caught.value.code


def made(payload: bytes) -> str:
    letters = base64.b32encode(payload + invitations._checksum(payload)).decode().rstrip("=")
    return f"{PREFIX}{letters}."


def plain() -> dict[str, object]:
    letters = TEXT.removeprefix(PREFIX).removesuffix(".").upper()
    payload = base64.b32decode(letters + "=" * (-len(letters) % 8))[:-4]
    found: dict[str, object] = codec.decode(payload, 1 << 14)
    return found


def test_what_is_written_is_read() -> None:
    assert read_invitation(TEXT) == INVITATION
    assert "secret" not in repr(INVITATION).replace("secret=SecretBytes(32 bytes)", "")


@pytest.mark.parametrize(
    "mangled",
    [
        TEXT.upper(),
        "\n".join(textwrap.wrap(TEXT, 76)),
        "\r\n".join("> " + line for line in textwrap.wrap(TEXT, 60)),
        f"Dear colleagues,\nplease join: {TEXT}\nKind regards. 017",
        "\u200b".join(TEXT),
        " ".join(TEXT),
        f"\ufeff{TEXT}",
    ],
)
def test_what_mail_programs_do_to_it_is_undone(mangled: str) -> None:
    assert read_invitation(mangled) == INVITATION


def test_what_is_wrong_with_it_is_named() -> None:
    assert coded("") == coded("hello") == "invitation.missing"
    assert coded(TEXT[:-1]) == coded(TEXT[:200]) == coded(PREFIX) == "invitation.incomplete"
    assert coded(TEXT[:200] + TEXT[201:]) == coded(f"{PREFIX}.") == coded(f"{PREFIX}aaaa.") == "invitation.mangled"
    assert coded(TEXT.replace(TEXT[100:104], TEXT[104:100:-1], 1)) == "invitation.mangled"
    assert coded(TEXT[:200] + "1" + TEXT[201:]) == "invitation.mangled"
    assert coded(made(codec.encode({**plain(), "version": 2}))) == "invitation.newer"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": True},
        {"relay": "http://relay.example"},
        {"relay": "https://person@relay.example"},
        {"relay": "https://[bad"},
        {"relay": "https://"},
        {"federation": bytes(31)},
        {"secret": bytes(16)},
        {"key": "text"},
        {"site": ""},
        {"site": "a\nb"},
        {"expires": -1},
        {"authority": bytes(5000)},
        {"more": 1},
    ],
)
def test_what_this_program_does_not_make_is_refused(changes: dict[str, object]) -> None:
    assert coded(made(codec.encode({**plain(), **changes}))) == "invitation.malformed"


def test_something_that_is_not_a_map_is_refused() -> None:
    assert coded(made(codec.encode([1]))) == coded(made(b"\xff")) == "invitation.malformed"


def test_it_ends() -> None:
    INVITATION.check_time(INVITATION.expires)
    with pytest.raises(UserError, match=r"invitation\.expired"):
        INVITATION.check_time(INVITATION.expires + 1)


def test_the_relay_knows_it_by_something_else_than_its_secret() -> None:
    assert len(INVITATION.id) == 32
    assert INVITATION.secret.reveal() not in (INVITATION.id, TEXT.encode())


def test_as_a_qr_code() -> None:
    image = svg(TEXT)
    assert image.startswith("<svg")
    assert "script" not in image
    assert len(terminal(TEXT).splitlines()) > 20
