"""``consilium audit``: what was asked, given and refused here; verified; handed on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.core.errors import UserError
from app.texts import explain, explain_code, text

audit = typer.Typer(help="What was asked, given and refused here.")

_FAILED = 1
_SUFFIXES = {".csv": "csv", ".json": "fhir"}


@audit.command()
def show(  # noqa: PLR0917 - options of the command line
    profile: Profile,
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only these kinds, such as request or key.sheet.")] = "",
    words: Annotated[str, typer.Option("--text", metavar="TEXT", help="Only records that contain this.")] = "",
    after: Annotated[int, typer.Option(metavar="NUMBER", help="Go on after this number.", min=0)] = 0,
    most: Annotated[int, typer.Option(metavar="N", help="At most so many.", min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List the records, newest first."""
    values = {"kind": kind, "text": words, "after": after, "most": most}
    found = _call(profile, "audit.show", values)
    lines = [_line(each) for each in found["records"]] or [text("cli.audit.none")]
    lines += [text("cli.audit.more", number=found["records"][-1]["number"])] if found["more"] else []
    answer(found, as_json, *lines)


@audit.command()
def verify(
    profile: Profile,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify this export or database; no profile is needed.")
    ] = None,
    federation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The federation's public file: whose keys to believe.")
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask the other sites first what they hold.")] = False,
    wait: Annotated[int, typer.Option(metavar="SECONDS", help="How long to wait for them.", min=0, max=600)] = 30,
    as_json: Json = False,
) -> None:
    """Check that no record was changed, removed, added or reordered."""
    if file is not None:
        found = _verify_file(file, federation)
    elif federation is not None:
        raise UserError("audit.federation_without_file")
    else:
        asked = _call(profile, "audit.ask", {"wait": wait}) if ask else {"unheard": []}
        found = {**_call(profile, "audit.verify", {}), "unheard": asked["unheard"]}
    answer(found, as_json, *_verdict(found))
    if not found["ok"] or found.get("findings"):
        raise typer.Exit(_FAILED)


@audit.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .csv, or .json for FHIR.")],
    profile: Profile,
    format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="csv or fhir (a bundle of AuditEvents).", show_default=False)
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write all records to a file that can be verified without this profile."""
    wanted = format or _SUFFIXES.get(path.suffix.lower(), path.suffix)
    values = {"path": str(path.absolute()), "format": wanted, "replace": replace}
    found = _call(profile, "audit.export", values)
    answer(found, as_json, text("cli.audit.exported", count=found["records"], path=found["path"]))


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _verify_file(file: Path, federation: Path | None) -> dict[str, Any]:
    from app.core.services.audit import verify_file
    from app.core.services.audit_commands import told

    source = verify_file(file, federation)
    more = {"site": source.site, "fingerprint": source.fingerprint, "federation": source.federation}
    return {**told(source.verified), **more, "against": source.against}


def _verdict(found: Mapping[str, Any]) -> list[str]:
    params = {"count": found["records"], "number": found["number"], "hash": found["hash"][:16]}
    lines = [text("cli.audit.whole", **params) if found["ok"] else text("cli.audit.broken", **params)]
    if "against" in found:
        names = {name: found[name] for name in ("site", "fingerprint", "federation")}
        against = found["against"]
        key = "cli.audit.by_federation" if against == "federation" else "cli.audit.by_itself"
        lines.append(text(key, **names))
    lines += [_problem(each) for each in found["problems"]]
    lines += [
        text("cli.audit.held", site=each["site"], number=each["number"], time=_local(each["at"]))
        for each in found["held"]
        if each["agrees"]
    ]
    lines += [text("cli.audit.unheard", site=name) for name in found.get("unheard", ())]
    lines += [_problem(each) for each in found.get("findings", ())]
    return lines


def _problem(found: Mapping[str, Any]) -> str:
    said = explain(UserError(found["code"], **found["params"]))
    return text("cli.audit.problem", number=found["number"], what=" ".join(filter(None, (said.what, said.next))))


def _line(found: Mapping[str, Any]) -> str:
    parts = [text(f"audit.kind.{found['kind']}")]
    question = found["what"].get("question", "")
    parts += [each for each in (found["who"], question, explain_code(found["why"]) if found["why"] else "") if each]
    return text("cli.audit.line", number=found["number"], time=_local(found["at"]), words=" · ".join(parts))


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
