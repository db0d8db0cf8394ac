"""``consilium query``: what a question would be; ask it, follow it, read the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.budget import price_lines
from app.cli.options import Json, Profile, answer
from app.core.clock import SystemClock
from app.core.errors import UserError
from app.texts import LANGUAGES, explain_code, preferred_language, text

if TYPE_CHECKING:
    from app.core.catalogue.model import Catalogue
    from app.core.query.model import Query
    from app.core.query.plan import DatasetShape
    from app.core.query.planner import Openers
    from app.plots.options import Interval

query = typer.Typer(help="Ask questions.")


PerSite = Annotated[
    bool, typer.Option("--per-site", help="Have each site's own numbers told, where every site's policy allows it.")
]


@query.command()
def explain(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The query, for example: smoker and age >= 50")],
    *,
    federation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A federation's public file; needs no profile.")
    ] = None,
    residues: Annotated[int, typer.Option(min=3, max=8, help="With --federation: residues that datasets keep.")] = 5,
    blocks: Annotated[int, typer.Option(min=1, help="With --federation: blocks of a dataset.")] = 1,
    per_site: PerSite = False,
    noise: Annotated[
        str | None, typer.Option("--noise", metavar="EPSILON", help="Say what it costs with this noise, e.g. 1/2.")
    ] = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Say what TEXT asks, whether and how it can be computed, and what it costs. Nothing is sent."""
    from app.core.query import explaining
    from app.core.query.text import parse_query

    if federation is None:
        _explain_at(profile, question, per_site, noise or "", as_json)
        return
    catalogue, dataset, openers = _of_file(federation, residues, blocks)
    asked = replace(parse_query(question, catalogue, lambda _name: None), per_site=per_site)
    found = explaining.explain(asked, catalogue, dataset, openers).to_plain()
    answer(found, as_json, *_lines(found, asked, catalogue))


def _explain_at(profile: Path, question: str, per_site: bool, noise: str, as_json: bool) -> None:
    """Explain as whoever owns the profile sees it: its dataset, and what the sites have told of theirs."""
    from app.core.catalogue.model import Catalogue
    from app.core.query.model import Query

    told = _call(profile, "query.explain", {"text": question, "per_site": per_site, "epsilon": noise})
    if told["problem"] is not None:
        raise UserError(told["problem"]["code"], **told["problem"]["params"])
    found, by_site = told["explained"], told["by_site"]
    lines = _lines(found, Query.from_cbor(told["query"]), Catalogue.from_cbor(told["catalogue"]))
    lines += [text("cli.query.supposed")] if told["supposed"] else []
    for each in by_site:
        if each["known"] and not each["dataset"]:
            lines.append(text("cli.query.has_no_dataset", site=each["site"]))
        elif each["lacks"]:
            lines.append(text("cli.query.lacks", site=each["site"], variables=", ".join(each["lacks"])))
    lines += price_lines(told["price"])
    answer({**found, "supposed": told["supposed"], "by_site": by_site, "price": told["price"]}, as_json, *lines)


def _of_file(path: Path, residues: int, blocks: int) -> tuple[Catalogue, DatasetShape, Openers]:
    from app.core.federation.public_file import load_public_file
    from app.core.query.explaining import supposed_dataset
    from app.core.query.planner import Openers

    federation = load_public_file(path)
    dataset = supposed_dataset(federation.catalogue, federation.parameters, residues, blocks)
    return federation.catalogue, dataset, Openers(len(federation.sites), federation.quorum)


def _lines(found: Mapping[str, Any], asked: Query, catalogue: Catalogue) -> list[str]:
    from app.core.query.sentence import sentence

    plan = found["plan"]
    read = {"columns": len(plan["columns"]), "residues": plan["residues"], "stored": found["residues_stored"]}
    return [
        sentence(asked, catalogue, preferred_language(), text),
        found["text"],
        text("cli.query.reads", None, **read),
        text("cli.query.computes", products=plan["products"], levels=plan["levels"], blocks=found["blocks"]),
        text("cli.query.opens_per_site" if asked.per_site else "cli.query.opens", results=plan["results"]),
        text("cli.query.takes", seconds=f"{plan['seconds']:.2f}"),
        text("cli.query.fits", sites=found["sites"], quorum=found["quorum"]),
    ]


