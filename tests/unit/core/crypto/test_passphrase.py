"""Files under a passphrase: wrong, damaged, newer, of another kind and hostile are told apart."""

from __future__ import annotations

import hashlib
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.core import codec
from app.core.crypto import passphrase
from app.core.crypto.passphrase import (
    Argon2Cost,
    check_new,
    lock,
    passphrase_from_file,
    passphrase_from_text,
    unlock,
)
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError

CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
RIGHT = passphrase_from_text("correct horse battery")
LIMIT = 4096


def refusal(file: bytes, content: str = "backup", phrase: str = "correct horse battery") -> str:
    with pytest.raises(ConsiliumError) as refused:
        unlock(content, file, passphrase_from_text(phrase), LIMIT)
    return refused.value.code


def altered(file: bytes, **changes: object) -> bytes:
    """The file with other fields and a fitting checksum: what only someone who does it on purpose makes."""
    header: dict[str, Any] = codec.decode(file, LIMIT)
    del header["checksum"]
    header |= changes
    return codec.encode({**header, "checksum": hashlib.sha256(codec.encode(header)).digest()})


def test_the_standard_cost_is_the_second_choice_of_rfc_9106(standard_cost: Argon2Cost) -> None:
    assert (standard_cost.memory, standard_cost.passes, standard_cost.lanes) == (65536, 3, 4)
    assert unlock("backup", lock("backup", b"plain", RIGHT, standard_cost), RIGHT, LIMIT) == b"plain"


def test_the_same_plaintext_never_looks_the_same() -> None:
    assert lock("backup", b"plain", RIGHT, CHEAP) != lock("backup", b"plain", RIGHT, CHEAP)


def test_threads_lock_at_the_same_time() -> None:
    cost = Argon2Cost(memory=64, passes=1, lanes=4)
    with ThreadPoolExecutor(6) as pool:
        files = list(pool.map(lambda number: lock("backup", b"%d" % number, RIGHT, cost), range(60)))
    assert [unlock("backup", file, RIGHT, LIMIT) for file in files] == [b"%d" % number for number in range(60)]


def test_a_wrong_passphrase_and_a_damaged_file_are_told_apart() -> None:
    file = lock("backup", b"plain", RIGHT, CHEAP)
    assert refusal(file, phrase="correct horse batterx") == "passphrase.wrong"
    assert refusal(file[:-1]) == "passphrase.damaged"
    assert refusal(b"") == "passphrase.damaged"
    assert refusal(b"%PDF-1.7") == "passphrase.damaged"
    assert refusal(codec.encode({"format": "consilium passphrase file"})) == "passphrase.damaged"
    assert refusal(file + bytes(LIMIT)) == "passphrase.damaged"


def test_a_file_of_the_other_kind_or_a_newer_version_says_so() -> None:
    file = lock("secrets", b"plain", RIGHT, CHEAP)
    assert refusal(file) == "passphrase.other_content"
    assert refusal(altered(file, version=2)) == "passphrase.newer"
    assert refusal(altered(file, version=2, more=[1])) == "passphrase.newer"


@pytest.mark.parametrize(
    "numbers",
    [
        (100 * 2**20, 1, 1),
        (2**20, 5, 1),
        (8, 17, 1),
        (1024, 1, 17),
        (7, 1, 1),
        (31, 1, 4),
        (8, 0, 1),
        (8, 1, 0),
        (-8, 1, -1),
    ],
)
def test_a_hostile_file_cannot_ask_for_the_machine(numbers: tuple[int, int, int]) -> None:
    asked = dict(zip(("memory", "passes", "lanes"), numbers, strict=True))
    assert refusal(altered(lock("backup", b"", RIGHT, CHEAP), argon2id=asked)) == "passphrase.too_costly"


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": bytes(15)},
        {"salt": "x"},
        {"data": "x"},
        {"content": 1},
        {"argon2id": [8, 1, 1]},
        {"argon2id": {"memory": 8, "passes": 1}},
        {"argon2id": {"memory": 8, "passes": True, "lanes": 1}},
        {"more": 1},
        {"version": "1"},
    ],
)
def test_fields_of_other_types_are_refused(changes: dict[str, object]) -> None:
    assert refusal(altered(lock("backup", b"", RIGHT, CHEAP), **changes)) == "passphrase.damaged"


def test_the_header_is_authenticated_too() -> None:
    file = lock("backup", b"", RIGHT, CHEAP)
    assert refusal(altered(file, content="secrets"), content="secrets") == "passphrase.wrong"
    assert refusal(altered(file, data=b"")) == "passphrase.wrong"


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy:
        def __init__(self, **_: object) -> None: ...

        def derive(self, _: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(passphrase, "Argon2id", Greedy)
    with pytest.raises(EnvironmentProblem) as refused:
        lock("backup", b"", RIGHT, Argon2Cost())
    assert (refused.value.code, refused.value.params) == ("passphrase.memory", {"mebibytes": 64})


def test_composed_and_decomposed_letters_are_the_same_passphrase() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Zürich–Genève") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert passphrase_from_text(composed) == passphrase_from_text(decomposed)


def test_a_new_passphrase_has_twelve_characters() -> None:
    assert check_new(passphrase_from_text("ääääääääääää"))
    with pytest.raises(UserError, match=r"passphrase\.too_short"):
        check_new(passphrase_from_text("eleven chars   "[:11]))
    with pytest.raises(UserError, match=r"passphrase\.too_short"):
        check_new(passphrase_from_text(" " * 20))


def test_a_passphrase_file_loses_its_line_end_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(b" two words \r\n")
    assert passphrase_from_file(file) == passphrase_from_text(" two words ")
    for content, code in ((b"\n", "passphrase.empty"), (b"\xff\xfe", "passphrase.not_text")):
        file.write_bytes(content)
        with pytest.raises(UserError) as refused:
            passphrase_from_file(file)
        assert (refused.value.code, refused.value.__cause__) == (code, None)
    file.write_bytes(bytes(5000))
    with pytest.raises(EnvironmentProblem, match=r"file\.too_large"):
        passphrase_from_file(file)
