"""Whatever is done to a clinical export, it is staged or refused with the name of a file; it never crashes or hangs."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.errors import UserError
from app.core.preparation.sources.source import Format
from tests.clinical_extracts import people, write_bulk, write_bundle, write_cbioportal, write_i2b2, write_omop
from tests.clinical_staging import staging

WRITERS: dict[str, tuple[Format, Callable[[Path], None]]] = {
    "omop": (Format.OMOP, lambda path: write_omop(path, people(6))),
    "i2b2": (Format.I2B2, lambda path: write_i2b2(path, people(6))),
    "bulk": (Format.FHIR, lambda path: write_bulk(path, people(6))),
    "cbioportal": (Format.CBIOPORTAL, lambda path: write_cbioportal(path, list(people(6)))),
}
SPLICES = (
    *(b"", b"\0", b'"', b"\\N", b"\r", b"\n\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b",", b"\t", b";", b"#", b"{"),
    *(b"[" * 3_000, b"NaN", b"null", b"9" * 5_000, b"1e999999999", b"\\ud800", b"\\u0000", b"x" * 200_000),
    *(b"infinity", b"epoch", b"-0", b"=1+1", b"2020-02-30", b"01/02/03", b"urn:uuid:", b"#contained"),
)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("exports")
    for name, (_, write) in WRITERS.items():
        write(place / name)
    (place / "bundle").mkdir()
    write_bundle(place / "bundle" / "bundle.json", people(6))
    return place


def spoil(path: Path, source: random.Random) -> None:
    """Do something to a file that networks, disks, spreadsheets and enemies do."""
    data = path.read_bytes()
    for _ in range(source.randrange(1, 4)):
        at, length = source.randrange(len(data) + 1), source.choice((0, 1, 5, 50))
        match source.randrange(6):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + source.choice(SPLICES) + data[at + length :]
            case 2:
                data = data.decode("latin-1").encode("utf-16")
            case 3:
                lines = data.split(b"\n")
                source.shuffle(lines)
                data = b"\n".join(lines)
            case 4:
                words = data.split(b",")
                one, two = source.randrange(len(words)), source.randrange(len(words))
                words[one], words[two] = words[two], words[one]
                data = b",".join(words)
            case _:
                data = data[:at] + data[source.randrange(len(data) + 1) :]
    path.write_bytes(data)


@pytest.mark.parametrize("name", [*WRITERS, "bundle"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_spoiled_export_is_staged_or_refused(name: str, seed: int, exports: Path, tmp_path: Path) -> None:
    kind = WRITERS[name][0] if name in WRITERS else Format.FHIR
    folder = tmp_path / "spoiled"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exports / name, folder)
    source = random.Random(seed)
    spoil(source.choice(sorted(folder.iterdir())), source)
    refused: UserError | None = None
    try:
        with staging(kind, folder) as look:
            for table in look.staged.tables:
                assert look.one(f'SELECT count(*) FROM src."{table.name}"') == table.rows  # noqa: S608 - a test
                assert look.one(f'SELECT count(*) FROM src."{table.name}" WHERE _row IS NULL') == 0  # noqa: S608
    except UserError as error:
        refused = error
    files = {"spoiled", *(path.name for path in folder.iterdir())}
    assert refused is None or refused.params["file"] in files
