"""The federation's public file, with the roster's catalogue or a later one: refused unless sites have signed it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.core import codec
from app.core.errors import ProtocolViolation
from app.core.federation.catalogue_publishing import read_publication
from app.core.federation.public_file import PublicFederation, load_public_file, save_public_file
from tests.vectors.federation import (
    FILES,
    FIRST,
    KEYS,
    LINKS,
    PUBLICATION,
    ROSTER,
    SECOND,
    THIRD,
    extracting_federation,
    later_federation,
    public_federation,
    read,
)


@pytest.mark.parametrize("name", FILES)
def test_vectors_are_what_is_written_today(name: str) -> None:
    assert FILES[name]() == read(name)


def test_vectors_keep_loading() -> None:
    assert PublicFederation.from_bytes(read("public-v1.cbor")).catalogue == FIRST
    later = PublicFederation.from_bytes(read("public-v2.cbor"))
    assert (later.catalogue, later.links, later.federation_id) == (THIRD, LINKS, ROSTER.federation_id)
    extracting = PublicFederation.from_bytes(read("public-v3.cbor"))
    assert (extracting.extraction, later.extraction, extracting.catalogue) == (8, 0, FIRST)
    assert read_publication(codec.decode(read("published-catalogue-v1.cbor"), 1 << 20), ROSTER) == PUBLICATION


def test_a_file_without_a_later_catalogue_is_one_that_older_programs_read(tmp_path: Path) -> None:
    for federation, version in ((public_federation(), 1), (later_federation(), 2), (extracting_federation(), 3)):
        save_public_file(federation, tmp_path / "file")
        assert load_public_file(tmp_path / "file") == federation
        plain = codec.decode((tmp_path / "file").read_bytes(), 1 << 20)
        assert (plain["version"], "links" in plain) == (version, version == 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda found: replace(found, catalogue=SECOND), "federation.foreign_catalogue"),
        (lambda found: replace(found, catalogue=FIRST), "federation.foreign_catalogue"),
        (lambda found: replace(found, links=LINKS[:1]), "federation.foreign_catalogue"),
        (lambda found: replace(found, links=LINKS[1:]), "catalogue.broken_chain"),
        (lambda found: replace(found, links=LINKS[::-1]), "catalogue.broken_chain"),
        (lambda found: replace(found, links=(LINKS[0], replace(LINKS[1], time=1))), "catalogue.bad_signature"),
        (lambda found: replace(found, links=(LINKS[0], replace(LINKS[1], author=2))), "catalogue.bad_signature"),
        (lambda found: replace(found, signatures=found.signatures[::-1]), "federation.bad_signature"),
    ],
)
def test_a_catalogue_that_no_site_has_published_is_refused(
    change: Callable[[PublicFederation], PublicFederation], code: str
) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        PublicFederation.from_bytes(change(later_federation()).to_bytes())
    assert refused.value.code == code


def test_a_link_says_the_number_of_its_catalogue() -> None:
    wrong = replace(LINKS[0], version=3).signed(ROSTER.federation_id, KEYS[LINKS[0].author - 1])
    with pytest.raises(ProtocolViolation, match=r"federation\.foreign_catalogue"):
        replace(public_federation(), catalogue=SECOND, links=(wrong,)).verify()


@pytest.mark.parametrize(
    "change",
    [{"version": 3}, {"version": 0}, {"version": True}, {"version": 1}, {"links": []}, {"links": None}, {"more": 1}],
)
def test_what_is_malformed_is_refused(change: dict[str, object]) -> None:
    plain = {**codec.decode(read("public-v2.cbor"), 1 << 20), **change}
    with pytest.raises(ProtocolViolation, match=r"federation\.malformed"):
        PublicFederation.from_bytes(codec.encode(plain))
