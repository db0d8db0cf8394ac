"""The operating system's keyring: a real Secret Service here; Windows and macOS through their own backend classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, Windows, chainer, fail, macOS, null
from keyring.errors import InitError, NoKeyringError

from app.core.crypto.os_keyring import open_keyring
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.errors import Bug, EnvironmentProblem
from app.core.secret import SecretBytes

linux = pytest.mark.skipif(sys.platform != "linux", reason="Secret Service is Linux's")
SECRET = SecretBytes(bytes(range(32)))
OTHER = SecretBytes(b"\1" * 32)


def problem(backend: KeyringBackend | None = None) -> EnvironmentProblem:
    with pytest.raises(EnvironmentProblem) as refused:
        open_keyring(backend)
    return refused.value


@pytest.fixture
def own_service() -> Iterator[PrivateSecretService]:
    """A Secret Service that this test may spoil."""
    with PrivateSecretService() as service, service.in_use():
        yield service


@linux
class TestSecretService:
    @pytest.mark.usefixtures("secret_service")
    def test_secrets_are_kept_replaced_and_forgotten(self) -> None:
        store = open_keyring(service="consilium test")
        assert (store.kind, store.description) == ("secret-service", "keyring.backends.SecretService.Keyring")
        assert store.get("profile 1") is None
        store.put("profile 1", SECRET)
        store.put("profile 2", OTHER)
        assert open_keyring(service="consilium test").get("profile 1") == SECRET
        assert open_keyring(service="another").get("profile 1") is None
        store.put("profile 1", OTHER)
        assert store.get("profile 1") == OTHER
        store.delete("profile 1")
        store.delete("profile 1")
        assert store.get("profile 1") is None
        assert store.get("profile 2") == OTHER

    @pytest.mark.usefixtures("secret_service")
    def test_it_lies_there_as_base64_text(self) -> None:
        open_keyring().put("format", SECRET)
        text = SecretService.Keyring().get_password("consilium", "format")
        assert text == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    @pytest.mark.usefixtures("secret_service")
    @pytest.mark.parametrize("text", ["", "AAEC", "not base64!", "é" * 44, "A" * 88])
    def test_what_is_no_key_is_not_taken_for_one(self, text: str) -> None:
        SecretService.Keyring().set_password("consilium", "spoilt", text)
        with pytest.raises(EnvironmentProblem, match=r"keyring\.damaged") as refused:
            open_keyring().get("spoilt")
        assert not text or text not in str(refused.value)

    @pytest.mark.usefixtures("secret_service")
    def test_only_secrets_of_32_bytes_are_taken(self) -> None:
        with pytest.raises(Bug):
            open_keyring().put("profile", SecretBytes(b"short"))

    @pytest.mark.usefixtures("own_service")
    def test_a_locked_one_is_said_at_start_and_later(self) -> None:
        import secretstorage

        store = open_keyring()
        store.put("profile", SECRET)
        with closing(secretstorage.dbus_init()) as connection:
            secretstorage.get_default_collection(connection).lock()
        assert problem().code == "keyring.locked"
        for action in (
            lambda: store.get("profile"),
            lambda: store.put("profile", OTHER),
            lambda: store.delete("profile"),
        ):
            with pytest.raises(EnvironmentProblem, match=r"keyring\.locked"):
                action()

    @pytest.mark.usefixtures("own_service")
    def test_one_that_forgets_at_logout_is_refused(self) -> None:
        import secretstorage
        from secretstorage.collection import SERVICE_IFACE, SESSION_COLLECTION
        from secretstorage.defines import SS_PATH
        from secretstorage.util import DBusAddressWrapper

        with closing(secretstorage.dbus_init()) as connection:
            service = DBusAddressWrapper(SS_PATH, SERVICE_IFACE, connection)
            service.call("SetAlias", "so", "default", SESSION_COLLECTION)
        assert problem().code == "keyring.not_kept"

    def test_one_that_went_away_is_absent(self) -> None:
        with PrivateSecretService() as service, service.in_use():
            store = open_keyring()
            store.put("profile", SECRET)
            service.__exit__(None, None, None)
            with pytest.raises(EnvironmentProblem, match=r"keyring\.absent"):
                store.get("profile")
            assert problem().code == "keyring.absent"

    def test_without_a_bus_there_is_none_and_later_there_may_be(self, secret_service: PrivateSecretService) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/consilium-no-bus")
            assert problem().code == "keyring.absent"
        assert open_keyring().kind == "secret-service"


class Plaintext(fail.Keyring):
    """A third party's backend that writes passwords into a file."""


class Improved(SecretService.Keyring):
    """A subclass of a known backend may do anything."""


@pytest.mark.parametrize("backend", [null.Keyring(), Plaintext(), Improved()])
def test_an_unknown_backend_is_refused_by_its_class(backend: KeyringBackend) -> None:
    refused = problem(backend)
    assert refused.code == "keyring.unsuitable"
    assert str(refused.params["backend"]).endswith(type(backend).__qualname__)


