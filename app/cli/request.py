"""``consilium request``: what other sites ask of this one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import explain_code, preferred_language, text

request = typer.Typer(help="Answer what other sites ask.")

RequestId = Annotated[str, typer.Argument(metavar="ID", help="The request, by the beginning of its id.")]


@request.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List what other sites have asked, newest first."""
    found = _call(profile, "request.list", {})
    answer(found, as_json, *([_line(each) for each in found["requests"]] or [text("cli.request.none")]))


@request.command()
def show(id: RequestId, profile: Profile, as_json: Json = False) -> None:
    """Show one request in plain words: who asks, what for, what exactly, what would be released."""
    _tell(_call(profile, "request.show", {"id": id}), as_json)


@request.command("answer")
def answer_(
    id: RequestId,
    profile: Profile,
    always: Annotated[
        bool, typer.Option("--always", help="Answer the same analysis for the same people from now on, unasked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer a request that waits for a person."""
    found = _call(profile, "request.answer", {"id": id, "always": always})
    _tell(found, as_json, *([text("cli.policy.draft")] if always and found["draft"] else []))


@request.command()
def decline(
    id: RequestId,
    profile: Profile,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; the asker reads it.")] = "",
    as_json: Json = False,
) -> None:
    """Decline a request that waits for a person."""
    _tell(_call(profile, "request.decline", {"id": id, "reason": reason}), as_json)


@request.command()
def ask(
    id: RequestId,
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask.")],
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Ask the asker something before deciding."""
    _tell(_call(profile, "request.ask", {"id": id, "text": words}), as_json)


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _tell(found: dict[str, Any], as_json: bool, *more: str) -> None:
    lines = [_line(found), text("cli.request.asker", site=found["asker"], contact=found["contact"])]
    if found["asked_by"]:
        lines.append(text("cli.request.asked_by", person=found["asked_by"]))
    if found["project"]:
        lines.append(text("cli.request.project", project=found["project"]))
    lines.append(text("cli.request.purpose", purpose=found["purpose"]))
    if "query" in found:
        lines.append(_sentence(found.pop("query"), found.pop("catalogue")))
    key = "cli.request.exact" if found["exact"] else "cli.request.noised"
    lines.append(text(key, epsilon=found["epsilon"], minimum=found["minimum"], sites=", ".join(found["sites"])))
    if found["deadline"]:
        lines.append(text("cli.request.deadline", time=_local(found["deadline"])))
    if found["reminders"]:
        lines.append(text("cli.request.reminders", count=found["reminders"]))
    lines += [text("cli.query.note", site=each["site"], text=each["text"]) for each in found["notes"]]
    answer(found, as_json, *lines, *more)


def _line(found: dict[str, Any]) -> str:
    state = text(f"cli.request.state.{found['state']}")
    if found["code"]:
        state = text("cli.query.state_why", state=state, why=explain_code(found["code"], None, found["reason"]))
    return text("cli.request.line", id=found["id"][:12], asker=found["asker"], text=found["text"], state=state)


def _sentence(query: bytes, catalogue: bytes) -> str:
    from app.core.catalogue.model import Catalogue
    from app.core.query.model import Query
    from app.core.query.sentence import sentence

    return sentence(Query.from_cbor(query), Catalogue.from_cbor(catalogue), preferred_language(), text)


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