QueryId = Annotated[str, typer.Argument(metavar="ID", help="The query, by the beginning of its id.")]
Wait = Annotated[int, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for the answer.")]


@query.command()
def run(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The query, for example: smoker and age >= 50")],
    *,
    noise: Annotated[
        str | None, typer.Option("--noise", metavar="EPSILON", help="Let every site add its own noise, e.g. 1/2.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Ask for the exact number (as without --noise).")] = False,
    sites: Annotated[str | None, typer.Option(metavar="NAMES", help="Ask only these sites, by comma.")] = None,
    min_sites: Annotated[
        int, typer.Option(min=0, metavar="K", help="How many must answer at the least; 0: three, or all if fewer.")
    ] = 0,
    deadline: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Close then with those who answered: 30m, 8h, 3d or a date.")
    ] = None,
    per_site: PerSite = False,
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What the answer is for; every site sees it.")] = "count",
    person: Annotated[
        str, typer.Option(metavar="NAME", help="Who asks, with the key that was made on this workstation.")
    ] = "",
    project: Annotated[str, typer.Option(metavar="ID", help="Under which project, by its title or id.")] = "",
    wait: Wait = 30,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Ask every site a question and read the numbers that they open together, for this site alone."""
    if noise is not None and exact:
        raise typer.BadParameter("give either --noise or --exact", param_hint="--noise / --exact")
    values = {
        "text": question,
        "epsilon": noise or "",
        "sites": [name.strip() for name in sites.split(",")] if sites else [],
        "minimum": min_sites,
        "deadline": 0 if deadline is None else _moment(deadline),
        "per_site": per_site,
        "purpose": purpose,
        "person": person,
        "project": project,
        "wait": wait,
    }
    _tell_outcome(_call(profile, "query.run", values), as_json)


@query.command("wait")
def wait_(id: QueryId, profile: Profile, wait: Wait = 3600, as_json: Json = False) -> None:
    """Wait for the answer of a query that was sent."""
    _tell_outcome(_call(profile, "query.wait", {"id": id, "wait": wait}), as_json)


@query.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List this site's own queries, newest first."""
    found = _call(profile, "query.list", {})["queries"]
    lines = [_line(each) for each in found] or [text("cli.query.none")]
    answer({"queries": [_for_json(each) for each in found]}, as_json, *lines)


@query.command()
def show(id: QueryId, profile: Profile, as_json: Json = False) -> None:
    """Show one query: where every site is, and the answer."""
    _tell(_call(profile, "query.show", {"id": id}), as_json)


@query.command()
def cancel(id: QueryId, profile: Profile, as_json: Json = False) -> None:
    """End a query; nothing is opened."""
    _tell(_call(profile, "query.cancel", {"id": id}), as_json)


@query.command()
def finish(id: QueryId, profile: Profile, as_json: Json = False) -> None:
    """Close a query with the sites that have answered, if they are enough."""
    _tell(_call(profile, "query.finish", {"id": id}), as_json)


@query.command()
def remind(id: QueryId, profile: Profile, as_json: Json = False) -> None:
    """Remind the sites that are waited for."""
    found = _call(profile, "query.remind", {"id": id})
    names = ", ".join(found["reminded"])
    answer(found, as_json, text("cli.query.reminded", sites=names) if names else text("cli.query.nobody_to_remind"))


@query.command()
def note(
    id: QueryId,
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What to write.")],
    profile: Profile,
    site: Annotated[str | None, typer.Option(metavar="NAME", help="To this site only.")] = None,
    as_json: Json = False,
) -> None:
    """Write to the sites that were asked."""
    _tell(_call(profile, "query.note", {"id": id, "text": words, "site": site}), as_json)


@query.command()
def retry(
    id: QueryId,
    profile: Profile,
    without: Annotated[str, typer.Option(metavar="NAMES", help="Sites to do without, by comma.")] = "",
    as_json: Json = False,
) -> None:
    """Have another quorum open the result; at most three attempts in all."""
    names = [name.strip() for name in without.split(",") if name.strip()]
    _tell(_call(profile, "query.retry", {"id": id, "without": names}), as_json)


_INTERVALS: dict[str, Interval] = {"loglog": "loglog", "greenwood": "greenwood", "none": "none"}


@query.command()
def export(
    id: QueryId,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to save it.")],
    *,
    format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="png, svg, pdf, csv or bundle; else as the file's suffix says."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file if there is one.")] = False,
    language: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="en, fr or de; else the language of this program.")
    ] = None,
    interval: Annotated[
        str, typer.Option(metavar="KIND", help="Bands of survival curves: loglog, greenwood or none.")
    ] = "loglog",
    hide: Annotated[
        list[str] | None, typer.Option(metavar="GROUP", help="Leave this group out of the figure; may be repeated.")
    ] = None,
    shares: Annotated[bool, typer.Option("--shares", help="Draw shares and not counts.")] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Draw those with the event so far, not those without.")
    ] = False,
    hazard_ratios: Annotated[
        bool, typer.Option("--hazard-ratios", help="Draw hazard ratios and not survival curves.")
    ] = False,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Save an answer as figure, report, table, or one bundle of all."""
    from app.core.services import exporting
    from app.core.services.connect import connect

    wanted = exporting.format_of(to, format)
    if language not in (None, *LANGUAGES):
        raise typer.BadParameter(", ".join(LANGUAGES), param_hint="--language")
    if interval not in _INTERVALS:
        raise typer.BadParameter(", ".join(_INTERVALS), param_hint="--interval")
    with connect(profile) as site:
        found = exporting.gather(site.call, id)
    from app.plots.exporting import Options, exported

    options = Options(
        interval=_INTERVALS[interval],
        hidden=frozenset(hide or ()),
        shares=shares,
        events=events,
        hazard_ratios=hazard_ratios,
    )
    data = exported(found, wanted, language or preferred_language(), options)
    exporting.save(to, data, replace=replace)
    told = {"path": str(to), "format": wanted, "bytes": len(data)}
    answer(told, as_json, text("cli.query.exported", path=to, bytes=len(data)))


def _call(profile: Path, name: str, values: dict[str, Any]) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call(name, values)


def _tell(found: dict[str, Any], as_json: bool) -> None:
    lines = [_line(found)]
    if found["project"]:
        lines.append(text("cli.query.asked_under", person=found["asked_by"], project=found["project"]))
    elif found["asked_by"]:
        lines.append(text("cli.query.asked_by", person=found["asked_by"]))
    for each in found["sites"]:
        lines.append(_site_line(each))
        if each["site"] in found["awaited"]["sites"] and each["state"] in _PATIENCE:
            since = _local(each["since"] or found["asked"])
            lines.append(text("cli.query.telephone", time=since, contact=each["contact"]))
    lines += price_lines(found["price"])
    lines += _result_lines(found)
    lines += [text("cli.query.note", site=each["site"], text=each["text"]) for each in found["notes"] if each["text"]]
    answer(_for_json(found), as_json, *lines)


def _tell_outcome(found: dict[str, Any], as_json: bool) -> None:
    """Tell what became of a query, also by the exit code."""
    _tell(found, as_json)
    if found["state"] in ("failed", "expired"):
        raise typer.Exit(1)


def _for_json(found: dict[str, Any]) -> dict[str, Any]:
    """Return a query without its canonical bytes, which its text says as well, and without the catalogue's."""
    return {name: value for name, value in found.items() if name not in ("query", "catalogue")}


