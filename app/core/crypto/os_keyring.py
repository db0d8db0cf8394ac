"""The keyring of the operating system, through ``keyring``, for 32-byte secrets.

Format: service ``consilium``, user name = the secret's name, password = base64 of the 32 bytes.

``keyring`` accepts any backend that is installed or configured, also one that keeps passwords in clear or nowhere. Here
the backend is known by its very class (a subclass may do anything) or it is refused.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from keyring import core
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, Windows, chainer, fail, kwallet, libsecret, macOS
from keyring.errors import InitError, KeyringLocked, NoKeyringError, PasswordSetError

from app.core.crypto.secret_store import SECRET_BYTES, SecretStore, StoreKind, check_entry
from app.core.errors import ConsiliumError, EnvironmentProblem
from app.core.secret import SecretBytes

SERVICE = "consilium"
UNLOCK_SECONDS = 120.0
"""How long a person has to answer the system's own dialogue that unlocks the keyring."""

_KINDS: dict[type[KeyringBackend], StoreKind] = {
    SecretService.Keyring: "secret-service",
    libsecret.Keyring: "secret-service",
    kwallet.DBusKeyring: "kwallet",
    kwallet.DBusKeyringKWallet4: "kwallet",
    Windows.WinVaultKeyring: "windows",
    macOS.Keyring: "macos",
}


def open_keyring(
    backend: KeyringBackend | None = None, service: str = SERVICE, unlock_seconds: float = UNLOCK_SECONDS
) -> SecretStore:
    """Return the keyring as a store, after checking that it keeps secrets and is unlocked.

    ``backend`` is the one configured for the ``keyring`` library (environment, file) or, without such a choice, the
    best of those known here. A locked Secret Service asks its user to unlock it and waits ``unlock_seconds``.

    Raises EnvironmentProblem ``keyring.absent`` (none, or no session bus), ``keyring.unsuitable`` (one that we do not
    know to protect secrets), ``keyring.locked``, ``keyring.not_kept`` (forgets at logout), ``keyring.failed``.
    """
    with _problems():
        known = _known(_configured() if backend is None else backend)
        kind = _KINDS[type(known)]
        if isinstance(known, Windows.WinVaultKeyring):
            known.persist = "local machine"  # its default roams with the user's profile to other machines
    store = _Keyring(known, kind, service, unlock_seconds)
    store.unlock()
    return store


class _Keyring:
    def __init__(self, backend: KeyringBackend, kind: StoreKind, service: str, unlock_seconds: float) -> None:
        self.kind: StoreKind = kind
        self.description = _name(backend)
        self._backend = backend
        self._service = service
        self._unlock_seconds = unlock_seconds

    def unlock(self) -> None:
        """Have the keyring unlocked by its user where the system lets us see that it is locked."""
        with _problems():
            if self.kind == "secret-service":
                _unlock_secret_service(self._unlock_seconds)

    def get(self, name: str) -> SecretBytes | None:
        self.unlock()
        with _problems():
            text = self._backend.get_password(self._service, name)
        return None if text is None else _from_text(text)

    def put(self, name: str, secret: SecretBytes) -> None:
        check_entry(name, secret)
        self.unlock()
        with _problems():
            self._backend.set_password(self._service, name, base64.b64encode(secret.reveal()).decode())
        if self.get(name) != secret:
            raise EnvironmentProblem("keyring.not_stored")

    def delete(self, name: str) -> None:
        if self.get(name) is not None:
            with _problems():
                self._backend.delete_password(self._service, name)


def _configured() -> KeyringBackend:
    """Return the backend that was chosen on purpose, else the best known one that works here.

    ``keyring.get_keyring()`` is not asked: it considers every installed backend, and remembers for the life of the
    process that there was no bus when it first looked.
    """
    chosen = os.environ.get("PYTHON_KEYRING_BACKEND", "keyringrc.cfg")
    try:
        if (backend := core.load_env() or core.load_config()) is not None:
            return backend
    except RuntimeError as error:  # known, but it says that it cannot work here
        raise NoKeyringError from error
    except (ImportError, AttributeError, ValueError) as error:
        raise EnvironmentProblem("keyring.unsuitable", backend=chosen) from error
    viable = [kind for kind in _KINDS if kind.viable]
    if not viable:
        raise NoKeyringError
    return max(viable, key=_priority)()


def _known(backend: KeyringBackend) -> KeyringBackend:
    """Return ``backend``, or the first of a chain, that we know to protect secrets."""
    chain = backend.backends if type(backend) is chainer.ChainerBackend else [backend]
    for candidate in chain:
        if type(candidate) in _KINDS:
            return candidate
    if all(type(candidate) is fail.Keyring for candidate in chain):
        raise NoKeyringError
    raise EnvironmentProblem("keyring.unsuitable", backend=_name(backend))


def _unlock_secret_service(seconds: float) -> None:
    """Unlock the default collection, with the desktop's dialogue if need be, or raise.

    ``keyring`` would wait for the dialogue without end, and leave its connection open when it is dismissed.
    """
    import secretstorage  # noqa: PLC0415  (installed on Linux only)
    from secretstorage.collection import SESSION_COLLECTION  # noqa: PLC0415

    try:
        with closing(secretstorage.dbus_init()) as connection:
            collection = secretstorage.get_default_collection(connection)
            if collection.is_locked() and (collection.unlock(timeout=seconds) or collection.is_locked()):
                raise KeyringLocked
            default = secretstorage.get_collection_by_alias(connection, "default")
            if default.collection_path == SESSION_COLLECTION:
                raise EnvironmentProblem("keyring.not_kept")
    except (secretstorage.LockedException, secretstorage.PromptDismissedException, TimeoutError) as error:
        raise KeyringLocked from error
    except (secretstorage.SecretServiceNotAvailableException, OSError) as error:
        raise NoKeyringError from error


@contextmanager
def _problems() -> Iterator[None]:
    """Turn what a keyring raises into our errors; of an unknown one only the class is told, its text may quote."""
    try:
        yield
    except ConsiliumError:
        raise
    except (KeyringLocked, InitError) as error:
        raise EnvironmentProblem("keyring.locked") from error
    except NoKeyringError as error:
        raise EnvironmentProblem("keyring.absent") from error
    except PasswordSetError as error:
        raise EnvironmentProblem("keyring.not_stored") from error
    except Exception as error:  # each system's library has its own, unrelated classes
        raise EnvironmentProblem("keyring.failed", reason=type(error).__name__) from error


def _from_text(text: str) -> SecretBytes:
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = b""
    if len(value) != SECRET_BYTES:
        raise EnvironmentProblem("keyring.damaged")
    return SecretBytes(value)


def _name(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def _priority(kind: type[KeyringBackend]) -> float:
    return float(kind.priority)
