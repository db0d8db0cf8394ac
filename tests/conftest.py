"""What all tests share: insecure but fast parameters, a home of their own, and a Secret Service of their own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import settings

from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost
from app.core.crypto.private_keyring import PrivateSecretService

# Before any module of the program asks: no test reads or writes what belongs to the person who runs the tests.
_HOME = tempfile.TemporaryDirectory(prefix="consilium-tests-", ignore_cleanup_errors=True)
_OUR_SOCKETS = os.path.join(tempfile.gettempdir(), "consilium-")
os.environ.update(
    CONSILIUM_ALLOW_INSECURE_TEST_PARAMETERS="yes",
    CONSILIUM_LANGUAGE="en",
    DBUS_SESSION_BUS_ADDRESS=f"unix:path={_HOME.name}/no-bus",
    XDG_CACHE_HOME=_HOME.name,
    XDG_CONFIG_HOME=_HOME.name,
    XDG_DATA_HOME=_HOME.name,
    XDG_STATE_HOME=_HOME.name,
)
if sys.platform != "linux":
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Stop any connection of this process to a message bus other than the tests' own (an audit hook)."""
    if event == "socket.connect" and isinstance(address := arguments[1], str | bytes):
        path = os.fsdecode(address)
        if "bus" in path and not path.startswith(_OUR_SOCKETS):
            raise RuntimeError(f"a test wanted to use the keyring of the person who runs it: {path}")


sys.addaudithook(_watch)

settings.register_profile("any machine", deadline=None)  # how long an example takes depends on what else runs
settings.load_profile("any machine")


_STANDARD_COST = replace(STANDARD_COST)
# A guess at a passphrase costs next to nothing here: profiles are made and opened many hundred times.
for name, least in (("memory", 32), ("passes", 1)):
    object.__setattr__(STANDARD_COST, name, least)


def pytest_unconfigure() -> None:
    _HOME.cleanup()


@pytest.fixture
def standard_cost() -> Argon2Cost:
    """What a guess at a passphrase costs outside of tests."""
    return _STANDARD_COST


@pytest.fixture(scope="session")
def _private_secret_service() -> Iterator[PrivateSecretService]:
    if sys.platform != "linux":
        pytest.skip("a private Secret Service can be started on Linux only")
    with PrivateSecretService() as service:  # on Linux a missing program fails the test: the bootstrap installs it
        yield service


@pytest.fixture
def secret_service(_private_secret_service: PrivateSecretService) -> Iterator[PrivateSecretService]:
    """A real, unlocked Secret Service on a bus of its own, in use by this process and those it starts."""
    with _private_secret_service.in_use():
        yield _private_secret_service
