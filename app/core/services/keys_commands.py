"""The commands on a site's keys. Words, sheets and passphrases are secrets here, also on the local socket."""

from __future__ import annotations

from app.core.crypto.passphrase import check_new
from app.core.crypto.recovery import Recovered
from app.core.crypto.recovery_sheet import SheetTexts, short_fingerprint
from app.core.secret import SecretBytes
from app.core.services import keys as service
from app.core.services.commands import Context, Result, Values, command

_TEXT, _DATE = 2000, 64


@command("keys.status")
def status(context: Context, values: Values) -> Result:
    """Say where the keys are and when they were backed up."""
    values.done()
    found = service.status(context.profile)
    return {
        "profile": found.profile,
        "site": found.site,
        "federation": found.federation,
        "fingerprint": found.fingerprint,
        "keyring": found.keyring,
        "description": found.description,
        "backups": [{"kind": kind, "time": time} for time, kind in found.backups],
    }


@command("keys.show_sheet")
def show_sheet(context: Context, values: Values) -> Result:
    """Return the recovery sheet as text, in ``texts``, with ``date``, and note the backup."""
    texts, date = _texts(values), values.text("date", _DATE)
    values.done()
    sheet = service.make_sheet(context.profile, texts, date).to_text()
    context.profile.record_backup("sheet", context.profile.clock.now())
    return {"sheet": SecretBytes(sheet.encode())}


@command("keys.sheet")
def sheet(context: Context, values: Values) -> Result:
    """Return what a window prints on the recovery sheet; the backup counts only after ``keys.sheet_checked``.

    ``words`` and ``code`` (what the QR code holds) are secret; ``fingerprint`` is the member key's, ``federation`` and
    ``site`` are names.
    """
    values.done()
    written = service.recovery_words(context.profile)
    return {
        "words": SecretBytes(" ".join(written.words).encode()),
        "code": SecretBytes(written.short.encode()),
        "fingerprint": short_fingerprint(context.profile.member_public),
        "federation": context.profile.federation_name,
        "site": context.profile.site_name,
    }


@command("keys.sheet_checked")
def sheet_checked(context: Context, values: Values) -> Result:
    """Note the backup: a person has compared the printed sheet."""
    values.done()
    context.profile.record_backup("sheet", context.profile.clock.now())
    return {}


@command("keys.save_sheet")
def save_sheet(context: Context, values: Values) -> Result:
    """Write the recovery sheet to the new file ``path``."""
    path, texts, date = values.path("path"), _texts(values), values.text("date", _DATE)
    values.done()
    service.save_sheet(context.profile, path, texts, date, now=context.profile.clock.now())
    return {}


@command("keys.save_backup")
def save_backup(context: Context, values: Values) -> Result:
    """Write a backup to the new file ``path`` under ``passphrase``."""
    path, passphrase = values.path("path"), values.secret("passphrase")
    values.done()
    service.save_backup(context.profile, path, check_new(passphrase), now=context.profile.clock.now())
    return {}


@command("keys.restore_words")
def restore_words(context: Context, values: Values) -> Result:
    """Bring the keys back from recovery ``words``; see :func:`_restored`."""
    words = values.secret("words")
    return _restored(context, values, service.check_words(context.profile, words.reveal().decode()))


@command("keys.restore_file")
def restore_file(context: Context, values: Values) -> Result:
    """Bring the keys back from the backup file ``path`` under ``passphrase``; see :func:`_restored`."""
    path, passphrase = values.path("path"), values.secret("passphrase")
    return _restored(context, values, service.check_file(context.profile, path, passphrase))


def _restored(context: Context, values: Values, recovered: Recovered) -> Result:
    """With ``check`` change nothing; with ``replace`` let the backup's key material win."""
    check, replace = values.flag("check"), values.flag("replace")
    values.done()
    if check:
        return {"verdict": "right", "restored": False}
    done = service.restore(context.profile, recovered, replace=replace)
    context.profile.record("key.restored", what={"root_was_there": done.root_was_there, "written": list(done.written)})
    return {
        "verdict": "right",
        "restored": not done.root_was_there or bool(done.written),
        "root_was_there": done.root_was_there,
        "material_restored": list(done.written),
        "material_kept": list(done.kept),
    }


def _texts(values: Values) -> SheetTexts:
    texts = Values(values.table("texts"))
    instructions = texts.items("instructions", 10)
    if any(type(line) is not str or len(line) > _TEXT for line in instructions):
        texts.refuse("instructions")
    names = ("language", "title", "federation", "site", "date", "key", "warning", "code")
    read = SheetTexts(**{name: texts.string(name, _TEXT) for name in names}, instructions=tuple(instructions))
    texts.done()
    return read
