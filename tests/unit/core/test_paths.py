from __future__ import annotations

from pathlib import Path

import pytest

from app.core import paths
from app.core.errors import Bug


def test_finds_what_is_shipped() -> None:
    assert (paths.resource("translations") / "house.en.toml").is_file()
    assert paths.resource("translations", "house.de.toml").is_file()


def test_says_what_is_missing() -> None:
    with pytest.raises(Bug, match=r"house\.resource_missing.*no/such"):
        paths.resource("no", "such")


def test_naming_a_directory_does_not_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for path in (paths.default_profile(), paths.user_log(), paths.profile_log(paths.default_profile())):
        assert path.is_absolute()
    assert not list(tmp_path.iterdir())
