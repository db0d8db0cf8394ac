"""Messages that the relay will never take: they are not sent again and again, but recorded as refused, and shown."""

from __future__ import annotations

from app.core.errors import ConsiliumError
from app.core.federation import envelope as envelopes
from app.core.services.profile import OpenProfile
from app.core.store.messages import OutMessage

CODE = "mail.undeliverable"

_FOR_GOOD = frozenset(
    {
        "relay.malformed",
        "relay.not_yours",
        "relay.id_used_twice",
        "relay.too_large",
        "relay.envelope_refused",
        "relay.recipient_unknown",
        "relay.message_expired",
    }
)
"""Refusals that say something of the message itself, whose bytes never change. All others may end: clocks are set,
disks are emptied, mailboxes read, proxies mended."""


def is_final(problem: ConsiliumError) -> bool:
    """Return whether sending the same message again cannot help."""
    return problem.code in _FOR_GOOD


def give_up(profile: OpenProfile, message: OutMessage, problem: ConsiliumError) -> None:
    """Note that a message was refused for good: it waits no longer."""
    now, details = profile.clock.now(), {"reason": problem.code, "type": envelopes.claimed(message.envelope).type}
    with profile.store.database.atomic():
        profile.store.outbox.mark_sent(message.id, now=now)
        profile.store.refusals.add(CODE, sender=None, details=details, now=now)
