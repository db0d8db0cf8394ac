"""``consilium budget``: what this site's patients may lose, and what answers have cost so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import typer

from app.cli.options import Json, Profile, answer
from app.texts import text

budget = typer.Typer(help="See what answers have cost.")
_MOST = 20


@budget.callback()
def _group() -> None:
    """Keep ``show`` a command of its own, also while it is the only one."""


@budget.command()
def show(profile: Profile, as_json: Json = False) -> None:
    """Show the budget, its shares, and what was charged last."""
    from app.core.services.connect import connect

    with connect(profile) as site:
        found = site.call("budget.show")
    answer(found, as_json, *_lines(found))


def _lines(found: dict[str, Any]) -> list[str]:
    refill, exact = found["refill"], found["exact"]
    lines = [
        text("cli.budget.capped", cap=found["cap"], spent=found["spent"], left=found["left"])
        if found["cap"]
        else text("cli.budget.uncapped", spent=found["spent"])
    ]
    if refill["days"]:
        lines.append(text("cli.budget.refill", amount=refill["amount"], days=refill["days"]))
        lines += [text("cli.budget.next", day=_day(refill["next"]))] if refill["next"] else []
    elif refill["lifetime"]:
        lines.append(text("cli.budget.lifetime"))
    if exact["quota"] >= 0:
        lines.append(text("cli.budget.exact", spent=exact["spent"], quota=exact["quota"], left=exact["left"]))
    else:
        lines.append(text("cli.budget.exact_any", spent=exact["spent"]))
    for each in found["by"]:
        name = each["name"] or text("cli.budget.no_project")
        kind = text(f"cli.budget.by.{each['kind']}", name=name)
        key = "cli.budget.share" if each["share"] else "cli.budget.no_share"
        lines.append(
            text(key, who=kind, spent=each["spent"], exact=each["exact"], share=each["share"], left=each["left"])
        )
    for each in found["entries"][:_MOST]:
        who = each["person"] or each["asker"]
        cost = {"day": _day(each["at"]), "query": each["query"][:12], "who": who, "version": each["dataset_version"]}
        if each["exact"]:
            lines.append(text("cli.budget.entry_exact", **cost))
        else:
            lines.append(text("cli.budget.entry", epsilon=each["epsilon"], **cost))
    return lines


def price_lines(price: dict[str, Any]) -> list[str]:
    """Say what a question costs, before or after it runs; what is left where that is known and bounded."""
    if price["free"]:
        lines = [text("cli.budget.free")]
    elif price["exact"]:
        lines = [text("cli.budget.costs_exact")]
    else:
        lines = [text("cli.budget.costs", epsilon=price["epsilon"])]
    if price.get("left"):
        lines.append(text("cli.budget.left_here", left=price["left"]))
    if price.get("exact_left", -1) >= 0:
        lines.append(text("cli.budget.exact_left_here", left=price["exact_left"]))
    return lines


def _day(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d")
