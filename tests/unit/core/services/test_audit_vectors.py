"""What programs have written of the audit trail keeps being read, and is still written alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core import codec
from app.core.federation.audit_heads import HEAD, MESSAGE_TYPES
from app.core.services.audit import verify_file
from app.core.store.audit import walked
from tests.federation_sites import make_roster, root_of
from tests.vectors.make_audit_vectors import DIRECTORY, FILES, rows


@pytest.mark.parametrize("name", FILES)
def test_the_same_is_written_today(name: str) -> None:
    assert FILES[name]() == (DIRECTORY / name).read_bytes()


@pytest.mark.parametrize("name", ["trail-v1.csv", "trail-v1.json"])
def test_an_export_of_then_is_verified_today(name: str, tmp_path: Path) -> None:
    found = verify_file(DIRECTORY / name)
    assert (found.verified.ok, found.verified.records, found.site) == (True, 4, "Lausanne")
    assert found.verified.hash == rows()[-1].hash
    altered = (DIRECTORY / name).read_bytes().replace(b"1/2", b"1/3", 1)
    (tmp_path / name).write_bytes(altered)
    assert [each.code for each in verify_file(tmp_path / name).verified.problems] == ["audit.export_differs"]


def test_a_head_of_then_leads_where_it_led() -> None:
    roster = make_roster([root_of(position) for position in (1, 2)], 2)
    told = MESSAGE_TYPES[HEAD](codec.decode((DIRECTORY / "head-v1.cbor").read_bytes(), 1 << 12), roster)
    assert walked(rows()[1].hash, told.steps) == told.hash == rows()[-1].hash
    assert [(each.position, each.number) for each in told.held] == [(1, 3)]
