"""A relay's backup: made while it runs and takes messages, and a relay made from it that delivers them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.main import main
from app.core.errors import ConsiliumError
from app.relay.backup import RESTORING, back_up, restore
from app.relay.blobs import BlobFiles
from tests.relay_server import People, RelayServer, found_federation, relay, running_relay

__all__ = ["relay"]


def refused(code: str) -> pytest.RaisesExc[ConsiliumError]:
    return pytest.RaisesExc(ConsiliumError, check=lambda error: error.code == code)


@pytest.fixture
def people(relay: RelayServer) -> People:
    return found_federation(relay, 2)


def published(people: People, tmp_path: Path, size: int = 100_000) -> tuple[bytes, bytes]:
    data = os.urandom(size)
    name = hashlib.sha256(data).digest()
    path = tmp_path / name.hex()
    path.write_bytes(data)
    people[1].publish(name, path)
    return name, data


def test_what_was_accepted_before_is_delivered_by_the_relay_that_is_restored(
    relay: RelayServer, people: People, tmp_path: Path
) -> None:
    """The backup is made under load; the relay and its folder are lost; sites go on with the keys and CA they have."""
    name, data = published(people, tmp_path)
    before = [people.message(1, (2,), os.urandom(500)) for _ in range(50)]
    for message in before:
        people[1].send(message)
    done, during = threading.Event(), list[bytes]()

    def load() -> None:
        while not done.is_set():
            message = people.message(1, (2,))
            people[1].send(message)
            during.append(message)

    thread = threading.Thread(target=load)
    thread.start()
    made = back_up(relay.directory, tmp_path / "backup", now=7)
    done.set()
    thread.join()
    assert made.messages >= 50
    assert made.blobs == 1

    relay.stop()
    os.rename(relay.directory, tmp_path / "lost")
    assert restore(tmp_path / "backup", relay.directory) == made
    relay.start()  # with the certificate that the sites trust
    arrived = [data for _, data in people[2].receive(0)]
    assert arrived[:50] == before
    assert arrived == (before + during)[: made.messages][: len(arrived)]
    assert b"".join(people[2].fetch(name, 1 << 20)) == data
    people[1].send(before[0])  # known still: sending twice is sending once
    people[1].send(people.message(1, (2,)))
    assert not (relay.directory / RESTORING).exists()


def test_as_commands(relay: RelayServer, people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people[1].send(people.message(1, (2,)))
    file, new = str(tmp_path / "backup"), str(tmp_path / "new")
    assert main(["relay", "backup", file, "--data", str(relay.directory), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["messages"], made["blobs"]) == (1, 0)
    assert main(["relay", "restore", file, "--data", new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == made
    assert main(["relay", "restore", file, "--data", new]) == 1
    assert "There is something in" in capsys.readouterr().err


def test_settings_and_keys_come_along_and_are_private(relay: RelayServer, tmp_path: Path) -> None:
    (relay.directory / "relay.toml").write_text("members = 5\n")
    os.chmod(relay.directory / "relay.toml", 0o600)
    back_up(relay.directory, tmp_path / "backup", now=1)
    restore(tmp_path / "backup", tmp_path / "new")
    for path in [*(relay.directory / "tls").iterdir(), relay.directory / "relay.toml"]:
        copy = tmp_path / "new" / path.relative_to(relay.directory)
        assert copy.read_bytes() == path.read_bytes()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600


def test_a_blob_withdrawn_during_the_backup_is_left_out(
    relay: RelayServer, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = published(people, tmp_path)
    kept, data = published(people, tmp_path)
    real = BlobFiles.path

    def withdrawn_just_now(self: BlobFiles, blob: object) -> Path:
        monkeypatch.setattr(BlobFiles, "path", real)
        people[1].withdraw(name)
        return real(self, blob)  # type: ignore[arg-type]

    monkeypatch.setattr(BlobFiles, "path", withdrawn_just_now)
    made = back_up(relay.directory, tmp_path / "backup", now=1)
    assert made.blobs == 1
    restore(tmp_path / "backup", tmp_path / "new")
    relay.stop()
    os.rename(tmp_path / "new", tmp_path / "relay 2")
    relay.directory = tmp_path / "relay 2"
    relay.start()
    assert people[1]._offered(name) == 0
    assert b"".join(people[2].fetch(kept, 1 << 20)) == data


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"x" * path.stat().st_size)])
def test_a_lost_or_altered_blob_stops_the_backup(
    relay: RelayServer, people: People, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    published(people, tmp_path)
    (path,) = relay.directory.glob("blobs/*/*/*")
    harm(path)
    with refused("relay.backup_blob"):
        back_up(relay.directory, tmp_path / "backup", now=1)
    assert not (tmp_path / "backup").exists()


def test_nothing_is_overwritten(relay: RelayServer, tmp_path: Path) -> None:
    back_up(relay.directory, tmp_path / "backup", now=1)
    with refused("relay.backup_exists"):
        back_up(relay.directory, tmp_path / "backup", now=1)
    before = sorted(relay.directory.rglob("*"))
    with refused("relay.restore_not_empty"):
        restore(tmp_path / "backup", relay.directory)
    assert sorted(relay.directory.rglob("*")) == before
    with refused("relay.not_set_up"):
        back_up(tmp_path / "nothing", tmp_path / "another", now=1)


def rewritten(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]) -> None:
    with tarfile.open(path) as tar:
        entries = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    change(entries)
    with tarfile.open(path, "w") as tar:
        for member, data in entries:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def outside(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries.insert(0, (tarfile.TarInfo("../outside"), b"x"))


def link(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    member = tarfile.TarInfo("tls/ca.pem")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    entries.insert(0, (member, b""))


def another_blob(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    member, data = entries[0]
    assert member.name.startswith("blobs/")
    entries[0] = (member, data[:-1] + bytes([data[-1] ^ 1]))


def another_key(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    (index,) = [place for place, (member, _) in enumerate(entries) if member.name == "tls/ca.pem"]
    entries[index] = (entries[index][0], b"another")


@pytest.mark.parametrize(
    "change", [outside, link, another_blob, another_key, list.pop, lambda entries: entries.pop(0), list.clear]
)
def test_an_altered_backup_restores_nothing(
    relay: RelayServer, people: People, tmp_path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]
) -> None:
    published(people, tmp_path, 1000)
    back_up(relay.directory, tmp_path / "backup", now=1)
    rewritten(tmp_path / "backup", change)
    with refused("relay.backup_damaged"):
        restore(tmp_path / "backup", tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_cut_backup_restores_nothing(relay: RelayServer, people: People, tmp_path: Path, part: float) -> None:
    published(people, tmp_path, 1000)
    back_up(relay.directory, tmp_path / "backup", now=1)
    os.truncate(tmp_path / "backup", int((tmp_path / "backup").stat().st_size * part))
    with refused("relay.backup_damaged"):
        restore(tmp_path / "backup", tmp_path / "new")


def test_a_backup_by_a_newer_program_is_refused(relay: RelayServer, tmp_path: Path) -> None:
    back_up(relay.directory, tmp_path / "backup", now=1)

    def newer(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        member, manifest = entries[-1]
        entries[-1] = (member, manifest.replace(b'"version": 1', b'"version": 2'))

    rewritten(tmp_path / "backup", newer)
    with refused("relay.backup_newer"):
        restore(tmp_path / "backup", tmp_path / "new")


def test_a_restore_that_was_cut_off_is_no_relay_and_can_be_done_again(relay: RelayServer, tmp_path: Path) -> None:
    back_up(relay.directory, tmp_path / "backup", now=1)
    (tmp_path / "new" / RESTORING).mkdir(parents=True)
    (tmp_path / "new" / RESTORING / "relay.db").write_bytes(b"half")
    with refused("relay.restore_unfinished"), running_relay(tmp_path / "new"):
        pass
    restore(tmp_path / "backup", tmp_path / "new")
    with sqlite3.connect(tmp_path / "new" / "relay.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files to another account")
def test_root_leaves_no_files_that_the_relays_account_cannot_read(relay: RelayServer, tmp_path: Path) -> None:
    os.chown(relay.directory, 65534, 65534)
    with refused("relay.other_owner"):
        relay.code()
    with refused("relay.other_owner"):
        back_up(relay.directory, tmp_path / "backup", now=1)
