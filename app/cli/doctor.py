"""``consilium doctor``: what is wrong on this computer, and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.cli.self_test import words_of
from app.texts import text


def doctor(
    *,
    profile: Profile,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write a zip for the support desk, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check program, keyring, database, disk and the way to the relay, and say what to do about each finding."""
    from app.core.services import doctor as service

    checks = list(service.run(profile))
    well = all(check.error is None for check in checks if check.needed)
    lines = [words_of(check) for check in checks]
    found = {"well": well, "checks": service.to_plain(checks), "bundle": None if bundle is None else str(bundle)}
    if bundle is not None:
        parts = service.bundle(profile, checks, bundle)
        lines.append(text("cli.doctor.bundle", path=bundle, parts=", ".join(parts)))
    lines.append(text("cli.doctor.well") if well else text("cli.doctor.unwell"))
    answer(found, as_json, *lines)
    if not well:
        raise typer.Exit(1)
