"""What IT fixes of the program itself: read strictly, and obeyed where it matters."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import app
from app.cli.main import main
from app.core import paths
from app.core.disclosure.policy import FIELDS
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.federation.proxies import NONE, ProxySetting
from app.core.federation.trust import system_context
from app.core.managed import read_managed
from app.core.services.preparing import prepare
from app.core.services.profile import create_profile
from app.core.settings import MODES, STORES, TABLES, Settings, current, is_local
from app.texts import LANGUAGES, explain, use_language

INSTALLERS = Path(app.__file__).parents[1] / "installers"
RELAY, OTHER = "https://relay.hospital.example:8443", "https://relay.elsewhere.example"
KEY = "A" * 43 + "="
GOOD: dict[str, Any] = {
    "relay.address": RELAY,
    "network.proxy": "http://proxy.example:3128",
    "network.proxy_login": str(Path("/etc/consilium/login").absolute()),
    "network.ca_bundle": str(Path("/etc/ssl/hospital.pem").absolute()),
    "keyring.store": "system",
    "storage.profiles": "~/sites",
    **{f"modes.{mode}": False for mode in MODES},
    "updates.address": "https://hospital.example/manifest",
    "updates.key": KEY,
}

Fix = Callable[[str], Path]


@pytest.fixture
def fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fix:
    """Write the managed settings of this computer."""
    file = tmp_path / "managed.toml"
    monkeypatch.setattr(paths, "managed_settings", lambda: file)

    def write(words: str) -> Path:
        file.write_text(words, "utf-8")
        return file

    return write


def as_toml(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def test_every_key_is_read(fix: Fix) -> None:
    assert set(GOOD) == {f"{table}.{key}" for table, keys in TABLES.items() for key in keys}
    assert current().values == {}
    file = fix(as_toml(GOOD))
    assert current() == Settings(GOOD, str(file))
    assert read_managed(file).settings == current()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relay.address", "http://relay.example"),
        ("relay.address", "https://name:word@relay.example"),
        ("relay.address", 5),
        ("network.proxy", "socks5://proxy.example"),
        ("network.proxy", "http://name:word@proxy.example:3128"),
        ("network.proxy", "pac+proxy.example"),
        ("network.proxy_login", "login"),
        ("network.ca_bundle", ""),
        ("keyring.store", "file"),
        ("storage.profiles", "profiles"),
        ("modes.ask", "no"),
        ("modes.join", 0),
        ("updates.address", "ftp://hospital.example"),
        ("updates.key", "AAAA"),
        ("updates.key", "?" * 44),
    ],
)
def test_values_that_cannot_be_are_named(fix: Fix, name: str, value: object) -> None:
    table, key = name.split(".")
    file = fix(f"[{table}]\n\n{key} = {json.dumps(value)}\n")
    with pytest.raises(EnvironmentProblem) as caught:
        current()
    assert caught.value.code == "managed.bad_value"
    assert caught.value.params == {"file": str(file), "line": 3, "key": name}


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        ("[relay]\nadress = 'x'", "managed.unknown_key", "relay.adress"),
        ("[relays]", "managed.unknown_key", "relays"),
        ("modes = 3", "managed.bad_value", "modes"),
        ("[modes]\nanswer = false", "managed.unknown_key", "modes.answer"),
    ],
)
def test_what_means_nothing_is_refused(fix: Fix, words: str, code: str, key: str) -> None:
    fix(words)
    with pytest.raises(EnvironmentProblem) as caught:
        current()
    assert (caught.value.code, caught.value.params["key"]) == (code, key)


def test_the_schema_says_what_the_program_reads() -> None:
    schema = json.loads((INSTALLERS / "managed.schema.json").read_text("utf-8"))["properties"]
    assert set(schema) == {"version", "policy", *TABLES}
    assert set(schema["policy"]["properties"]) == set(FIELDS)
    for table, keys in TABLES.items():
        described = schema[table]
        assert described["additionalProperties"] is False
        assert set(described["properties"]) == set(keys)
        for key, about in described["properties"].items():
            good = GOOD[f"{table}.{key}"]
            assert about.get("type", "string") == ("boolean" if isinstance(good, bool) else "string")
    assert tuple(schema["keyring"]["properties"]["store"]["enum"]) == STORES


def test_the_example_is_valid_also_with_all_its_suggestions(fix: Fix) -> None:
    example = (INSTALLERS / "managed.toml").read_text("utf-8")
    found = read_managed(fix(example))
    assert found.settings.word("relay.address") == RELAY
    assert found.policy == {"min_patients": 500, "smallest": 5}
    suggested = "\n".join(line.removeprefix("# ") if " = " in line else line for line in example.splitlines())
    assert set(read_managed(fix(suggested)).settings.values) == set(GOOD)
    assert tomllib.loads(suggested)["version"] == 1


# --- what is obeyed -----------------------------------------------------------------------------------------------


def refused(work: Callable[[], object]) -> ConsiliumError:
    with pytest.raises(UserError) as caught:
        work()
    for language in LANGUAGES:
        use_language(language)
        assert "managed.toml" in explain(caught.value).what
    use_language(None)
    return caught.value


def test_another_relay_is_refused_but_for_this_computer_s_own(fix: Fix) -> None:
    fix(as_toml({"relay.address": RELAY}))
    current().require_relay(RELAY)
    current().require_relay(RELAY + "/")
    current().require_relay("https://127.0.0.1:8443")
    assert refused(lambda: current().require_relay(OTHER)).code == "managed.relay"


@pytest.mark.parametrize("mode", MODES)
def test_modes(fix: Fix, mode: str) -> None:
    current().require(mode, RELAY)
    fix(as_toml({f"modes.{mode}": False}))
    current().require(mode, "https://localhost:8443")
    for other in set(MODES) - {mode}:
        current().require(other, RELAY)
    assert refused(lambda: current().require(mode, RELAY)).code == f"managed.no_{mode}"


def test_preparing_is_refused_before_anything_is_read(fix: Fix, tmp_path: Path) -> None:
    fix(as_toml({"modes.prepare": False}))
    none = tmp_path / "none"
    found = refused(lambda: prepare(none, none, none, secrets=lambda: pytest.fail("asked for a key")))
    assert found.code == "managed.no_prepare"


def test_where_keys_are_kept(fix: Fix, tmp_path: Path) -> None:
    fix(as_toml({"keyring.store": "passphrase-file"}))
    found = refused(lambda: create_profile(tmp_path / "site", name="North", contact="somebody"))
    assert found.code == "managed.keyring.passphrase_file"
    assert not (tmp_path / "site").exists()


def test_where_sites_are_kept(fix: Fix, tmp_path: Path) -> None:
    fix(as_toml({"storage.profiles": str(tmp_path / "sites")}))
    assert paths.default_profile() == tmp_path / "sites" / "default"
    fix("[storage")
    with pytest.raises(EnvironmentProblem, match=r"managed\.not_toml"):
        paths.default_profile()


def test_the_proxy_and_its_login(fix: Fix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = tmp_path / "login"
    login.write_text("somebody:a word@home\n")
    fix(as_toml({"network.proxy": "http://proxy.example:3128", "network.proxy_login": str(login)}))
    assert ProxySetting(NONE).routes(RELAY) == ("http://somebody:a%20word%40home@proxy.example:3128",)
    assert ProxySetting(NONE).routes("https://127.0.0.1:1") == (None,)
    login.write_text("somebody")
    with pytest.raises(EnvironmentProblem) as caught:
        ProxySetting().routes(RELAY)
    assert (caught.value.code, caught.value.params["path"]) == ("managed.bad_login", str(login))
    (tmp_path / "consilium-proxy").write_text("service:word")  # a systemd credential goes first
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert ProxySetting().routes(RELAY) == ("http://service:word@proxy.example:3128",)


def test_authorities_that_cannot_be_read_are_named(fix: Fix, tmp_path: Path) -> None:
    bundle = tmp_path / "hospital.pem"
    fix(as_toml({"network.ca_bundle": str(bundle)}))
    for content in (None, "no certificate"):
        if content is not None:
            bundle.write_text(content)
        with pytest.raises(EnvironmentProblem) as caught:
            system_context()
        assert (caught.value.code, caught.value.params["path"]) == ("managed.ca_bundle", str(bundle))


@pytest.mark.parametrize(
    ("url", "local"),
    [("https://127.0.0.1:1", True), ("https://[::1]/", True), ("https://localhost", True), (RELAY, False), ("", False),
     ("https://localhost.example", False), ("https://127.0.0.1.example", False), ("https://[", False)],
)  # fmt: skip
def test_this_computer(url: str, local: bool) -> None:
    assert is_local(url) == local


def test_show(fix: Fix, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {}
    file = fix(as_toml(GOOD) + "[policy]\nsmallest = 11\n")
    assert main(["settings", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file), "place": str(file), "settings": GOOD, "policy": {"smallest": 11},
    }  # fmt: skip
    assert main(["settings", "show"]) == 0
    said = capsys.readouterr().out
    assert str(file) in said
    assert "relay.address = " + RELAY in said
    fix("[relay")
    assert main(["settings", "show"]) == 1
    assert str(file) in capsys.readouterr().err
