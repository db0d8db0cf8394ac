"""``consilium site``: making a site on this workstation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

site = typer.Typer(help="Make a site on this workstation.")


@site.callback()
def _site() -> None:
    """Make a site on this workstation."""


@site.command()
def init(
    profile: Profile,
    name: Annotated[str, typer.Option("--name", metavar="N", help="The hospital's name, as the others know it.")],
    contact: Annotated[str, typer.Option("--contact", metavar="C", help="Whom to telephone: a person and a number.")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="CONSILIUM_PASSPHRASE_FILE",
            help="Keep the keys in a file under the passphrase in FILE, not in the keyring: for servers.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make this profile a site, with keys of its own."""
    from app.core.crypto.passphrase import check_new, passphrase_from_file
    from app.core.crypto.recovery_sheet import short_fingerprint
    from app.core.services.profile import create_profile

    passphrase = None if passphrase_file is None else check_new(passphrase_from_file(passphrase_file))
    source = None if passphrase is None else lambda: passphrase
    with create_profile(profile, name=name, contact=contact, passphrase=source) as made:
        fingerprint, keyring = short_fingerprint(made.member_public), made.secrets.kind
    body = {"name": name, "contact": contact, "profile": str(profile), "fingerprint": fingerprint, "keyring": keyring}
    answer(
        body,
        as_json,
        text("cli.site.made", name=name, path=profile),
        text("cli.site.fingerprint", fingerprint=fingerprint),
        text("cli.site.next"),
    )
