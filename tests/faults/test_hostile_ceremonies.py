"""What a site can do wrong in a ceremony: it fails everywhere, and names who did it where that can be known.

Site 3 is the hostile one, unless a test says otherwise: it has valid keys and may say whatever it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core import codec
from app.core.crypto import format as crypto_format
from app.core.errors import ProtocolViolation
from app.core.federation import ceremony as ceremonies
from app.core.federation import ceremony_work as work
from app.core.federation import rounds
from app.core.federation.ceremony_messages import COMMIT, REVEAL
from tests.federation_sites import PARAMETERS, Federation, parse
from tests.hostile_site import federation

__all__ = ["federation"]


def ceremony_of(base: Path, sites: int, quorum: int, spoil: Callable[[Federation], None]) -> ExitStack:
    stack = ExitStack()
    federation = stack.enter_context(Federation(base, sites, quorum))
    spoil(federation)
    federation.settle()
    stack.federation = federation  # type: ignore[attr-defined]
    return stack


def saying(round_: str, change: Callable[[Federation, dict[str, Any]], Any]) -> Callable[[Federation], None]:
    """Site 3 reveals something else in a round."""

    def spoil(federation: Federation) -> None:
        payloads = federation[3].ceremony._parts.payloads
        original = payloads[round_]
        payloads[round_] = lambda *given: change(federation, original(*given))

    return spoil


def wrong_share(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
    """A well-formed share of a key that is off by one in one place."""
    blobs = federation[3].profile.blobs
    data = bytearray(blobs.get(payload["blob"], limit=1 << 27))
    data[crypto_format.HEADER_SIZE] ^= 1
    return {"blob": blobs.put(bytes(data), limit=1 << 27), "size": len(data)}


def dealing(change: Callable[[bytes], bytes]) -> Callable[[Federation, dict[str, Any]], dict[str, Any]]:
    """Site 3 deals site 1 something else."""

    def deal(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        node = federation[3]
        context = node.ceremony._parts.dealt_context(3, 1)
        name, size = payload["blobs"][0]
        plain = federation[1].site.key.open("dealt share v1", node.profile.blobs.get(name, limit=size), context)
        sealed = federation.roster.keys[1].seal_to("dealt share v1", change(plain), context)
        return {"blobs": [[node.profile.blobs.put(sealed, limit=1 << 27), len(sealed)], *payload["blobs"][1:]]}

    return deal


def flip_value(plain: bytes) -> bytes:
    return (
        plain[: crypto_format.HEADER_SIZE]
        + bytes([plain[crypto_format.HEADER_SIZE] ^ 1])
        + plain[crypto_format.HEADER_SIZE + 1 :]
    )


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(saying(rounds.PUBLIC_KEY, wrong_share), id="public key"),
        pytest.param(saying(rounds.RELINEARIZATION_1, wrong_share), id="relinearization 1"),
        pytest.param(saying(rounds.RELINEARIZATION_2, wrong_share), id="relinearization 2"),
        pytest.param(saying(rounds.ROTATION, wrong_share), id="rotation"),
        pytest.param(saying(rounds.DEALING, dealing(flip_value)), id="dealt value"),
        pytest.param(saying(rounds.DEALING, dealing(lambda plain: plain[:-1] + b"x")), id="pad key"),
    ],
)
def test_a_wrong_share_fails_the_closing_check_everywhere_and_names_nobody(
    tmp_path: Path, spoil: Callable[[Federation], None]
) -> None:
    with ceremony_of(tmp_path, 3, 2, spoil) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for node in federation.nodes.values():
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.check_failed", "")
            assert node.refusals == [("ceremony.check_failed", None)]
            assert not node.site.key_directory.exists()
            assert not (node.profile.directory / "federation.public").exists()
            assert "salt" not in node.ceremony._stored()


def test_a_wrong_component_of_any_key_is_found(tmp_path: Path) -> None:
    """The last coefficient of the last component counts as much as the first."""

    def last(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        blobs = federation[3].profile.blobs
        data = bytearray(blobs.get(payload["blob"], limit=1 << 27))
        data[-6] ^= 1
        return {"blob": blobs.put(bytes(data), limit=1 << 27), "size": len(data)}

    for round_ in (rounds.RELINEARIZATION_1, rounds.RELINEARIZATION_2, rounds.ROTATION):
        with ceremony_of(tmp_path / round_, 3, 3, saying(round_, last)) as stack:
            for node in stack.federation.nodes.values():  # type: ignore[attr-defined]
                assert node.ceremony.advance().code == "ceremony.check_failed"


@pytest.mark.parametrize("round_", rounds.ROUNDS)
def test_a_malformed_payload_names_its_site(tmp_path: Path, round_: str) -> None:
    good = {
        rounds.RANDOMNESS: "random",
        rounds.DEALING: "blobs",
        rounds.CHECK: "shares",
        rounds.CONFIRM: "signature",
    }.get(round_, "blob")

    def missing(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in payload.items() if name != good}

    with ceremony_of(tmp_path, 3, 2, saying(round_, missing)) as stack:
        for position in (1, 2):
            node = stack.federation[position]  # type: ignore[attr-defined]
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.malformed", "Site 3")
            assert node.refusals == [("ceremony.malformed", 3)]


JUNK = [None, 7, "text", b"bytes", [1], [[1, 2, 3]], {"blob": 7}, [b"x", 1], True]
SPOILED: dict[str, tuple[str, Callable[[dict[str, Any], Any], dict[str, Any]]]] = {
    "all dealt": (rounds.DEALING, lambda good, junk: good | {"blobs": junk}),
    "dealt to itself": (rounds.DEALING, lambda good, junk: good | {"blobs": [*good["blobs"][:2], junk]}),
    "dealt to site 1": (rounds.DEALING, lambda good, junk: good | {"blobs": [junk, *good["blobs"][1:]]}),
    "all shares": (rounds.CHECK, lambda good, junk: good | {"shares": junk}),
    "one share": (rounds.CHECK, lambda good, junk: good | {"shares": [junk]}),
    "a share's bytes": (rounds.CHECK, lambda good, junk: good | {"shares": [[1, junk]]}),
    "all tags": (rounds.CHECK, lambda good, junk: good | {"pads": junk}),
    "one tag": (rounds.CHECK, lambda good, junk: good | {"pads": [junk, *good["pads"][1:]]}),
    "a tag for itself": (rounds.CHECK, lambda good, junk: good | {"pads": [*good["pads"][:2], junk]}),
}


@pytest.mark.parametrize(("place", "junk"), list(zip(SPOILED, JUNK, strict=True)))
def test_junk_in_dealing_and_check_names_its_site(tmp_path: Path, place: str, junk: object) -> None:
    round_, change = SPOILED[place]
    with ceremony_of(tmp_path, 3, 2, saying(round_, lambda _, good: change(good, junk))) as stack:
        for position in (1, 2):
            status = stack.federation[position].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3")
            assert status.code in {"ceremony.malformed", "release.wrong_share"}


@pytest.mark.parametrize(
    ("round_", "kind"),
    [
        (rounds.PUBLIC_KEY, "cut"),
        (rounds.RELINEARIZATION_1, "too large a residue"),
        (rounds.RELINEARIZATION_2, "another round's"),
        (rounds.ROTATION, "too large a residue"),
        (rounds.ROTATION, "cut"),
    ],
)
def test_a_share_that_is_not_one_names_its_site(tmp_path: Path, round_: str, kind: str) -> None:
    def change(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        blobs = federation[3].profile.blobs
        data = blobs.get(payload["blob"], limit=1 << 27)
        if kind == "cut":
            data = data[:-6]
        elif kind == "too large a residue":
            data = data[:-6] + b"\xff" * 6
        else:
            zero = np.zeros((3, 2, PARAMETERS.ring_degree), np.int64)
            data = crypto_format.pack_polynomials(PARAMETERS, PARAMETERS.data_primes[:2], zero)
        return {"blob": blobs.put(data, limit=1 << 27), "size": len(data)}

    with ceremony_of(tmp_path, 3, 2, saying(round_, change)) as stack:
        for position in (1, 2):
            status = stack.federation[position].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3")
            assert status.code.startswith("format.")


def test_a_wrong_size_or_a_reused_dealing_names_its_site(tmp_path: Path) -> None:
    changes: list[Callable[[Federation, dict[str, Any]], dict[str, Any]]] = [
        lambda _, payload: {"blobs": [[payload["blobs"][0][0], 10], *payload["blobs"][1:]]},
        lambda _, payload: {"blobs": [payload["blobs"][1], payload["blobs"][0], payload["blobs"][2]]},
        lambda _, payload: {"blobs": payload["blobs"][:2]},
        dealing(lambda plain: plain[:-40]),
        dealing(lambda plain: b""),
        dealing(lambda plain: plain + plain),
    ]
    for number, change in enumerate(changes):
        with ceremony_of(tmp_path / str(number), 3, 2, saying(rounds.DEALING, change)) as stack:
            status = stack.federation[1].ceremony.advance()  # type: ignore[attr-defined]
            assert (status.state, status.site) == (ceremonies.FAILED, "Site 3"), number


def test_a_dealing_copied_from_another_site_names_its_copier(tmp_path: Path) -> None:
    """Site 3 hands on what site 2 dealt: it is bound to its dealer and does not open."""

    def copy(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        size = payload["blobs"][0][1]
        dealt = [federation[2].profile.blobs.get(name, limit=1 << 27) for name in federation[2].profile.blobs.names()]
        names = [federation[3].profile.blobs.put(data, limit=size) for data in dealt if len(data) == size]
        assert len(names) == 3
        return {"blobs": [[name, size] for name in names]}

    with ceremony_of(tmp_path, 3, 2, saying(rounds.DEALING, copy)) as stack:
        status = stack.federation[1].ceremony.advance()  # type: ignore[attr-defined]
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "identity.cannot_open", "Site 3")


@pytest.mark.parametrize("type_", [COMMIT, REVEAL])
def test_two_different_words_in_one_round_name_their_site(tmp_path: Path, type_: str) -> None:
    with Federation(tmp_path, 3, 2) as federation:
        node, session = federation[3], federation[3].ceremony.session
        other = {
            COMMIT: {
                "round": rounds.RANDOMNESS,
                "transcript": rounds.first_transcript(session),
                "commitment": bytes(32),
            },
            REVEAL: {"round": rounds.RANDOMNESS, "salt": bytes(32), "payload": b"another"},
        }[type_]
        second = node.mailroom.draft(type_, session, other).envelope

        def alter(position: int, data: bytes) -> list[tuple[int, bytes]]:
            message = parse(data)
            both = (message.sender, message.type) == (3, type_)
            return [(position, data), (position, second)] if both else [(position, data)]

        federation.post.alter = alter
        federation.settle()
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.said_twice", "Site 3")
            assert federation[position].refusals == [("ceremony.said_twice", 3)]


def test_a_reveal_other_than_the_commitment_names_its_site(tmp_path: Path) -> None:
    with Federation(tmp_path, 3, 2) as federation:
        node = federation[3]
        original = node.ceremony._open

        def lying(round_: str) -> None:
            body = {"round": round_, "salt": bytes(32), "payload": codec.encode({"random": bytes(32)})}
            if round_ == rounds.RANDOMNESS:
                node.say(REVEAL, node.ceremony.session, body)
            else:
                original(round_)

        node.ceremony._open = lying  # type: ignore[method-assign]
        federation.settle()
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (
                ceremonies.FAILED,
                "ceremony.commitment_broken",
                "Site 3",
            )
            assert federation[position].refusals == [("ceremony.commitment_broken", 3)]


def test_a_signature_of_another_outcome_names_its_site(tmp_path: Path) -> None:
    spoil = saying(rounds.CONFIRM, lambda _, payload: {"signature": bytes(64)})
    with ceremony_of(tmp_path, 3, 2, spoil) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for position in (1, 2):
            status = federation[position].ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "federation.bad_signature", "Site 3")
            assert not (federation.directory(position) / "federation.public").exists()


def test_a_failed_ceremony_stays_failed(tmp_path: Path) -> None:
    with ceremony_of(tmp_path, 3, 2, saying(rounds.ROTATION, wrong_share)) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        for position in federation.positions:
            federation.stop(position)
            node = federation.start(position)
            assert node.ceremony.advance().code == "ceremony.check_failed"
            assert list(node.profile.blobs.names()) == []


def test_a_failure_that_nobody_caused_names_nobody(tmp_path: Path) -> None:
    """Summing fails although every site's share is well-formed: the ceremony fails, and no site is blamed."""

    def failing(*given: Any) -> None:
        raise ProtocolViolation("format.wrong_size", size=1, expected=2)

    with Federation(tmp_path, 2, 2) as federation, pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "build_keys", failing)
        federation.settle()
        for node in federation.nodes.values():
            status = node.ceremony.advance()
            assert (status.state, status.code, status.site) == (ceremonies.FAILED, "format.wrong_size", "")


def test_who_stops_is_named_to_those_who_wait(tmp_path: Path) -> None:
    """Only site 1 sees what is wrong (its dealt value does not open): the others learn that it stopped."""

    def spoil(federation: Federation, payload: dict[str, Any]) -> dict[str, Any]:
        name, size = payload["blobs"][0]
        broken = bytearray(federation[3].profile.blobs.get(name, limit=size))
        broken[-1] ^= 1
        name = federation[3].profile.blobs.put(bytes(broken), limit=size)
        return {"blobs": [[name, size], *payload["blobs"][1:]]}

    with ceremony_of(tmp_path, 3, 2, saying(rounds.DEALING, spoil)) as stack:
        federation = stack.federation  # type: ignore[attr-defined]
        status = federation[1].ceremony.advance()
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "identity.cannot_open", "Site 3")
        status = federation[2].ceremony.advance()
        assert (status.state, status.code, status.site) == (ceremonies.FAILED, "ceremony.stopped", "Site 1")
        assert federation[2].refusals == [("ceremony.stopped", 1)]
