"""Where things lie: what ships with the program, and what belongs to the person at the computer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

import app
from app.core.errors import Bug

_NAME = "consilium"
_PACKAGE = Path(app.__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Return the path of a shipped resource, for example ``resource("translations")``.

    A wheel carries ``resources/`` inside the package; a checkout and a PyInstaller bundle carry it beside the
    package. Raises Bug if it is in neither place.
    """
    for root in (_PACKAGE / "resources", _PACKAGE.parent / "resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise Bug("house.resource_missing", name="/".join(parts))


def default_profile() -> Path:
    """Return the directory of the profile that is meant when none is named. It need not exist.

    Raises EnvironmentProblem ``managed.*`` if what IT has fixed cannot be read.
    """
    from app.core import settings  # noqa: PLC0415 - it asks here where its file is

    if (fixed := settings.current().folder("storage.profiles")) is not None:
        return fixed / "default"
    return platformdirs.user_data_path(_NAME, appauthor=False) / "profiles" / "default"


def preparer_key() -> Path:
    """Return the file of the preparer's key on a machine that keeps it under a passphrase. It need not exist."""
    return platformdirs.user_data_path(_NAME, appauthor=False) / "preparer.key"


def pretend_place() -> Path:
    """Return the directory in which the pretend hospitals live. It need not exist."""
    return platformdirs.user_data_path(_NAME, appauthor=False) / "pretend"


def trial_relay_place() -> Path:
    """Return the directory of the relay that a window runs for a trial. It need not exist."""
    return platformdirs.user_data_path(_NAME, appauthor=False) / "trial-relay"


def preparation_place() -> Path:
    """Return the directory in which preparations keep clear data while they run. It need not exist."""
    return platformdirs.user_cache_path(_NAME, appauthor=False) / "preparation"


def vocabularies() -> Path:
    """Return the directory of the vocabularies (ICD-10, ATC, …) on this computer. It need not exist."""
    return platformdirs.user_data_path(_NAME, appauthor=False) / "vocabularies"


def user_config() -> Path:
    """Return the directory of what the person at this computer prefers. It need not exist."""
    return platformdirs.user_config_path(_NAME, appauthor=False)


def preparing_place() -> Path:
    """Return the directory of what is kept while a dataset is being prepared in the window. It need not exist."""
    return platformdirs.user_state_path(_NAME, appauthor=False) / "preparing"


def managed_settings() -> Path:
    """Return the file in which the IT of this computer fixes settings for all its sites. It need not exist."""
    match sys.platform:
        case "win32":
            return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "Consilium" / "managed.toml"
        case "darwin":
            return Path("/Library/Application Support/Consilium/managed.toml")
        case _:
            return Path("/etc/consilium/managed.toml")


def profile_log(profile: Path) -> Path:
    """Return the directory of a profile's log files. It need not exist."""
    return profile / "logs"


def user_log() -> Path:
    """Return the directory of the log of commands that use no profile. It need not exist."""
    return platformdirs.user_log_path(_NAME, appauthor=False)
