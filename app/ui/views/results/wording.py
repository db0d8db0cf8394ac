"""How runs are said: their state in a few words, where each site is, how sure an answer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.services.runs import Run, RunAnswer, RunSite
from app.texts import explain_code, text
from app.ui.locale import moment, number, percent
from app.ui.widgets.entries import Entry

Look = tuple[str, str]

_SITE: Mapping[str, Look] = {
    "sent": ("plain", "clock"),
    "delivered": ("plain", "requests"),
    "waiting": ("caution", "person"),
    "approved": ("accent", "check"),
    "computing": ("accent", "running"),
    "committed": ("accent", "lock"),
    "answered": ("positive", "check"),
    "declined": ("danger", "close"),
    "no dataset": ("plain", "data"),
    "variable missing": ("plain", "minus-circle"),
    "late": ("caution", "clock"),
    "refused": ("danger", "stop"),
    "not needed": ("plain", "minus"),
}
_GAP = "…"
"""Stands in an explanation for what only the other site knows."""
_RUN: Mapping[str, tuple[str, str]] = {
    "released": ("check-circle", "pos"),
    "failed": ("close-circle", "dan"),
    "cancelled": ("stop", "text2"),
    "expired": ("clock", "cau"),
}
COUNT = "count"
ANALYSES: Mapping[str, str] = {
    "count": "number",
    "breakdown": "bars",
    "histogram": "bars",
    "table": "table",
    "summary": "layers",
    "compare": "compare",
    "correlate": "link",
    "regress": "results",
    "survival": "survival",
    "attrition": "filter",
}
"""The icon of each analysis."""
ALL, OPEN, ANSWERED, ENDED = "all", "open", "answered", "ended"
FILTERS = (ALL, OPEN, ANSWERED, ENDED)


def site_look(site: RunSite) -> Look:
    """Return the tone and the icon of where a site is."""
    return _SITE.get(site.state, ("plain", "clock"))


def site_words(site: RunSite) -> str:
    """Return where a site is, with the reason where there is one."""
    name = site.state.replace(" ", "_")
    said = text(f"ui.results.site.{name}", percent=percent((site.percent or 0) / 100))
    if site.code and site.state in ("declined", "refused"):
        return text("ui.results.because", what=said, why=explain_code(site.code, None, site.reason))
    return said


def site_chip(site: RunSite) -> tuple[str, str, str]:
    """Return a site's chip in the list."""
    tone, icon = site_look(site)
    if site.state == "computing" and site.percent is not None:
        return f"{site.name} {percent(site.percent / 100)}", tone, icon
    return site.name, tone, icon


def run_look(run: Run) -> Look:
    """Return the icon of a run's state and its colour."""
    return _RUN.get(run.state, ("running", "acc"))


def run_words(run: Run) -> str:
    """Return in a few words where a run is."""
    if run.answer is not None:
        return text("ui.results.answered_by", count=len(run.answer.contributors), of=len(run.sites))
    if run.open:
        return _open_words(run)
    return text(f"ui.run.{run.state}")


def _open_words(run: Run) -> str:
    computing = [each for each in run.sites if each.state == "computing"]
    persons = [each.name for each in run.sites if each.state == "waiting"]
    if run.state == "closed":
        missing = names(run.awaited)
        return text("ui.results.opening_with", sites=missing) if missing else text("ui.results.opening")
    if (done := fraction(run)) is not None and computing:
        return text("ui.results.computing", percent=percent(done))
    if persons:
        return text("ui.results.waiting_person", sites=names(persons))
    if run.awaited:
        return text("ui.results.waiting_for", sites=names(run.awaited))
    return text("ui.run.sent")


def fraction(run: Run) -> float | None:
    """Return how much of the computing that is under way is done, None if none is."""
    percents = [each.percent or 0 for each in run.sites if each.state == "computing"]
    return sum(percents) / len(percents) / 100 if percents and run.open else None


def names(sites: Sequence[str]) -> str:
    """Return the names as one writes them in a sentence."""
    if len(sites) < 2:
        return "".join(sites)
    return text("ui.results.names", first=", ".join(sites[:-1]), last=sites[-1])


def uncertainty(answer: RunAnswer) -> tuple[str, str]:
    """Return how sure an answer is: what surrounds it, and why."""
    if answer.exact:
        return text("ui.results.exact"), text("ui.results.exact_why")
    words = text("ui.results.interval", low=number(answer.low), high=number(answer.high))
    return words, text("ui.results.noise_why", count=len(answer.contributors))


def spoken_answer(run: Run) -> str:
    """Return a run's answer as a screen reader says it: a count; of other analyses, which one is there."""
    if run.answer is None:
        return ""
    if run.analysis in ANALYSES and run.analysis != COUNT:
        return text(f"ui.results.analysis.{run.analysis}")
    if run.answer.withheld is not None:
        return text("ui.results.withheld_why", least=run.answer.withheld.least)
    return f"{number(run.answer.count)} {text('ui.results.patients')}. {uncertainty(run.answer)[0]}"


def ended_words(run: Run) -> str:
    """Return why a run came to no answer, as far as that can be said whole, and what to do about it."""
    why = explain_code(run.code) if run.code and run.state == "failed" else ""
    return " ".join(filter(None, ("" if _GAP in why else why, text(f"ui.results.next.{run.state}"))))


def duration(milliseconds: int) -> str:
    """Return how long something took, roughly."""
    seconds = max(milliseconds, 0) / 1000
    if seconds < 90:
        return text("ui.results.seconds", count=number(max(round(seconds), 1)))
    if seconds < 5400:
        return text("ui.results.minutes", count=number(round(seconds / 60)))
    if seconds < 129_600:
        return text("ui.results.hours", count=number(round(seconds / 3600)))
    return text("ui.results.days", count=number(round(seconds / 86_400)))


def entries(runs: Sequence[Run], titles: Mapping[str, str], sought: str, shown: str) -> list[Entry]:
    """Return the list: the runs that the search and the filter let through."""
    words = sought.casefold().split()
    return [
        _entry(run, titles.get(run.id, run.text))
        for run in runs
        if _passes(run, shown) and all(word in _searched(run, titles) for word in words)
    ]


def _passes(run: Run, shown: str) -> bool:
    kind = OPEN if run.open else ANSWERED if run.answer is not None else ENDED
    return shown in (ALL, kind)


def _searched(run: Run, titles: Mapping[str, str]) -> str:
    sites = " ".join(each.name for each in run.sites)
    analysis = text(f"ui.results.analysis.{run.analysis}") if run.analysis in ANALYSES else ""
    return f"{titles.get(run.id, '')} {run.text} {run.purpose} {run.id} {sites} {analysis}".casefold()


def _entry(run: Run, title: str) -> Entry:
    states = "; ".join(f"{each.name}: {site_words(each)}" for each in run.sites)
    return Entry(
        key=run.id,
        title=title[:1].upper() + title[1:],
        when=moment(run.asked),
        words=run_words(run),
        tall=True,
        icon_name=ANALYSES.get(run.analysis, "number") if run.answer is not None or run.open else run_look(run)[0],
        fraction=fraction(run),
        chips=tuple(site_chip(each) for each in run.sites),
        more=states,
    )
