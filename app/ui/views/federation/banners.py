"""What the view says at its top: what went wrong while coming together, and what should be done soon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.texts import explain_code, text
from app.ui.locale import whole_moment
from app.ui.models.overview import Overview
from app.ui.views.federation.model import FAILED, JOINING, NONE, READY, SIGNING, Federation
from app.ui.views.federation.sentences import names, said
from app.ui.widgets.feedback import Banner


class Deeds(Protocol):
    """What the banners' buttons do."""

    def invite(self, name: str = "", *, again: bool = False) -> object: ...
    def check_relay(self) -> object: ...
    def print_sheet(self) -> object: ...
    def dismiss(self, key: object) -> object: ...


@dataclass(frozen=True)
class Told:
    """A banner that is due; ``key`` says when it is still the same one."""

    key: object
    make: Callable[[], Banner]


def banners_for(found: Federation, overview: Overview, keys: Mapping[str, Any] | None, deeds: Deeds) -> list[Told]:
    """Return the banners that are due, the most pressing first."""
    if found.stage in {"", NONE}:
        return []
    due = [*_failed(found), *_refused(found, deeds), *_expired(found, deeds), *_unsigned(found)]
    due += [*_relay(overview, deeds), *_not_backed_up(found, overview, keys, deeds), *_versions(found)]
    return due


def _failed(found: Federation) -> list[Told]:
    if found.stage != FAILED:
        return []
    what, cure = said(found.code, {"site": found.blamed})
    fact = text("ui.federation.failed")
    return [Told(("failed", found.code, found.blamed), lambda: Banner("danger", fact, f"{what} {cure}".strip()))]


def _refused(found: Federation, deeds: Deeds) -> list[Told]:
    """The latest thing that was refused: somebody may have tried something."""
    if not found.refusals or found.stage == READY:
        return []
    last = max(found.refusals, key=lambda each: each.time)
    what, cure = said(last.code, last.params)
    fact = text("ui.federation.refused", time=whole_moment(last.time), what=what)
    key = ("refused", last.time, last.code)
    return [Told(key, lambda: Banner("caution", fact, cure, closed=lambda: deeds.dismiss(key)))]


def _expired(found: Federation, deeds: Deeds) -> list[Told]:
    expired = [each for each in found.sites if each.state == "expired"]
    if not expired or not found.creator or found.stage != JOINING:
        return []
    first = expired[0].name
    fact = text("ui.federation.expired", sites=names(expired))
    action = (text("ui.federation.invite_anew"), lambda: deeds.invite(first, again=True))
    return [Told(("expired", names(expired)), lambda: Banner("caution", fact, action=action))]


def _unsigned(found: Federation) -> list[Told]:
    if found.stage != SIGNING:
        return []
    refusing = [each for each in found.sites if each.state == "does not sign"]
    return [
        Told(
            ("unsigned", each.name, each.reason),
            lambda each=each: Banner(  # type: ignore[misc]
                "danger",
                text("ui.federation.line_refused", site=each.name),
                " ".join(said(each.reason, {"site": each.name})),
            ),
        )
        for each in refusing
    ]


def _relay(overview: Overview, deeds: Deeds) -> list[Told]:
    if overview.connection not in {"trouble", "offline"} or not overview.trouble:
        return []
    code = overview.trouble
    key = "ui.federation.relay_trouble" if overview.connection == "trouble" else "ui.federation.relay_offline"
    action = (text("ui.federation.check_relay"), deeds.check_relay)
    return [Told(("relay", code), lambda: Banner("caution", text(key), _what(code), action=action))]


def _what(code: str) -> str:
    """Return what is in the way, unless that names something which only the check knows."""
    told = explain_code(code)
    return text("ui.federation.relay_see") if "…" in told else told


def _not_backed_up(found: Federation, overview: Overview, keys: Mapping[str, Any] | None, deeds: Deeds) -> list[Told]:
    if found.stage != READY or overview.pretend or keys is None or keys["backups"]:
        return []
    action = (text("ui.federation.print_sheet"), deeds.print_sheet)
    fact, meaning = text("ui.federation.unsafe"), text("ui.federation.unsafe_words", site=found.site)
    return [Told("unsafe", lambda: Banner("caution", fact, meaning, action=action))]


def _versions(found: Federation) -> list[Told]:
    """Sites that run another version than ours, once that matters."""
    own = next((each.program for each in found.sites if each.own), "")
    other = [each for each in found.sites if each.program and own and each.program != own]
    if not other:
        return []
    listed = ", ".join(f"{each.name} ({each.program})" for each in other)
    fact = text("ui.federation.other_versions", sites=listed, own=own)
    return [Told(("versions", listed), lambda: Banner("info", fact, text("ui.federation.other_versions_words")))]
