"""What changed since a mapping was last used; the file beside it is only a help, whatever is in it."""

from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.preparation.mapping import Format, Mapping, Source, VariableMapping
from app.core.preparation.mapping_changes import Seen, SeenTable, changes, read_seen, seen_path, write_seen

CATALOGUE = Catalogue("Test", 2, (Variable("a", Kind.FLAG, Label("A")), Variable("b", Kind.FLAG, Label("B"))))
MAPPING = Mapping(
    "m.toml",
    "A",
    {"p": Source(Format.CSV)},
    {"a": VariableMapping(column="x"), "old": VariableMapping(column="gone")},
    patients="p",
    catalogue="Test",
    catalogue_version=1,
)
BEFORE = Seen(
    {"p": ("q1.csv",)}, {"p": SeenTable(10, ("id", "x", "gone"), {"x": {"1": 4, "0": 6}}), "t": SeenTable(1, ())}
)
NOW = Seen({"p": ("q2.csv",)}, {"p": SeenTable(12, ("id", "x", "new"), {"x": {"1": 4, "2": 8}}), "u": SeenTable(1, ())})


def test_every_difference_is_told() -> None:
    found = [
        (each.code.removeprefix("preparing.change."), dict(each.params))
        for each in changes(MAPPING, CATALOGUE, BEFORE, NOW)
    ]
    assert found == [
        ("catalogue_version", {"before": 1, "now": 2}),
        ("variable_without", {"variable": "b"}),
        ("variable_gone", {"variable": "old"}),
        ("files", {"source": "p", "before": "q1.csv", "now": "q2.csv"}),
        ("rows", {"table": "p", "before": 10, "now": 12}),
        ("column_new", {"table": "p", "column": "new"}),
        ("column_gone", {"table": "p", "column": "gone"}),
        ("values_new", {"table": "p", "column": "x", "values": "2 (8)", "different": 1, "rows": 8}),
        ("values_gone", {"table": "p", "column": "x", "values": "0 (6)", "different": 1, "rows": 6}),
        ("table_new", {"table": "u"}),
        ("table_gone", {"table": "t"}),
        ("column_missing", {"table": "p", "column": "gone", "variable": "old"}),
    ]


def test_nothing_is_told_when_nothing_changed() -> None:
    same = Mapping("m.toml", "A", {"p": Source(Format.CSV)}, {}, patients="p")
    assert changes(same, CATALOGUE, NOW, NOW) == ()


def test_what_was_met_is_written_and_read(tmp_path: Path) -> None:
    path = seen_path(tmp_path / "m.toml")
    assert read_seen(path) is None
    write_seen(path, NOW)
    assert read_seen(path) == NOW


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "other", "version": 1}', b"\xff", b"[" * 100_000])
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert read_seen(path) is None