def _line(found: dict[str, Any]) -> str:
    from app.core.analysis.results import BELOW, withheld_of

    id, asked = found["id"][:12], found["text"]
    released = found["answer"]
    if released is None:
        state = text(f"cli.query.state.{found['state']}")
        if found["code"]:
            state = text("cli.query.state_why", state=state, why=explain_code(found["code"]))
        return text("cli.query.open", id=id, text=asked, state=state)
    sites = len(released["contributors"])
    if released["count"] is None:
        key = "cli.query.analysed" if released["exact"] else "cli.query.analysed_noised"
        return text(key, id=id, text=asked, sites=sites)
    if (withheld := withheld_of(released["count"])) is not None:
        key = "cli.query.below" if withheld.why == BELOW else "cli.query.withheld"
        return text(key, id=id, text=asked, least=withheld.least, sites=sites)
    key = "cli.query.exact" if released["exact"] else "cli.query.noised"
    return text(key, id=id, text=asked, count=released["count"], width=released["half_width"], sites=sites)


def _result_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the tables of an answered analysis, of all sites together and of each site that was told."""
    from app.cli.results import table_lines
    from app.core.catalogue.model import Catalogue

    released = found["answer"]
    if released is None or "catalogue" not in found or (released["count"] is not None and not found["per_site"]):
        return []
    catalogue, lines = Catalogue.from_cbor(found["catalogue"]), []
    for each in released["results"]:
        title = text("cli.query.results_of", site=each["site"]) if each["site"] else text("cli.query.all_sites")
        lines += [title, *table_lines(each["result"], catalogue)]
    return lines


_PATIENCE = ("sent", "delivered", "waiting")
"""States of a site in which a telephone call may help."""


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()


def _site_line(each: dict[str, Any]) -> str:
    name = each["state"].replace(" ", "_")
    state = text(f"cli.query.site_state.{name}", percent=each["percent"])
    if each["code"] and each["state"] in ("declined", "refused", "variable missing"):
        state = text("cli.query.state_why", state=state, why=explain_code(each["code"], None, each["reason"]))
    return text("cli.query.site", site=each["site"], state=state)


_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def _moment(said: str) -> int:
    """Return a deadline in UTC ms: from now on, as in 30m, 8h, 3d, or a date and time in the local zone."""
    try:
        if said[-1:] in _UNITS:
            return SystemClock().now() + int(said[:-1]) * _UNITS[said[-1]]
        return int(datetime.fromisoformat(said).astimezone().timestamp() * 1000)
    except ValueError as error:
        raise typer.BadParameter(f"“{said}” is no time; write 30m, 8h, 3d or 2026-12-24T18:00") from error
