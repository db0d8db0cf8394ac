"""How requests are said: their state in a word, what happened to them, what the policy makes of them."""

from __future__ import annotations

from app.core.disclosure.judgement import Verdict
from app.core.services.runs import ClosedCounts
from app.texts import explain_code, text
from app.ui.locale import day, moment, number, whole_moment
from app.ui.models import paying as costs
from app.ui.models.naming import Names
from app.ui.models.person import Person, role_name
from app.ui.models.projects import Project
from app.ui.models.releasing import Releasing, usual_noise
from app.ui.models.requests import Asked, Preview, Price, Standing
from app.ui.views.requests.findings import rule_step
from app.ui.widgets.entries import Entry, initials_of
from app.ui.widgets.feedback import TimelineStep

_LOOK = {
    Standing.WAITING: ("caution", "person"),
    Standing.BY_RULE: ("positive", "check"),
    Standing.BY_PERSON: ("positive", "check"),
    Standing.ANSWERING: ("accent", "running"),
    Standing.DECLINED: ("danger", "close"),
    Standing.REFUSED: ("danger", "close"),
    Standing.HELPING: ("plain", "key"),
    Standing.MISSED: ("plain", "clock"),
    Standing.ENDED: ("plain", "stop"),
}


def asker_words(asked: Asked) -> str:
    """Return who asks: the person with the site, or the site."""
    return text("ui.names.person", person=asked.person, site=asked.asker) if asked.person else asked.asker


def chip(asked: Asked, own: str) -> tuple[str, str, str]:
    """Return the word, tone and icon of a request's state."""
    standing = asked.standing(own)
    return (text(f"ui.requests.standing.{standing}"), *_LOOK[standing])


def entries(requests: list[Asked], own: str, sentences: dict[str, str]) -> list[Entry]:
    """Return the list: those that wait for a person first."""
    waiting = [each for each in requests if each.waiting]
    earlier = [each for each in requests if not each.waiting]
    found = []
    if waiting:
        words = text("ui.requests.waiting", count=number(len(waiting)))
        found.append(Entry("waiting", words, heading=True))
        found += [_entry(each, own, sentences) for each in waiting]
    if earlier:
        found.append(Entry("earlier", text("ui.requests.earlier"), heading=True))
        found += [_entry(each, own, sentences) for each in earlier]
    return found


def _entry(asked: Asked, own: str, sentences: dict[str, str]) -> Entry:
    return Entry(
        key=asked.id,
        title=asker_words(asked),
        when=moment(asked.received),
        words=sentences.get(asked.id, asked.text),
        chip=chip(asked, own),
        initials=initials_of(asked.asker),
        marked=asked.waiting,
    )


def preview(found: Preview, asked: Asked, names: Names) -> list[TimelineStep]:
    """Return what this site would do with a request: each rule, whether it holds, and whose rule it is."""
    steps = [_member(asked), *(rule_step(each, found.version, names) for each in found.findings)]
    if found.price is not None:
        steps.append(_affordable(found.price))
    return [*steps, _fate(found, asked)]


def _member(asked: Asked) -> TimelineStep:
    if asked.person:
        words = text("ui.requests.rule.person_why", person=asked.person, site=asked.asker)
        return TimelineStep("done", text("ui.requests.rule.person"), words)
    words = text("ui.requests.rule.member_why", site=asked.asker)
    return TimelineStep("done", text("ui.requests.rule.member"), words)


def _affordable(price: Price) -> TimelineStep:
    return TimelineStep("done" if price.enough else "failed", text("ui.requests.rule.budget"), costs.price(price))


def _fate(found: Preview, asked: Asked) -> TimelineStep:
    if found.verdict is Verdict.DECLINE or (found.price is not None and not found.price.enough):
        words = text("ui.requests.fate.declined_why", site=asked.asker)
        return TimelineStep("failed", text("ui.requests.fate.declined"), words)
    if found.verdict is Verdict.ASK:
        return TimelineStep("waiting", text("ui.requests.fate.waits"), text("ui.requests.fate.waits_why"))
    return TimelineStep("done", text("ui.requests.fate.answered"), text("ui.requests.fate.answered_why"))


def role_words(person: Person | None, project: Project | None) -> str:
    """Return in which role somebody asks, under which project and until when: one line; empty for the site itself."""
    parts = []
    if person is not None:
        parts.append(role_name(person.role) if person.role else "")
        if person.until:
            parts.append(text("ui.requests.endorsed_until", when=day(person.until)))
    if project is not None:
        parts.append(text("ui.requests.under_project", title=project.title))
        if project.until:
            parts.append(text("ui.requests.project_until", when=day(project.until)))
    return " · ".join(filter(None, parts))


