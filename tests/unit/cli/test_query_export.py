"""``consilium query export`` beside a running agent: an answer as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.main import main
from app.core.services import member as members
from tests.agent_sites import Sites
from tests.fake_relay import FakeRelay
from tests.federation_sites import KnownNumber

ASKED = {
    "text": "smoker",
    "epsilon": "1/2",
    "sites": [],
    "minimum": 0,
    "deadline": 0,
    "purpose": "=A test",
    "wait": 120,
}


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    """Three sites with agents, their ceremony done."""
    monkeypatch.setenv("CONSILIUM_LANGUAGE", "en")
    monkeypatch.setattr(
        members, "DatasetContributor", lambda site, _mailroom: KnownNumber(100 * site.position, keys=site.key_directory)
    )
    found = Sites(tmp_path / "sites", FakeRelay())
    with found.running(1, 2, 3):
        for position in (1, 2, 3):
            found.call(position, "test.ready")
        yield found


def test_an_answer_is_saved(sites: Sites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = sites.call(1, "query.run", ASKED)
    profile = ["--profile", str(sites.directories[0])]

    def export(name: str, *options: str) -> int:
        return main(["query", "export", asked["id"][:10], "--to", str(tmp_path / name), *options, *profile])

    assert export("answer.csv", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["bytes"]) == ("csv", (tmp_path / "answer.csv").stat().st_size)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "answer.csv").read_text("utf-8"), newline=""))
    assert int(row["released"]) == asked["answer"]["count"]
    assert (row["federation"], row["asker"], row["purpose"]) == ("Tests", "Site 1", "'=A test")

    assert export("answer.pdf", "--language", "de") == 0
    assert (tmp_path / "answer.pdf").read_bytes().startswith(b"%PDF")
    assert "Saved: " in capsys.readouterr().out

    assert export("answer.csv") == 1
    assert "There is a file" in capsys.readouterr().err
    assert export("answer.csv", "--replace", "--format", "bundle") == 0
    assert (tmp_path / "answer.csv").read_bytes().startswith(b"PK")
    assert export("answer.doc") == 1
    assert export("answer.csv", "--language", "it") == 2
    assert export("answer.csv", "--interval", "wide") == 2
    assert export("figure.svg", "--interval", "greenwood", "--hide", "a", "--hide", "b", "--shares") == 0
