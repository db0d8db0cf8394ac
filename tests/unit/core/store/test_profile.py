import stat
import sys
from pathlib import Path

import pytest

from app.core.errors import EnvironmentProblem, UserError
from app.core.store.profile import Profile


def test_create_open_and_refuse_a_second(tmp_path: Path) -> None:
    place = tmp_path / "a" / "profile"
    with Profile.create(place, program="test", now=1) as profile:
        identity = profile.id
        assert len(bytes.fromhex(identity)) == 16
        with pytest.raises(EnvironmentProblem, match=r"profile\.in_use"):
            Profile.open(place, program="test", now=2)
    with pytest.raises(UserError, match=r"profile\.exists"):
        Profile.create(place, program="test", now=3)
    with Profile.open(place, program="test", now=4) as profile:
        assert profile.id == identity
        assert profile.previous_owner is None
    profile.close()
    if sys.platform != "win32":
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_what_is_not_a_profile(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"profile\.not_found"):
        Profile.open(tmp_path, program="test", now=1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "site.db").touch()
    with pytest.raises(EnvironmentProblem, match=r"profile\.not_found"):
        Profile.open(tmp_path, program="test", now=1)
    with Profile.create(tmp_path, program="test", now=1, id="chosen") as profile:  # a creation that was cut off
        assert profile.id == "chosen"


def test_leftovers_are_removed_at_opening_but_not_what_is_under_way(tmp_path: Path) -> None:
    with Profile.create(tmp_path, program="test", now=1) as profile:
        profile.imports.begin(b"\1" * 16, manifest_hash=b"m", now=1)
        profile.partial_path(b"\1" * 16).touch()
        profile.partial_path(b"\2" * 16).touch()
        profile.dataset_path(b"\3" * 16).touch()
    with Profile.open(tmp_path, program="test", now=2) as profile:
        assert [path.name for path in profile.dataset_directory.iterdir()] == [f"{'01' * 16}.part"]