def always(asked: Asked) -> str:
    """Return what always answering this kind means."""
    kind = text(f"ui.requests.kind.{asked.analysis}")
    if asked.person and asked.project:
        values = {"kind": kind, "person": asked.person, "site": asked.asker, "project": asked.project}
        return text("ui.requests.always.project", **values)
    if asked.person:
        return text("ui.requests.always.person", kind=kind, person=asked.person, site=asked.asker)
    return text("ui.requests.always.site", kind=kind, site=asked.asker)


def history(asked: Asked, own: str) -> list[TimelineStep]:
    """Return what has happened to a request so far."""
    standing = asked.standing(own)
    steps = [TimelineStep("done", text("ui.requests.past.came", site=asked.asker), "", moment(asked.received))]
    state = {
        Standing.WAITING: "waiting",
        Standing.ANSWERING: "running",
        Standing.DECLINED: "failed",
        Standing.REFUSED: "failed",
        Standing.MISSED: "failed",
        Standing.ENDED: "later",
    }.get(standing, "done")
    why = asked.code if standing is Standing.REFUSED else ""
    words = explain_code(why) if why else text(f"ui.requests.happened.{standing}_why")
    steps.append(TimelineStep(state, text(f"ui.requests.happened.{standing}"), words))
    if asked.state == "done":
        steps.append(TimelineStep("done", text("ui.requests.past.opened", site=asked.asker)))
    elif asked.state == "over":
        steps.append(TimelineStep("failed", text("ui.requests.past.over"), explain_code(asked.code)))
    elif asked.state == "open" and standing is not Standing.ANSWERING:
        steps.append(TimelineStep("later", text("ui.requests.past.others")))
    return steps


def released(asked: Asked, releasing: Releasing | None) -> list[tuple[str, str, str]]:
    """Return what would be released: (icon, title, words); ``releasing`` None is not known yet, or cannot be."""
    found = [_numbers(asked, releasing), _noise(asked, releasing)]
    if asked.closed_counts is not None:
        found.append(("eye-off", text("ui.requests.fact.small"), closed(asked.closed_counts)))
    least = text("ui.requests.fact.least", count=asked.minimum)
    found.append(("shield-check", least, text("ui.requests.fact.least_why", count=asked.minimum)))
    return found


def closed(counts: ClosedCounts) -> str:
    """Return which small counts stay closed, and what keeps them so."""
    why = text("ui.requests.fact.small_why", least=number(int(counts.zeros)), most=number(counts.least - 1))
    return why if counts.by_cryptography else f"{why} {text('ui.requests.fact.small_program')}"


def _numbers(asked: Asked, releasing: Releasing | None) -> tuple[str, str, str]:
    """Return how many numbers, of whom, and what they count or add up."""
    if releasing is None:
        return "people", text("ui.requests.fact.one"), text("ui.requests.fact.one_why")
    said = text(f"ui.requests.release.{releasing.analysis}", variables=", ".join(releasing.variables))
    count = number(releasing.numbers)
    if asked.per_site:
        one = releasing.numbers == 1
        title = text("ui.requests.fact.one_each") if one else text("ui.requests.fact.many_each", count=count)
        return "eye", title, f"{said} {text('ui.requests.fact.each_why')}"
    if releasing.numbers == 1:
        return "people", text("ui.requests.fact.one"), f"{said} {text('ui.requests.fact.one_why')}"
    return "people", text("ui.requests.fact.many", count=count), f"{said} {text('ui.requests.fact.total_why')}"


def _noise(asked: Asked, releasing: Releasing | None) -> tuple[str, str, str]:
    if asked.exact:
        return "number", text("ui.requests.fact.exact"), text("ui.requests.fact.exact_why")
    if releasing is None or (releasing.numbers == 1 and not releasing.sums):
        most = usual_noise(asked.epsilon)
        return "noise", text("ui.requests.fact.noise"), text("ui.requests.fact.noise_why", most=number(most))
    words = text("ui.requests.fact.noise_many_why", most=number(usual_noise(asked.epsilon, releasing.counts)))
    if releasing.sums:
        words = f"{words} {text('ui.requests.fact.noise_sums')}"
    return "noise", text("ui.requests.fact.noise"), words


def deadline(asked: Asked) -> str:
    """Return until when an answer is wanted."""
    if not asked.deadline:
        return text("ui.requests.no_deadline")
    return text("ui.requests.deadline", when=whole_moment(asked.deadline))
