"""A profile on disk without a federation."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.secret import SecretBytes
from app.core.services.profile import create_profile


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of a new profile, closed."""
    directory = tmp_path / "profile"
    create_profile(directory, name="North", contact="+41", passphrase=lambda: SecretBytes(b"correct horse")).close()
    return directory
