"""``consilium keys``: where this site's keys are, writing them down, bringing them back.

No secret is ever an argument: passphrases and words are typed, or lie in a file that an argument names.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.core.clock import SystemClock
from app.core.crypto.passphrase import check_new, passphrase_from_file, passphrase_from_text
from app.core.crypto.recovery import WORDS, count_words
from app.core.crypto.recovery_sheet import SheetTexts
from app.core.crypto.secret_store import StoreKind
from app.core.secret import SecretBytes
from app.core.services.connect import Site, connect
from app.core.services.keys import read_words_file
from app.texts import preferred_language, text

keys = typer.Typer(help="Look after this site's keys.")

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", envvar="CONSILIUM_PASSPHRASE_FILE", help="A file that holds it."),
]


@keys.command()
def status(profile: Profile, as_json: Json = False) -> None:
    """Say where this site's keys are, and when they were backed up."""
    with _connect(profile) as site:
        found = site.call("keys.status")
    lines = [
        text("cli.keys.site", site=found["site"], federation=found["federation"] or text("cli.keys.no_federation")),
        text("cli.keys.ready", place=_place(found["keyring"], found["description"])),
        text("cli.keys.fingerprint", fingerprint=found["fingerprint"]),
    ]
    kinds = {"sheet": text("cli.keys.kind_sheet"), "file": text("cli.keys.kind_file")}
    lines += [
        text("cli.keys.backup", kind=kinds.get(each["kind"], each["kind"]), time=_local(each["time"]))
        for each in found["backups"]
    ]
    if not found["backups"]:
        lines.append(text("cli.keys.no_backup"))
    answer({"state": "ready", **found, "backed_up": bool(found["backups"])}, as_json, *lines)


@keys.command()
def backup(
    profile: Profile,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a recovery sheet to print (.html, .txt), or “-” to show it here."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a backup file protected by a passphrase.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Write this site's keys down: a recovery sheet on paper, or a file under a passphrase."""
    if (sheet is None) == (file is None):
        raise typer.BadParameter("give either --sheet or --file", param_hint="--sheet / --file")
    shown = sheet == Path("-")
    if shown and as_json:
        raise typer.BadParameter("a sheet cannot be shown as JSON", param_hint="--sheet")
    asked = {"texts": asdict(_sheet_texts()), "date": _local(SystemClock().now())}
    with _connect(profile) as site:
        if file is not None:
            passphrase = check_new(_passphrase(passphrase_file, new=True))
            site.call("keys.save_backup", {"path": str(file.absolute()), "passphrase": passphrase})
            answer({"kind": "file", "path": str(file)}, as_json, text("cli.keys.file_saved", path=file))
        elif shown:
            typer.echo(site.call("keys.show_sheet", asked)["sheet"].reveal().decode())
        elif sheet is not None:
            site.call("keys.save_sheet", {**asked, "path": str(sheet.absolute())})
            answer({"kind": "sheet", "path": str(sheet)}, as_json, text("cli.keys.sheet_saved", path=sheet))


@keys.command()
def restore(
    *,
    profile: Profile,
    words_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file with the thirty words; without it, type them.")
    ] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="A backup file.")] = None,
    passphrase_file: PassphraseFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the backup is the right one; change nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let the file's key material replace what the profile has.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring this site's keys back from a recovery sheet or a backup file."""
    if words_file is not None and file is not None:
        raise typer.BadParameter("give either --words-file or --file", param_hint="--words-file / --file")
    wishes = {"check": check, "replace": replace}
    with _connect(profile) as site:
        if file is not None:
            passphrase = _passphrase(passphrase_file)
            done = site.call("keys.restore_file", {**wishes, "path": str(file.absolute()), "passphrase": passphrase})
        else:
            done = site.call("keys.restore_words", {**wishes, "words": SecretBytes(_words(words_file).encode())})
    if check:
        answer(done, as_json, text("cli.keys.right"))
        return
    lines = [text("cli.keys.was_there") if done["root_was_there"] else text("cli.keys.restored")]
    if done["material_restored"]:
        lines.append(text("cli.keys.material_restored", count=len(done["material_restored"])))
    if done["material_kept"]:
        lines.append(text("cli.keys.material_kept", count=len(done["material_kept"])))
    answer(done, as_json, *lines)


def _connect(path: Path) -> Site:
    return connect(path)


def _place(keyring: StoreKind, description: str) -> str:
    places: dict[StoreKind, str] = {
        "secret-service": text("cli.keys.place_secret_service"),
        "kwallet": text("cli.keys.place_kwallet"),
        "windows": text("cli.keys.place_windows"),
        "macos": text("cli.keys.place_macos"),
        "passphrase-file": text("cli.keys.place_file", path=description),
    }
    return places[keyring]


def _passphrase(path: Path | None, *, new: bool = False) -> SecretBytes:
    if path is not None:
        return passphrase_from_file(path)
    prompt = text("cli.keys.ask_new_passphrase") if new else text("cli.keys.ask_passphrase")
    again = text("cli.keys.ask_again") if new else False
    return passphrase_from_text(typer.prompt(prompt, hide_input=True, confirmation_prompt=again, err=True))


def _words(path: Path | None) -> str:
    if path is not None:
        return read_words_file(path)
    typed = typer.prompt(text("cli.keys.ask_words", count=WORDS), err=True)
    while (so_far := count_words(typed)) < WORDS:
        typed += "\n" + typer.prompt(text("cli.keys.ask_more_words", so_far=so_far, count=WORDS), err=True)
    return str(typed)


def _sheet_texts() -> SheetTexts:
    return SheetTexts(
        language=preferred_language(),
        title=text("cli.keys.sheet_title"),
        federation=text("cli.keys.sheet_federation"),
        site=text("cli.keys.sheet_site"),
        date=text("cli.keys.sheet_date"),
        key=text("cli.keys.sheet_key"),
        warning=text("cli.keys.sheet_warning"),
        code=text("cli.keys.sheet_code"),
        instructions=(
            text("cli.keys.sheet_keep"),
            text("cli.keys.sheet_never"),
            text("cli.keys.sheet_restore"),
            text("cli.keys.sheet_file"),
        ),
    )


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
