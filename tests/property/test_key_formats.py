"""One byte more, less or other, anywhere: no envelope, backup or secret file is taken for what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import codec
from app.core.crypto.identity import MemberKey
from app.core.crypto.passphrase import Argon2Cost, passphrase_from_text, unlock
from app.core.crypto.recovery import make_backup, make_words, read_backup, read_words
from app.core.crypto.vault import StorageCipher
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation.envelope import Envelope, open_body, open_envelope, seal_body, sign
from app.core.secret import SecretBytes
from tests.vectors.keys import ENVELOPE, FEDERATION, MEMBER, ONE_TIME, PASSPHRASE, ROOT, read

CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
WHOLE_ENVELOPE = read("envelope.cbor")
WHOLE_BODY = read("sealed_body.cbor")
WHOLE_BACKUP = read("backup.passphrase")
WHOLE_SECRETS = read("secrets.passphrase")
SEES = {
    "envelope.malformed",
    "envelope.unknown_version",
    "envelope.unknown_type",
    "envelope.foreign_federation",
    "envelope.stranger",
    "envelope.bad_signature",
}

roots = st.binary(min_size=32, max_size=32).map(SecretBytes)
ids = st.binary(min_size=32, max_size=32)


def alterations(data: bytes) -> list[bytes]:
    """Every cut, every single byte with one of three bits changed, and every single byte after the end."""
    cut = [data[:length] for length in range(len(data))]
    grown = [data + bytes([byte]) for byte in range(256)]
    flipped = [
        data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
        for place in range(len(data))
        for bit in (1, 2, 0x80)
    ]
    return cut + grown + flipped


def open_whole(data: bytes) -> Envelope:
    return open_envelope(data, federation=FEDERATION, roster={1: MEMBER.public}, me=2, types={"query.request"})


def test_every_altered_envelope_is_refused_with_a_code_of_its_own() -> None:
    assert open_whole(WHOLE_ENVELOPE) == ENVELOPE
    seen = set()
    for data in alterations(WHOLE_ENVELOPE):
        with pytest.raises(ProtocolViolation) as refused:
            open_whole(data)
        seen.add(refused.value.code)
    assert seen == SEES


def test_every_altered_body_is_refused() -> None:
    for data in alterations(WHOLE_BODY):
        with pytest.raises(ProtocolViolation) as refused:
            open_body(data, 2, ONE_TIME, ENVELOPE.context)
        assert refused.value.code in ("envelope.body_malformed", "envelope.body_damaged", "envelope.body_not_for_us")


@pytest.mark.parametrize(("content", "file"), [("backup", WHOLE_BACKUP), ("secrets", WHOLE_SECRETS)])
def test_every_altered_file_is_damaged_before_the_passphrase_is_tried(content: str, file: bytes) -> None:
    for data in alterations(file):
        with pytest.raises(EnvironmentProblem) as refused:
            unlock(content, data, PASSPHRASE, 2**20)
        assert refused.value.code == "passphrase.damaged"


@given(data=st.binary(max_size=300))
def test_nothing_random_is_ever_read(data: bytes) -> None:
    attempts = [
        lambda: open_whole(data),
        lambda: open_body(data, 2, ONE_TIME, ENVELOPE.context),
        lambda: read_backup(data, PASSPHRASE),
        lambda: StorageCipher(ROOT).decrypt("vector", data),
        lambda: MEMBER.open("vector", data, b""),
        lambda: read_words(data.decode("latin-1")),
    ]
    for attempt in attempts:
        with pytest.raises(ConsiliumError):
            attempt()


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(codec.decode(WHOLE_ENVELOPE, 4096))), value=values)
def test_a_field_of_any_other_value_is_refused(field: str, value: object) -> None:
    content = codec.decode(WHOLE_ENVELOPE, 4096)
    if content[field] == value and type(content[field]) is type(value):
        return
    with pytest.raises(ProtocolViolation, match=r"envelope\."):
        open_whole(codec.encode({**content, field: value}))


@given(root=roots, federation=ids)
def test_words_bring_back_any_root(root: SecretBytes, federation: bytes) -> None:
    words = make_words(root, federation)
    for text in (" ".join(words.words), words.short):
        recovered = read_words(text)
        assert (recovered.root, recovered.federation) == (root, federation[:4])


@given(root=roots, first=st.integers(0, 29), second=st.integers(0, 29), other=st.integers(0, 2047))
def test_a_wrong_word_or_two_that_changed_places_are_noticed(
    root: SecretBytes, first: int, second: int, other: int
) -> None:
    words = make_words(root, FEDERATION).words
    swapped, wrong = [*words], [*words]
    swapped[first], swapped[second] = words[second], words[first]
    wrong[first] = make_words(SecretBytes(other.to_bytes(32, "big")), FEDERATION).words[20 + other % 10]
    for changed in (swapped, wrong):
        if tuple(changed) != words:
            with pytest.raises(UserError, match=r"recovery\.damaged"):
                read_words(" ".join(changed))


@given(root=roots, federation=ids, attachments=st.dictionaries(st.text(max_size=20), st.binary(max_size=200)))
def test_a_backup_brings_back_anything(root: SecretBytes, federation: bytes, attachments: dict[str, bytes]) -> None:
    phrase = passphrase_from_text("x" * 12)
    recovered = read_backup(make_backup(root, federation, attachments, phrase, created=0, cost=CHEAP), phrase)
    assert (recovered.root, recovered.federation, recovered.attachments) == (root, federation, attachments)


@given(
    sender=st.integers(1, 16),
    recipients=st.sets(st.integers(1, 16)),
    session=st.binary(min_size=16, max_size=32),
    id=st.binary(min_size=16, max_size=16),
    time=st.integers(0, 2**53 - 1),
    plaintext=st.binary(max_size=500),
)
def test_any_message_arrives(
    sender: int, recipients: set[int], session: bytes, id: bytes, time: int, plaintext: bytes
) -> None:
    key = MemberKey.from_root(SecretBytes(sender.to_bytes(32, "big")))
    draft = Envelope(FEDERATION, "query.request", sender, tuple(sorted(recipients)), session, id, time, b"")
    body = seal_body(plaintext, dict.fromkeys(recipients, ONE_TIME.public), draft.context)
    sent = Envelope(FEDERATION, "query.request", sender, draft.recipients, session, id, time, body)
    arrived = open_envelope(
        sign(sent, key), federation=FEDERATION, roster={sender: key.public}, me=None, types={"query.request"}
    )
    assert arrived == sent
    for position in recipients:
        assert open_body(arrived.body, position, ONE_TIME, arrived.context) == plaintext
