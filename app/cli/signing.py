"""The custodian's passphrase, as commands that sign ask for it, and the dates until which something is to hold.

No passphrase is ever an argument: it is typed, or lies in a file that an option names (``/dev/stdin``, or a file
descriptor as ``/dev/fd/3``, where nobody is present).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.core.crypto.passphrase import check_new, passphrase_from_file, passphrase_from_text
from app.core.secret import SecretBytes
from app.texts import text

if TYPE_CHECKING:
    from app.core.services.connect import Site

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="A file that holds the custodian's passphrase."),
]
Until = Annotated[str, typer.Option("--until", metavar="DATE", help="The last day, for example 2027-03-31.")]


def custodian_passphrase(site: Site, path: Path | None) -> SecretBytes | None:
    """Return the passphrase of the site's custodian, asked for unless a file holds it; None where there is no
    custodian. Raises as ``passphrase_from_file``."""
    if path is not None:
        return passphrase_from_file(path)
    if not site.call("people.list")["own"]["custodian"]:
        return None
    return asked(text("cli.people.ask_passphrase"))


def new_passphrase(path: Path | None) -> SecretBytes:
    """Return a passphrase that is being chosen; raises UserError ``passphrase.too_short``."""
    if path is not None:
        return check_new(passphrase_from_file(path))
    return check_new(asked(text("cli.people.ask_new_passphrase"), again=text("cli.keys.ask_again")))


def asked(prompt: str, *, again: str = "") -> SecretBytes:
    """Return a passphrase that is typed now, twice with ``again``."""
    return passphrase_from_text(typer.prompt(prompt, hide_input=True, confirmation_prompt=again or False, err=True))


def end_of(day: str) -> int:
    """Return the end of a day in the local zone, as UTC ms."""
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
        return int(datetime.combine(after, time()).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"“{day}” is no date; write 2027-03-31", param_hint="--until") from error


def start_of(day: str) -> int:
    """Return the beginning of a day in the local zone, as UTC ms."""
    return end_of(day) - 24 * 3_600_000 if day else 0


def last_day(until: int) -> str:
    """Return the last day in the local zone of what holds until before ``until`` (UTC ms)."""
    return datetime.fromtimestamp((until - 1) / 1000).astimezone().strftime("%Y-%m-%d")