def test_no_backend_is_absent() -> None:
    assert problem(fail.Keyring()).code == "keyring.absent"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("keyring.backends.fail.Keyring", "keyring.absent"),
        ("keyring.backends.null.Keyring", "keyring.unsuitable"),
        ("keyrings.no_such_module.Keyring", "keyring.unsuitable"),
        ("keyring.backends.null.NoSuchClass", "keyring.unsuitable"),
        ("Keyring", "keyring.unsuitable"),
    ],
)
def test_a_backend_chosen_on_purpose_is_never_passed_over(
    name: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    assert problem().code == code


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        ([], "keyring.absent"),
        ([fail.Keyring()], "keyring.absent"),
        ([null.Keyring()], "keyring.unsuitable"),
        ([Plaintext(), fail.Keyring()], "keyring.unsuitable"),
    ],
)
def test_a_chain_that_leads_nowhere_is_refused(
    chain: list[KeyringBackend], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", chain)
    assert problem(chainer.ChainerBackend()).code == code


class Vault:
    """Windows' Credential Manager, as much of it as the backend uses."""

    CRED_TYPE_GENERIC = 1
    CRED_PERSIST_SESSION = 1
    CRED_PERSIST_LOCAL_MACHINE = 2
    CRED_PERSIST_ENTERPRISE = 3

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.writes = True

    def CredWrite(self, credential: dict[str, Any], flags: int) -> None:
        if self.writes:
            blob = credential["CredentialBlob"].encode("utf-16")
            self.held[credential["TargetName"]] = {**credential, "CredentialBlob": blob}

    def CredRead(self, Type: int, TargetName: str) -> dict[str, Any]:
        if TargetName not in self.held:
            raise WindowsRefusal(1168, "CredRead")
        return self.held[TargetName]

    def CredDelete(self, Type: int, TargetName: str) -> None:
        del self.held[TargetName]


class WindowsRefusal(Exception):
    def __init__(self, winerror: int, funcname: str) -> None:
        super().__init__(winerror, funcname)
        self.winerror = winerror
        self.funcname = funcname


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Vault:
    vault = Vault()
    monkeypatch.setattr(Windows, "win32cred", vault, raising=False)
    monkeypatch.setattr(Windows, "pywintypes", SimpleNamespace(error=WindowsRefusal), raising=False)
    return vault


def test_on_windows_a_secret_stays_on_the_machine(windows: Vault) -> None:
    store = open_keyring(Windows.WinVaultKeyring())
    store.put("profile 1", SECRET)
    store.put("profile 2", OTHER)
    store.put("profile 1", SECRET)
    assert (store.kind, store.get("profile 1"), store.get("profile 2")) == ("windows", SECRET, OTHER)
    assert {each["Persist"] for each in windows.held.values()} == {Vault.CRED_PERSIST_LOCAL_MACHINE}
    assert all(len(each["CredentialBlob"]) < 2560 for each in windows.held.values())
    store.delete("profile 1")
    assert (store.get("profile 1"), store.get("profile 2")) == (None, OTHER)


def test_a_vault_that_keeps_nothing_is_noticed(windows: Vault) -> None:
    store = open_keyring(Windows.WinVaultKeyring())
    windows.writes = False
    with pytest.raises(EnvironmentProblem, match=r"keyring\.not_stored"):
        store.put("profile", SECRET)


def test_a_vault_that_fails_is_named_without_what_it_says(windows: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WindowsRefusal(5, "the secret itself")

    monkeypatch.setattr(windows, "CredRead", refuse)
    with pytest.raises(EnvironmentProblem) as refused:
        open_keyring(Windows.WinVaultKeyring()).get("profile")
    assert (refused.value.code, refused.value.params) == ("keyring.failed", {"reason": "WindowsRefusal"})


class Keychain:
    """The macOS keychain, as much of it as the backend uses."""

    class Error(Exception): ...

    class NotFound(Error): ...

    class KeychainDenied(Error): ...

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.refuses: type[Exception] | None = None

    def set_generic_password(self, _: object, service: str, name: str, password: str) -> None:
        if self.refuses:
            raise self.refuses
        self.held[service, name] = password

    def find_generic_password(self, _: object, service: str, name: str) -> str:
        if (service, name) not in self.held:
            raise self.NotFound
        return self.held[service, name]

    def delete_generic_password(self, _: object, service: str, name: str) -> None:
        del self.held[service, name]


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> Keychain:
    keychain = Keychain()
    monkeypatch.setattr(macOS, "api", keychain, raising=False)
    return keychain


@pytest.mark.usefixtures("keychain")
def test_on_macos_the_keychain_is_used() -> None:
    store = open_keyring(macOS.Keyring())
    store.put("profile", SECRET)
    assert (store.kind, store.get("profile")) == ("macos", SECRET)
    store.delete("profile")
    assert store.get("profile") is None


@pytest.mark.parametrize(
    ("refusal", "code"), [(Keychain.Error, "keyring.not_stored"), (Keychain.KeychainDenied, "keyring.locked")]
)
def test_a_keychain_that_refuses_to_store_says_so(keychain: Keychain, refusal: type[Exception], code: str) -> None:
    store = open_keyring(macOS.Keyring())
    keychain.refuses = refusal
    with pytest.raises(EnvironmentProblem) as refused:
        store.put("profile", SECRET)
    assert refused.value.code == code


def test_a_chain_is_shortened_to_the_first_keyring_that_protects(
    keychain: Keychain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [Plaintext(), macOS.Keyring()])
    store = open_keyring(chainer.ChainerBackend())
    store.put("profile", SECRET)
    assert (store.kind, len(keychain.held)) == ("macos", 1)


@pytest.mark.parametrize(("error", "code"), [(InitError, "keyring.locked"), (NoKeyringError, "keyring.absent")])
def test_what_the_library_raises_becomes_words(
    keychain: Keychain, monkeypatch: pytest.MonkeyPatch, error: type[Exception], code: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(keychain, "find_generic_password", refuse)
    with pytest.raises(EnvironmentProblem) as refused:
        open_keyring(macOS.Keyring()).get("profile")
    assert refused.value.code == code
