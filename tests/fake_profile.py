"""A profile without a database, for what only needs its keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.core.clock import SystemClock
from app.core.crypto.identity import MemberKey
from app.core.crypto.passphrase import Argon2Cost, passphrase_from_text
from app.core.crypto.vault import PassphraseFile, SecretStore
from app.core.secret import SecretBytes

CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)


class FakeProfile:
    """What ``services/keys.py`` asks of a profile; its secrets lie in a real passphrase file."""

    clock = SystemClock()
    profile_id = "profile 1"
    federation_name = "Lung"
    site_name = "North"

    def __init__(self, directory: Path, root: SecretBytes, federation_id: bytes | None = b"\xaa" * 32) -> None:
        directory.mkdir(exist_ok=True)
        self.secrets: SecretStore = PassphraseFile(directory / "secrets", passphrase_from_text("store"), CHEAP)
        self.federation_id = federation_id
        self.member_public = MemberKey.from_root(root).public
        self.material = {"dealt share": b"share", "pad keys": b"pads"}
        self.made: list[tuple[int, str]] = []
        self.recorded: list[str] = []
        self.secrets.put(self.profile_id, root)

    def read_key_material(self) -> Mapping[str, bytes]:
        return self.material

    def write_key_material(self, material: Mapping[str, bytes]) -> None:
        self.material = {**self.material, **material}

    def record_backup(self, kind: str, time: int) -> None:
        self.made.append((time, kind))

    def record(self, kind: str, *, what: Mapping[str, object] | None = None, why: str = "") -> None:
        self.recorded.append(kind)

    def backups(self) -> list[tuple[int, str]]:
        return self.made
