"""What the states of a federation are called on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.errors import PeerProblem
from app.texts import explain, explain_code, text
from app.ui.views.federation.model import Federation, Site

_STATE_TONES = {
    "us": ("plain", "computer"),
    "invited": ("plain", "message"),
    "expired": ("caution", "clock"),
    "joined": ("accent", "phone"),
    "confirmed by us": ("accent", "clock"),
    "confirmed by them": ("accent", "phone"),
    "confirmed": ("positive", "check"),
    "asked to sign": ("accent", "clock"),
    "late to sign": ("caution", "clock"),
    "does not sign": ("danger", "close"),
    "signed": ("positive", "check"),
    "in the ceremony": ("positive", "check"),
    "awaited": ("accent", "running"),
    "ready": ("positive", "check"),
    "ready, not backed up": ("caution", "warning"),
}


def state_look(state: str) -> tuple[str, str]:
    """Return the tone and the icon of a site's state."""
    return _STATE_TONES.get(state, ("plain", ""))


def state_words(site: Site) -> str:
    """Return a site's state in a few words."""
    words = {
        "us": text("ui.federation.state_us"),
        "invited": text("ui.federation.state_invited"),
        "expired": text("ui.federation.state_expired"),
        "joined": text("ui.federation.state_joined"),
        "confirmed by us": text("ui.federation.state_confirmed_by_us"),
        "confirmed by them": text("ui.federation.state_confirmed_by_them"),
        "confirmed": text("ui.federation.state_confirmed"),
        "asked to sign": text("ui.federation.state_asked"),
        "late to sign": text("ui.federation.state_late"),
        "does not sign": text("ui.federation.state_refused"),
        "signed": text("ui.federation.state_signed"),
        "in the ceremony": text("ui.federation.state_ceremony"),
        "awaited": text("ui.federation.state_awaited"),
        "ready": text("ui.federation.state_ready"),
        "ready, not backed up": text("ui.federation.state_not_backed_up"),
    }
    return words.get(site.state, site.state)


def quorum_words(quorum: int, of: int) -> tuple[str, str]:
    """Return who can open a result, in a sentence, and what follows from it."""
    if of <= quorum:
        return text("ui.federation.quorum_all", of=of), text("ui.federation.quorum_all_more")
    away = of - quorum
    more = text("ui.federation.quorum_more", fewer=quorum - 1, away=away)
    return text("ui.federation.quorum", quorum=quorum, of=of), more


def round_words(name: str) -> str:
    """Return what the ceremony's round makes."""
    rounds = {
        "randomness": text("ui.federation.round_randomness"),
        "public key": text("ui.federation.round_public_key"),
        "relinearization 1": text("ui.federation.round_relinearization_1"),
        "relinearization 2": text("ui.federation.round_relinearization_2"),
        "rotation": text("ui.federation.round_rotation"),
        "dealing": text("ui.federation.round_dealing"),
        "check": text("ui.federation.round_check"),
        "confirm": text("ui.federation.round_confirm"),
    }
    return rounds.get(name, name)


def said(code: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """Return what an error is about, and what to do; also one of which another site tells only the code."""
    told = explain(PeerProblem(code, **{name: value for name, value in params.items() if name not in ("self", "code")}))
    if told.what.startswith(f"{code}("):
        return explain_code(code), ""
    return told.what, told.next


def names(sites: list[Site] | tuple[Site, ...]) -> str:
    """Return the sites' names in a row."""
    return ", ".join(each.name for each in sites)


def subtitle(found: Federation) -> str:
    """Return what stands beside the federation's name."""
    return text("ui.federation.subtitle", count=found.of or len(found.sites), site=found.site)


def place_words(keyring: str, description: str) -> str:
    """Return where the keys are kept."""
    places = {
        "secret-service": text("ui.federation.place_secret_service"),
        "kwallet": text("ui.federation.place_kwallet"),
        "windows": text("ui.federation.place_windows"),
        "macos": text("ui.federation.place_macos"),
        "passphrase-file": text("ui.federation.place_file", path=description),
    }
    return places.get(keyring, keyring)
