"""``consilium settings``: what the IT of this computer has fixed."""

from __future__ import annotations

import typer

from app.cli.options import Json, Profile, answer
from app.core import paths
from app.texts import text

settings = typer.Typer(help="See what the IT of this computer has fixed.")


@settings.callback()
def _group() -> None:
    """Keep ``show`` a command of its own, also while it is the only one."""


@settings.command()
def show(profile: Profile, as_json: Json = False) -> None:
    """Show the managed settings; they are checked, too."""
    from app.core.managed import read_managed

    file = paths.managed_settings()
    found = read_managed(file)
    body = {
        "file": found.file,
        "place": str(file),
        "settings": dict(found.settings.values),
        "policy": dict(found.policy),
    }
    if not found.file:
        answer(body, as_json, text("cli.settings.none", path=file))
        return
    lines = [text("cli.settings.file", path=found.file)]
    lines += [text("cli.settings.value", name=name, value=value) for name, value in found.settings.values.items()]
    if found.policy:
        lines.append(text("cli.settings.policy", fields=", ".join(sorted(found.policy))))
    answer(body, as_json, *lines)
