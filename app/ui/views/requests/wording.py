"""How requests are said: their state in a word, what happened to them, what the policy makes of them."""

from __future__ import annotations

from app.core.disclosure.policy import Policy
from app.texts import explain_code, text
from app.ui.locale import moment, number, whole_moment
from app.ui.models.requests import Asked, Fate, Standing, fate
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
        title=asked.asker,
        when=moment(asked.received),
        words=sentences.get(asked.id, asked.text),
        chip=chip(asked, own),
        initials=initials_of(asked.asker),
        marked=asked.waiting,
    )


def preview(policy: Policy, asked: Asked) -> list[TimelineStep]:
    """Return what ``policy`` would do with a request, rule by rule."""
    found, why = fate(policy, asked)
    allowed = policy.exact if asked.exact else policy.noised
    kind = "exact" if asked.exact else "noised"
    steps = [
        TimelineStep("done", text("ui.requests.rule.member"), text("ui.requests.rule.member_why", site=asked.asker)),
        TimelineStep("done", text("ui.requests.rule.total"), text("ui.requests.rule.total_why")),
        _rule(allowed, text(f"ui.requests.number.{kind}"), text(f"ui.requests.number.{kind}_{_yes(allowed)}")),
        _rule(
            asked.others >= policy.others,
            text("ui.requests.rule.enough"),
            text("ui.requests.rule.enough_why", others=asked.others, least=policy.others),
        ),
    ]
    match found:
        case Fate.WAITS:
            end = TimelineStep("waiting", text("ui.requests.fate.waits"), text("ui.requests.fate.waits_why"))
        case Fate.ANSWERED:
            end = TimelineStep("done", text("ui.requests.fate.answered"), text("ui.requests.fate.answered_why"))
        case Fate.DECLINED:
            end = TimelineStep("failed", text("ui.requests.fate.declined"), explain_code(why))
    return [*steps, end]


def _rule(kept: bool, title: str, words: str) -> TimelineStep:
    return TimelineStep("done" if kept else "failed", title, words)


def _yes(allowed: bool) -> str:
    return "allowed" if allowed else "forbidden"


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


def deadline(asked: Asked) -> str:
    """Return until when an answer is wanted."""
    if not asked.deadline:
        return text("ui.requests.no_deadline")
    return text("ui.requests.deadline", when=whole_moment(asked.deadline))
