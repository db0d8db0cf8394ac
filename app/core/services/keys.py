"""Looking after a site's keys: where they are, writing them down, bringing them back.

What is written down is the site root; a backup file also carries the profile's key material (the dealt key share, the
pad keys, the ceremony's salt), which lies encrypted in the profile and is copied as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.core.crypto.identity import MemberKey, MemberPublicKey
from app.core.crypto.passphrase import STANDARD_COST, Argon2Cost
from app.core.crypto.recovery import (
    BACKUP_LIMIT,
    Recovered,
    RecoveryWords,
    Verdict,
    make_backup,
    make_words,
    read_backup,
    read_words,
)
from app.core.crypto.recovery_sheet import Sheet, SheetTexts, short_fingerprint
from app.core.crypto.secret_store import SecretStore, StoreKind
from app.core.errors import EnvironmentProblem, UserError
from app.core.files import read_limited, write_atomic
from app.core.secret import SecretBytes

_WORDS_LIMIT = 2**16


class KeyProfile(Protocol):
    """What this module needs of an open profile."""

    @property
    def profile_id(self) -> str:
        """The name under which the site root lies in ``secrets``."""

    @property
    def secrets(self) -> SecretStore:
        """The keyring or passphrase file; reading it may find it locked."""

    @property
    def federation_id(self) -> bytes | None:
        """32 bytes, or None before the site has joined."""

    @property
    def federation_name(self) -> str:
        """The federation's name, for people."""

    @property
    def site_name(self) -> str:
        """The site's name, for people."""

    @property
    def member_public(self) -> MemberPublicKey:
        """The site's public member key as the federation knows it: read from the profile, not from the keyring."""

    def read_key_material(self) -> Mapping[str, bytes]:
        """Return what a backup file carries beside the root, encrypted, by name."""

    def write_key_material(self, material: Mapping[str, bytes]) -> None:
        """Store these entries, replacing those of the same names, in one transaction."""

    def record_backup(self, kind: str, time: int) -> None:
        """Note that a backup of ``kind`` ("sheet", "file") was made at ``time`` (UTC milliseconds)."""

    def backups(self) -> Sequence[tuple[int, str]]:
        """Return (time, kind) of the backups made, oldest first."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """Where a site's keys are, once they have been found and are the right ones."""

    profile: str
    federation: str | None
    site: str
    fingerprint: str
    keyring: StoreKind
    description: str
    backups: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``kept`` names key material that differs from the backup's and was left as it is."""

    root_was_there: bool
    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def status(profile: KeyProfile) -> KeyStatus:
    """Say where the site's keys are and when they were backed up.

    Raises EnvironmentProblem ``keys.missing``, ``keys.not_ours``, ``keyring.*``.
    """
    _root(profile)
    return KeyStatus(
        profile=profile.profile_id,
        federation=profile.federation_name if profile.federation_id is not None else None,
        site=profile.site_name,
        fingerprint=short_fingerprint(profile.member_public),
        keyring=profile.secrets.kind,
        description=profile.secrets.description,
        backups=tuple(profile.backups()),
    )


def recovery_words(profile: KeyProfile) -> RecoveryWords:
    """Return the words of the recovery sheet; they are secret. Raises as :func:`make_sheet`."""
    return make_words(_root(profile), _federation(profile))


def make_sheet(profile: KeyProfile, texts: SheetTexts, date: str) -> Sheet:
    """Return the recovery sheet; it is secret. Raises as :func:`status`, and UserError ``keys.no_federation``."""
    return Sheet(
        words=recovery_words(profile),
        federation_name=profile.federation_name,
        site_name=profile.site_name,
        date=date,
        member=profile.member_public,
        texts=texts,
    )


def save_sheet(profile: KeyProfile, path: Path, texts: SheetTexts, date: str, *, now: int) -> None:
    """Write the recovery sheet to a new file, as a page to print, or as text if its name ends in ``.txt``."""
    _refuse_existing(path)
    sheet = make_sheet(profile, texts, date)
    write_atomic(path, (sheet.to_text() if path.suffix.lower() == ".txt" else sheet.to_html()).encode())
    profile.record_backup("sheet", now)


