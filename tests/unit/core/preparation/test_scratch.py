"""Clear data that a killed preparation left is removed by what starts next, whatever it is."""

from __future__ import annotations

from pathlib import Path

from app.core.paths import preparation_place
from app.core.preparation.scratch import private_place, sweep, sweep_leftovers
from tests.killed_preparation import leave_clear_data


def test_what_a_killed_preparation_left_is_removed_and_what_lives_is_not() -> None:
    left = leave_clear_data()
    with private_place(preparation_place()) as living:
        assert not left.exists(), "removed by the next preparation"
        (living / "clear").write_text("still needed", "utf-8")
        left = leave_clear_data()
        sweep_leftovers()
        assert not left.exists()
        assert (living / "clear").read_text("utf-8") == "still needed"
    assert list(preparation_place().iterdir()) == []


def test_nothing_to_remove(tmp_path: Path) -> None:
    assert sweep(tmp_path / "never made") == 0
    sweep_leftovers()


def test_what_cannot_be_removed_stops_nobody_and_keeps_nothing_else(tmp_path: Path) -> None:
    for name in ("engine-1", "engine-3"):
        (tmp_path / name).mkdir()
    (tmp_path / "engine-2").write_text("no directory, which is not how a preparation leaves it")
    for number in (1, 2, 3):
        (tmp_path / f"engine-{number}.lock").touch()
    for removed in (2, 0):
        assert sweep(tmp_path) == removed
        assert {path.name for path in tmp_path.iterdir()} == {"engine-2", "engine-2.lock"}
    with private_place(tmp_path) as directory:
        assert directory.is_dir()
