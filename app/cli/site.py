"""``consilium site``: making a site on this workstation, and how it stands."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import explain_code, text

site = typer.Typer(help="Make a site on this workstation, and see how it stands.")


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


@site.command()
def status(profile: Profile, as_json: Json = False) -> None:
    """Say how this site stands: the relay, the other sites, what waits here."""
    from app.core.services.connect import connect

    with connect(profile) as here:
        found = here.call("site.overview")
    answer(found, as_json, *_lines(found))


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [text("cli.site.in_federation", site=found["site"], federation=found["federation"] or "–")]
    relay = text(f"cli.site.relay.{found['relay']['state']}", url=found["relay"]["url"])
    lines.append(relay if not found["relay"]["code"] else f"{relay} {explain_code(found['relay']['code'])}")
    lines += [_site_line(each) for each in found["sites"] if not each["own"]]
    dataset = found["dataset"]
    lines.append(
        text("cli.site.no_dataset")
        if dataset is None
        else text("cli.site.dataset", version=dataset["version"], variables=dataset["variables"])
    )
    lines.append(text("cli.site.waits", requests=found["waiting_requests"], queries=found["open_queries"]))
    if found["waiting_catalogue"]:
        lines.append(text("cli.site.catalogue_waits", version=found["waiting_catalogue"]))
    backup = found["backup"]
    lines.append(text("cli.site.backup", time=_local(backup)) if backup else text("cli.site.no_backup"))
    return lines


def _site_line(each: dict[str, Any]) -> str:
    reachable = {True: "cli.site.reachable", False: "cli.site.unreachable", None: "cli.site.unknown"}
    seen = _local(each["last_seen"]) if each["last_seen"] else "–"
    return text(reachable[each["reachable"]], site=each["name"], contact=each["contact"], time=seen)


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
