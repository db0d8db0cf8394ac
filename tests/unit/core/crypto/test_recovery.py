"""Recovery words and backup files: right, wrong, foreign and damaged are told apart."""

from __future__ import annotations

import random

import pytest

from app.core import codec
from app.core.crypto import recovery
from app.core.crypto.identity import MemberKey
from app.core.crypto.passphrase import Argon2Cost, lock, passphrase_from_text
from app.core.crypto.recovery import (
    Verdict,
    check,
    count_words,
    make_backup,
    make_words,
    read_backup,
    read_words,
)
from app.core.crypto.word_list import all_words
from app.core.errors import Bug, ConsiliumError, UserError
from app.core.secret import SecretBytes

CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
PHRASE = passphrase_from_text("correct horse battery")
ROOT = SecretBytes(bytes(range(32)))
MEMBER = MemberKey.from_root(ROOT).public
HERE = b"\xaa" * 32
ELSEWHERE = b"\xbb" * 32
WORDS = make_words(ROOT, HERE).words


def refusal(text: str) -> UserError:
    with pytest.raises(UserError) as refused:
        read_words(text)
    return refused.value


def test_thirty_words_hold_the_root_and_its_federation() -> None:
    assert len(WORDS) == recovery.WORDS == 30
    recovered = read_words(" ".join(WORDS))
    assert (recovered.root, recovered.federation) == (ROOT, HERE[:4])


def test_words_are_read_as_people_type_them() -> None:
    numbered = "\n".join(f"{number}. {word}" for number, word in enumerate(WORDS, 1))
    short = make_words(ROOT, HERE).short
    assert all(len(word) <= 4 for word in short.split())
    ways = [
        numbered,
        numbered.replace(". ", ") ").upper(),
        "  \t".join(WORDS).title() + "\r\n\r\n",
        ", ".join(WORDS),
        short,
        " ".join(word[:5] for word in WORDS),
    ]
    for text in ways:
        assert count_words(text) == 30
        assert read_words(text).root == ROOT


def test_an_unknown_word_is_named_by_its_position_and_not_quoted() -> None:
    for position, typed in ((1, "xylograph"), (7, WORDS[6][:3] + "q"), (30, WORDS[29] + "s"), (12, "é")):
        words = [*WORDS]
        words[position - 1] = typed
        refused = refusal(" ".join(words))
        assert (refused.code, refused.params) == ("recovery.unknown_word", {"position": position})


def test_missing_and_surplus_words_are_counted() -> None:
    for words in (WORDS[:-1], (*WORDS, "zoo"), ()):
        refused = refusal(" ".join(words))
        assert (refused.code, refused.params) == ("recovery.word_count", {"found": len(words), "wanted": 30})


def test_any_two_words_that_changed_places_are_noticed() -> None:
    for first in range(30):
        for second in range(first):
            words = [*WORDS]
            words[first], words[second] = words[second], words[first]
            if words != [*WORDS]:
                assert refusal(" ".join(words)).code == "recovery.damaged"


def test_any_one_wrong_word_is_noticed() -> None:
    chance = random.Random(1)
    everything = all_words()
    for position in range(30):
        for word in chance.sample([each for each in everything if each != WORDS[position]], 40):
            words = [*WORDS]
            words[position] = word
            assert refusal(" ".join(words)).code == "recovery.damaged"


def test_a_newer_sheet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(recovery, "_WORDS_VERSION", 2)
        newer = make_words(ROOT, HERE).words
    assert refusal(" ".join(newer)).code == "recovery.newer"


def test_the_four_verdicts() -> None:
    other_site = make_words(SecretBytes(bytes(32)), HERE).words
    other_federation = make_words(ROOT, ELSEWHERE).words
    expected = {
        Verdict.RIGHT: WORDS,
        Verdict.WRONG: other_site,
        Verdict.FOREIGN: other_federation,
        Verdict.DAMAGED: (*WORDS[1:], WORDS[0]),
    }
    for verdict, words in expected.items():
        assert check(" ".join(words), HERE, MEMBER) is verdict
    assert check("nonsense", HERE, MEMBER) is Verdict.DAMAGED


def test_a_backup_file_holds_root_federation_and_attachments() -> None:
    attachments = {"dealt share": bytes(100_000), "pad keys": b"", "ceremony salt": bytes(32)}
    file = make_backup(ROOT, HERE, attachments, PHRASE, created=1, cost=CHEAP)
    recovered = read_backup(file, PHRASE)
    assert (recovered.root, recovered.federation, recovered.attachments) == (ROOT, HERE, attachments)
    assert recovered.judge(HERE, MEMBER) is Verdict.RIGHT
    assert recovered.judge(HERE[:31] + b"\0", MEMBER) is Verdict.FOREIGN
    assert recovered.judge(HERE, MemberKey.from_root(SecretBytes(bytes(32))).public) is Verdict.WRONG


GOOD = {"version": 1, "federation": HERE, "root": bytes(32), "created": 0, "attachments": {}}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({**GOOD, "version": 2}, "passphrase.newer"),
        ({**GOOD, "version": 0}, "passphrase.damaged"),
        ({**GOOD, "more": 0}, "passphrase.damaged"),
        ({**GOOD, "federation": bytes(31)}, "passphrase.damaged"),
        ({**GOOD, "root": bytes(33)}, "passphrase.damaged"),
        ({**GOOD, "created": "now"}, "passphrase.damaged"),
        ({**GOOD, "attachments": {"a": 1}}, "passphrase.damaged"),
        ({**GOOD, "attachments": {1: b""}}, "passphrase.damaged"),
        ({**GOOD, "attachments": []}, "passphrase.damaged"),
        ([], "passphrase.damaged"),
    ],
)
def test_another_content_under_the_right_passphrase_is_refused(value: object, code: str) -> None:
    with pytest.raises(ConsiliumError) as refused:
        read_backup(lock("backup", codec.encode(value), PHRASE, CHEAP), PHRASE)
    assert refused.value.code == code
    with pytest.raises(ConsiliumError, match=r"passphrase\.damaged"):
        read_backup(lock("backup", b"\xff", PHRASE, CHEAP), PHRASE)


def test_words_and_backups_do_not_show_what_they_hold() -> None:
    words = make_words(ROOT, HERE)
    recovered = read_backup(make_backup(ROOT, HERE, {"a": b"secret"}, PHRASE, created=1, cost=CHEAP), PHRASE)
    assert repr(words) == "RecoveryWords()"
    assert "secret" not in repr(recovered)
    assert "\\x01\\x02" not in repr(recovered)


def test_lengths_are_fixed() -> None:
    with pytest.raises(Bug):
        make_words(SecretBytes(bytes(31)), HERE)
    with pytest.raises(Bug):
        make_backup(ROOT, HERE[:4], {}, PHRASE, created=1, cost=CHEAP)