def save_backup(
    profile: KeyProfile,
    path: Path,
    passphrase: SecretBytes,
    *,
    now: int,
    cost: Argon2Cost = STANDARD_COST,
    random: Callable[[int], bytes] = os.urandom,
) -> None:
    """Write root and key material to a new file under ``passphrase``, open it again, and only then note the backup.

    Raises as :func:`make_sheet`; UserError ``keys.file_exists``; EnvironmentProblem ``keys.backup_unreadable``.
    """
    _refuse_existing(path)
    federation_id = _federation(profile)
    material = dict(profile.read_key_material())
    file = make_backup(_root(profile), federation_id, material, passphrase, created=now, cost=cost, random=random)
    write_atomic(path, file)
    written = read_backup(read_limited(path, BACKUP_LIMIT), passphrase)
    right = written.judge(federation_id, profile.member_public) is Verdict.RIGHT
    if not right or written.attachments != material:
        raise EnvironmentProblem("keys.backup_unreadable", path=str(path))
    profile.record_backup("file", now)


def check_words(profile: KeyProfile, text: str) -> Recovered:
    """Return what the recovery words in ``text`` hold if they are this site's; changes nothing.

    Raises UserError ``recovery.unknown_word``, ``.word_count``, ``.damaged``, ``.newer``, ``.foreign``, ``.wrong``.
    """
    return _ours(profile, read_words(text))


def read_words_file(path: Path) -> str:
    """Return the text of a file with recovery words; raises UserError ``keys.words_not_text``, ``file.*``."""
    try:
        return read_limited(path, _WORDS_LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("keys.words_not_text", path=str(path)) from None  # its text would quote a word


def check_file(profile: KeyProfile, path: Path, passphrase: SecretBytes) -> Recovered:
    """Return what a backup file holds if it is this site's; changes nothing.

    Raises UserError ``recovery.foreign``, ``.wrong``; ``passphrase.*``; ``file.*``.
    """
    return _ours(profile, read_backup(read_limited(path, BACKUP_LIMIT), passphrase))


def restore(profile: KeyProfile, recovered: Recovered, *, replace: bool = False) -> Restored:
    """Put back a root, and key material that the profile lacks, from what :func:`check_words` or _file returned.

    Key material that is there and differs is kept, since it may be newer than the backup, unless ``replace``.
    """
    _ours(profile, recovered)
    root_was_there = profile.secrets.get(profile.profile_id) == recovered.root
    if not root_was_there:
        profile.secrets.put(profile.profile_id, recovered.root)
    present = profile.read_key_material()
    differing = {name: item for name, item in recovered.attachments.items() if present.get(name) != item}
    kept = () if replace else tuple(sorted(differing.keys() & present.keys()))
    written = {name: item for name, item in differing.items() if name not in kept}
    if written:
        profile.write_key_material(written)
    return Restored(root_was_there, tuple(sorted(written)), kept)


def _root(profile: KeyProfile) -> SecretBytes:
    root = profile.secrets.get(profile.profile_id)
    if root is None:
        raise EnvironmentProblem("keys.missing")
    if MemberKey.from_root(root).public != profile.member_public:
        raise EnvironmentProblem("keys.not_ours")
    return root


def _federation(profile: KeyProfile) -> bytes:
    if profile.federation_id is None:
        raise UserError("keys.no_federation")
    return profile.federation_id


def _ours(profile: KeyProfile, recovered: Recovered) -> Recovered:
    verdict = recovered.judge(_federation(profile), profile.member_public)
    if verdict is Verdict.FOREIGN:
        raise UserError("recovery.foreign")
    if verdict is not Verdict.RIGHT:
        raise UserError("recovery.wrong")
    return recovered


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise UserError("keys.file_exists", path=str(path))
