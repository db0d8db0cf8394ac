"""Which files are chosen, and what their sources are called."""

import sys
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.jobs.job import Job
from app.core.preparation.sources.source import Format, Settings
from app.core.services.staged_sources import chosen_sources, found_settings, staged


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (["patients.csv"], ["patients"]),
        (["export 2024-Q3.csv"], ["export_2024_Q3"]),
        (["2024.csv"], ["source_2024"]),
        (["a/x.csv", "b/x.csv", "c/X.csv"], ["x", "x_2", "X_3"]),
        (["labs=a.csv", "labs=b.csv"], ["labs"]),
        (["Größe.csv"], ["Gr_e"]),
        (["not a name=x.csv"], ["not_a_name_x"]),
        (["ü.csv"], ["source"]),
        (["temp.csv", "main=b.csv", "staged.csv"], ["source_temp", "main_b", "source_staged"]),
    ],
)
def test_a_source_has_a_name_that_a_mapping_can_use(chosen: list[str], names: list[str]) -> None:
    assert list(chosen_sources(chosen)) == names


def test_files_of_one_name_belong_together_and_a_file_with_a_sign_of_equality_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.csv").touch()
    assert chosen_sources(["labs=a.csv", "labs=b.csv"]) == {"labs": (Path("a.csv"), Path("b.csv"))}
    assert chosen_sources(["a=b.csv"]) == {"a_b": (Path("a=b.csv"),)}


def test_nothing_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="preparing.no_sources"), staged({}, Job()):
        pass
    missing = {"x": Settings(Format.CSV, (tmp_path / "none.csv",))}
    with pytest.raises(EnvironmentProblem, match="file.not_found"), staged(missing, Job()):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX devices")
def test_what_never_ends_is_no_file() -> None:
    endless = Settings(Format.CSV, (Path("/dev/zero"),))
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"), staged({"a": endless}, Job()):
        pytest.fail("it was staged")
    with pytest.raises(EnvironmentProblem, match=r"file\.not_found"):
        found_settings([Path("/dev/zero")])
