"""One decryption share for one ciphertext, through the share ledger: reserve, compute, store; then it may be sent."""

from __future__ import annotations

from app.core import codec
from app.core.crypto.release import Opening
from app.core.errors import Bug
from app.core.federation import ceremony_work as work
from app.core.federation import smallest_work
from app.core.federation.local_site import LocalSite
from app.core.federation.smallest_work import Mask
from app.core.secret import SecretBytes

_PURPOSE = "share randomness"


def decryption_share(site: LocalSite, opening: Opening, bits: int, hidden_by: Mask | None = None) -> bytes:
    """Return our share of ``opening``: the stored one, or a new one for which the ledger has room.

    ``hidden_by`` says which of our masks it carries; they come from bytes that are reserved too.

    The randomness is stored with the reservation, so a program that died between reserving and storing computes the
    same bytes again. Raises ProtocolViolation ``ledger.already_used`` for a ciphertext or attempt used before, and for
    a mask (c1) that was opened before under other values.
    """
    if opening.total.parameters is not site.roster.parameters:
        raise Bug("federation.foreign_parameters")
    ledger = site.profile.shares
    mask = opening.total.mask_hash()
    context = mask + opening.digest()
    entry = ledger.reserve(
        mask,
        session=opening.session,
        attempt=opening.attempt,
        quorum=codec.encode([list(opening.quorum), opening.digest()]),
        sealed_randomness=site.cipher.encrypt(_PURPOSE, site.random(32), context),
        now=site.clock.now(),
    )
    if entry.share is not None:
        return entry.share
    randomness = SecretBytes(site.cipher.decrypt(_PURPOSE, entry.sealed_randomness, context))
    dealt = site.dealt_share()
    pads = {other: dealt.pads[other] for other in opening.quorum if other != site.position}
    given = opening, bits, site.position, dealt.value, pads, randomness
    share = (
        site.compute(work.decryption_share, *given)
        if hidden_by is None
        else site.compute(smallest_work.masked_share, *given, hidden_by)
    )
    ledger.store(mask, share, now=site.clock.now())
    return share
