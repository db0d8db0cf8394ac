"""The keys command: what it prints, what it never prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import keys as cli
from app.core import codec
from app.core.crypto import passphrase, vault
from app.core.crypto.recovery import make_words
from app.core.errors import UserError
from app.core.fields import Fields
from app.core.jobs.job import Job
from app.core.secret import SecretBytes
from app.core.services import keys as service
from app.core.services.commands import Context, Values, find, pack, unpack
from tests.fake_profile import CHEAP, FakeProfile

ROOT = SecretBytes(bytes(range(32)))
WORDS = make_words(ROOT, b"\xaa" * 32).words
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def profile(tmp_path: Path) -> FakeProfile:
    return FakeProfile(tmp_path, ROOT)


@pytest.fixture
def run(profile: FakeProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    class Here:
        """Runs commands on the pretended profile."""

        def call(self, name: str, values: Mapping[str, Any] | None = None) -> Any:
            owner = SimpleNamespace(profile=profile)
            packed = codec.decode(codec.encode(pack(values or {})), 1 << 20)  # as the socket carries it
            given = Values(unpack(Fields(packed, "owner.malformed")))
            return find(name).function(Context(owner, Job()), given)  # type: ignore[arg-type]

    @contextmanager
    def connect(path: Path) -> Iterator[Here]:
        assert path == tmp_path / "profile"
        yield Here()

    monkeypatch.setattr(cli, "_connect", connect)
    monkeypatch.delenv("CONSILIUM_PASSPHRASE_FILE", raising=False)

    def invoke(*arguments: object, typed: str = "") -> tuple[int, str, str]:
        command = [str(each) for each in arguments]
        command[1:1] = ["--profile", str(tmp_path / "profile")]
        result = CliRunner().invoke(cli.keys, command, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return invoke


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    path = tmp_path / "phrase"
    path.write_text("correct horse battery\n")
    return path


def test_status_in_words_and_as_json(run: Run, profile: FakeProfile) -> None:
    code, out, _ = run("status")
    assert code == 0
    assert "North" in out
    assert "There is no backup yet" in out
    profile.record_backup("file", 1_700_000_000_000)
    code, out, _ = run("status", "--json")
    value = json.loads(out)
    assert code == 0
    assert (value["state"], value["site"], value["backed_up"]) == ("ready", "North", True)
    assert value["backups"] == [{"kind": "file", "time": 1_700_000_000_000}]
    assert "backup file, 2023-11-1" in run("status")[1]


def test_a_sheet_is_written_and_its_words_restore(run: Run, profile: FakeProfile, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    code, out, err = run("backup", "--sheet", sheet, "--json")
    assert (code, json.loads(out)) == (0, {"kind": "sheet", "path": str(sheet)})
    assert not any(f" {word} " in f" {out} {err} " for word in WORDS)
    assert all(f"<li>{word}</li>" in sheet.read_text("utf-8") for word in WORDS)
    profile.secrets.delete(profile.profile_id)
    words = tmp_path / "words"
    words.write_text("\n".join(WORDS))
    assert json.loads(run("restore", "--words-file", words, "--check", "--json")[1])["restored"] is False
    assert profile.secrets.get(profile.profile_id) is None
    code, out, _ = run("restore", "--words-file", words, "--json")
    assert json.loads(out) == {
        "verdict": "right",
        "restored": True,
        "root_was_there": False,
        "material_restored": [],
        "material_kept": [],
    }
    assert profile.secrets.get(profile.profile_id) == ROOT


def test_a_sheet_can_be_shown(run: Run, profile: FakeProfile) -> None:
    code, out, _ = run("backup", "--sheet", "-")
    assert code == 0
    assert all(word in out for word in WORDS)
    assert [kind for _, kind in profile.made] == ["sheet"]


def test_words_are_typed_on_several_lines(run: Run, profile: FakeProfile) -> None:
    profile.secrets.delete(profile.profile_id)
    lines = "\n".join(" ".join(WORDS[start : start + 10]) for start in (0, 10, 20)) + "\n"
    code, out, err = run("restore", typed=lines)
    assert code == 0
    assert out.endswith("This site’s key is back in its place.\n")  # the runner shows what is typed before it
    assert "20 of 30" in err
    assert profile.secrets.get(profile.profile_id) == ROOT


@pytest.mark.usefixtures("cheap")
def test_a_backup_file_and_back(run: Run, profile: FakeProfile, tmp_path: Path, phrase: Path) -> None:
    file = tmp_path / "backup"
    code, out, _ = run("backup", "--file", file, "--passphrase-file", phrase)
    assert (code, str(file) in out) == (0, True)
    profile.secrets.delete(profile.profile_id)
    profile.material = {"dealt share": b"newer"}
    code, out, _ = run("restore", "--file", file, "--passphrase-file", phrase)
    assert code == 0
    assert "Key material restored: 1." in out
    assert "--replace" in out
    code, out, _ = run("restore", "--file", file, "--passphrase-file", phrase, "--replace", "--json")
    assert json.loads(out)["material_restored"] == ["dealt share"]


@pytest.mark.usefixtures("cheap")
def test_the_passphrase_is_typed_twice_or_named_by_the_environment(
    run: Run, tmp_path: Path, phrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "correct horse battery\n"
    code, out, err = run("backup", "--file", tmp_path / "one", typed=typed * 2)
    assert code == 0
    assert "correct horse" not in out + err
    assert run("restore", "--file", tmp_path / "one", "--check", typed=typed)[0] == 0
    monkeypatch.setenv("CONSILIUM_PASSPHRASE_FILE", str(phrase))
    assert run("restore", "--file", tmp_path / "one", "--check")[0] == 0


def test_a_short_passphrase_is_refused_before_anything_is_written(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"passphrase\.too_short"):
        run("backup", "--file", tmp_path / "one", typed="short\nshort\n")
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup"],
        ["backup", "--sheet", "a", "--file", "b"],
        ["backup", "--sheet", "-", "--json"],
        ["restore", "--words-file", "a", "--file", "b"],
        ["backup", "--passphrase", "secret"],
    ],
)
def test_wrong_usage_is_two(run: Run, arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


def test_no_option_takes_a_secret() -> None:
    group = typer.main.get_command(cli.keys)
    options = {name for command in group.commands.values() for each in command.params for name in each.opts}  # type: ignore[attr-defined]
    assert options == {
        "--profile",
        "--json",
        "--sheet",
        "--file",
        "--passphrase-file",
        "--words-file",
        "--check",
        "--replace",
    }


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare these tests the cost of a real passphrase."""
    save = service.save_backup
    monkeypatch.setattr(service, "save_backup", lambda *args, **named: save(*args, **{**named, "cost": CHEAP}))
    assert passphrase.STANDARD_COST is vault.STANDARD_COST is not CHEAP
