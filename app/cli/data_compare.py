"""``consilium data compare``: what changed between two versions of the dataset."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.core.services.connect import connect
from app.texts import text

Older = Annotated[
    str, typer.Argument(metavar="[OLD]", show_default=False, help="The beginning of its id; else the version before.")
]
Newer = Annotated[
    str, typer.Argument(metavar="[NEW]", show_default=False, help="The beginning of its id; else the active one.")
]


def add_to(data: typer.Typer) -> None:
    """Add the command to ``consilium data``."""
    data.command()(compare)


def compare(profile: Profile, older: Older = "", newer: Newer = "", as_json: Json = False) -> None:
    """Show what changed between two versions of the dataset, in rounded counts of patients."""
    with connect(profile) as site:
        found = site.call("data.compare", {"older": older, "newer": newer})
    answer(found, as_json, *changes(found))


def changes(found: dict[str, Any]) -> list[str]:
    """Return the sentences for what ``data.compare`` tells."""
    lines = [text("cli.data.compare.versions", older=found["older"], newer=found["newer"])]
    lines.append(text("cli.data.compare.patients", **_counts(found["patients"])))
    if found["added"]:
        lines.append(text("cli.data.compare.added", variables=", ".join(found["added"])))
    if found["removed"]:
        lines.append(text("cli.data.compare.removed", variables=", ".join(found["removed"])))
    if found["redefined"]:
        lines.append(text("cli.data.compare.redefined", variables=", ".join(found["redefined"])))
    lines += [
        text("cli.data.compare.known", code=each["code"], **_counts(each["known"])) for each in found["variables"]
    ]
    for each in found["problems"] or []:
        about = ", ".join(filter(None, (each["variable"], each["column"]))) or "–"
        lines.append(text("cli.data.compare.problem", code=each["code"], about=about, **_counts(each["count"])))
    return [*lines, text("cli.data.compare.rounded")]


def _counts(found: dict[str, int | None]) -> dict[str, str]:
    return {when: text("cli.data.few") if found[when] is None else str(found[when]) for when in ("before", "after")}
