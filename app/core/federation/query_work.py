"""One site's work on a query: its contribution, its decryption share, and, as the asker, the opened numbers.

A contribution is made once per attempt and kept, encrypted, in the transaction that queues the commitment to it; a
decryption share once per ciphertext (:mod:`app.core.federation.opening`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core import codec
from app.core.crypto import release
from app.core.crypto.identity import SealingKey
from app.core.crypto.parameters import RELEASE_PRIMES
from app.core.crypto.release import Contribution, DecryptionProtocol, Opening
from app.core.errors import Bug, ProtocolViolation
from app.core.federation import audit, charging, decisions, people, sets_of_sites
from app.core.federation import ceremony_work as work
from app.core.federation import query_messages as messages
from app.core.federation.evaluations import Made
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.opening import decryption_share
from app.core.federation.query_messages import CONTRIBUTION_LIMIT
from app.core.federation.query_rounds import QueryHeard
from app.core.federation.query_smallest import SmallestCountWork
from app.core.query.canonical import query_hash
from app.core.secret import SecretBytes

_SHARE_PURPOSE = "decryption share v1"
_PAIR_PURPOSE = "smallest count v1"


class QueryWork:
    """What a site computes and says in queries, when it is its turn."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post) -> None:
        self._site = site
        self._mailroom = mailroom
        self._post = post
        self._parameters = site.roster.parameters
        self._smallest = SmallestCountWork(site, mailroom, post, self._blaming)

    # --- the asker's one-time key -----------------------------------------------------------------------------

    def new_key(self, session: bytes) -> SealingKey:
        """Make the key that results are sealed to, and keep it; inside ``database.atomic()``."""
        key = SealingKey.generate(self._site.random)
        self._site.keep_secret(_key_name(session), key.private.reveal())
        return key

    def forget(self, session: bytes, heard: QueryHeard) -> None:
        """Remove the contributions, those of others and our own, revealed or not; before :meth:`forget_secrets`."""
        names = {blob.name for blob in heard.contributions.values()}
        names.update(masks.blob.name for masks in heard.masks.values())
        for attempt in range(1, messages.MOST_ATTEMPTS + 1):
            if self._site.secret(_contribution_name(session, attempt)) is not None:
                names.add(hashlib.sha256(self.kept(session, attempt).contribution).digest())
            if (hidden := self._smallest.kept(session, attempt)) is not None:
                names.add(hidden.masks.blob.name)
        for name in names:
            self._site.profile.blobs.remove(name)

    def forget_secrets(self, session: bytes) -> None:
        """Remove what was kept for a query, the one-time key included; inside ``database.atomic()``."""
        for name in self._site.profile.sealed_secrets.names(f"query/{session.hex()}/"):
            self._site.profile.sealed_secrets.remove(name)

    # --- contributing -----------------------------------------------------------------------------------------

    def commit(self, session: bytes, heard: QueryHeard, attempt: int, made: Made) -> bool:
        """Keep our contribution and commit to it; return whether that was done, or a person has to decide by now.

        Rules may have changed while it was computed: they are looked at again. Raises as :func:`.decisions.allows`, and
        UserError ``budget.*``.
        """
        if made.price is not None and not decisions.allows(self._site, session, heard.asker, heard.request):
            return False
        contribution = self._parsed(made.contribution, heard)
        body = {
            "attempt": attempt,
            "request": heard.request.hash,
            "hash": contribution.hash(),
            "noise_bits": made.noise_bits,
        }
        kept = codec.encode({"contribution": made.contribution, "noise_bits": made.noise_bits})
        with self._site.profile.database.atomic():
            self._site.keep_secret(_contribution_name(session, attempt), kept)
            self._record("contribution", session, heard, attempt=attempt, dataset=self._dataset_version())
            if made.price is not None:
                charging.charge(self._site, session, heard.asker, heard.request, made.price)
            self._mailroom.post(messages.COMMIT, session, body)
        return True

    def made_again(self, session: bytes, heard: QueryHeard) -> Made:
        """Return our first contribution re-randomised, for another attempt."""
        first = self.kept(session, 1)
        again = self._site.compute(
            work.rerandomise, self._parameters.name, self._site.key_directory, first.contribution, heard.request.results
        )
        return Made(again, first.noise_bits + 1)  # a second encryption of zero is less than twice the noise

    def kept(self, session: bytes, attempt: int) -> Made:
        """Return the contribution that was committed to in an attempt."""
        kept = self._site.secret(_contribution_name(session, attempt))
        if kept is None:
            raise Bug("query.contribution_lost")
        value = codec.decode(kept, 1 << 21)
        return Made(value["contribution"], value["noise_bits"])

    def reveal(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        """Send our kept contribution to those who read it.

        Raises UserError ``budget.similar_set`` (the closed set), ``people.revoked``.
        """
        self._check_closed(session, heard)
        data = self.kept(session, attempt).contribution
        name = self._site.profile.blobs.put(data, limit=len(data))
        recipients = tuple(sorted({*heard.quorum, heard.asker}))
        body = {"attempt": attempt, "blob": name, "size": len(data)}
        self._say(messages.CONTRIBUTION, session, body, recipients)

    # --- opening ----------------------------------------------------------------------------------------------

    def _parsed(self, data: bytes, heard: QueryHeard) -> Contribution:
        return Contribution.from_bytes(self._parameters, data, RELEASE_PRIMES, heard.request.results)

    def _contributions(self, session: bytes, heard: QueryHeard, attempt: int) -> dict[int, Contribution]:
        """Return all contributions, each checked against its signed commitment and never seen before."""
        contributions = {}
        for position in heard.contributors:
            with self._blaming(position, "query.wrong_contribution"):
                name = heard.committed[attempt, position].hash  # a blob's name is the hash that was committed to
                self._mailroom.blob(self._post, name, CONTRIBUTION_LIMIT)
                contribution = self._parsed(self._site.profile.blobs.get(name, limit=CONTRIBUTION_LIMIT), heard)
            with self._blaming(position, "query.contribution_repeated"):
                self._site.profile.shares.note_contribution(
                    contribution.mask_hash(), session=session, attempt=attempt, sender=position
                )
            contributions[position] = contribution
        return contributions

    def _opening(self, session: bytes, heard: QueryHeard, attempt: int) -> tuple[Opening, int]:
        """Add up the contributions ourselves."""
        contributions = list(self._contributions(session, heard, attempt).values())
        total = release.aggregate_contributions(contributions)
        noise_bits = max(heard.committed[attempt, position].noise_bits for position in heard.contributors)
        bound = release.total_noise_bound(
            self._parameters, len(self._site.roster.sites), len(contributions), noise_bits
        )
        bits = release.flooding_bits(self._parameters, bound, heard.request.results)
        release.check_fits(self._parameters, RELEASE_PRIMES, bits, len(heard.quorum))
        return Opening(session, attempt, heard.quorum, total), bits

    def hide(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        """Draw the masks that withhold small counts, keep them, and commit to them; raises as :meth:`reveal`."""
        self._check_closed(session, heard)
        hidden = self._smallest.hide(session, heard, attempt, self._contributions(session, heard, attempt))
        with self._site.profile.database.atomic():
            self._smallest.keep(session, attempt, hidden)
            self._say(messages.MASK_COMMIT, session, {"attempt": attempt, "hash": hidden.masks.hash}, heard.quorum)

    def reveal_masks(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        """Send our kept masks to the quorum."""
        hidden = self._smallest.kept(session, attempt)
        if hidden is None:
            raise Bug("query.masks_lost")
        self._site.profile.blobs.put(hidden.encrypted, limit=messages.MASKS_LIMIT)
        self._say(messages.MASKS, session, hidden.masks.to_body(attempt), heard.quorum)

    def answer(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        """Send our decryption share of the sum to the asker; raises as :meth:`reveal`."""
        self._check_closed(session, heard)
        if heard.request.smallest is not None:
            share = self._smallest.share(session, heard, attempt, self._contributions(session, heard, attempt))
            sealed = heard.request.key.seal_to(_PAIR_PURPOSE, share, _about_pair(session, heard, attempt))
        else:
            opening, bits = self._opening(session, heard, attempt)
            share = decryption_share(self._site, opening, bits)
            sealed = heard.request.key.seal_to(_SHARE_PURPOSE, share, opening.digest())
        with self._site.profile.database.atomic():
            self._record("share", session, heard, attempt=attempt, quorum=self._names(heard.quorum))
            self._say(messages.SHARE, session, {"attempt": attempt, "sealed": sealed}, (heard.asker,))

    def _combined(self, session: bytes, heard: QueryHeard, attempt: int) -> list[int] | list[int | None]:
        private = self._site.secret(_key_name(session))
        if private is None:
            raise Bug("query.key_lost")
        key = SealingKey(SecretBytes(private))
        if heard.request.smallest is not None:
            answers, about = {}, _about_pair(session, heard, attempt)
            for position in heard.quorum:
                with self._blaming(position, "query.wrong_share"):
                    answers[position] = key.open(_PAIR_PURPOSE, heard.shares[attempt, position], about)
            return self._smallest.read(heard, answers)
        opening, bits = self._opening(session, heard, attempt)
        shares = {}
        for position in heard.quorum:
            with self._blaming(position, "query.wrong_share"):
                share = key.open(_SHARE_PURPOSE, heard.shares[attempt, position], opening.digest())
                shares[position] = release.share_from_bytes(
                    self._parameters, share, RELEASE_PRIMES, heard.request.results
                )
        return DecryptionProtocol(opening, bits).finish(shares)

    def release(self, session: bytes, heard: QueryHeard, attempt: int) -> None:
        """Open the result, keep it, and tell everyone that the query is over (asker)."""
        numbers = self._combined(session, heard, attempt)
        with self._site.profile.database.atomic():
            self._site.profile.releases.add(
                session,
                query_hash=query_hash(heard.request.query, self._site.catalogue_of(heard.request.meanings)),
                data=codec.encode(numbers),
                now=self._site.clock.now(),
            )
            names = self._names(heard.contributors), self._names(heard.quorum)
            self._record("released", session, heard, attempt=attempt, from_sites=names[0], quorum=names[1])
            self._mailroom.post(messages.RELEASED, session, {})

    def _check_closed(self, session: bytes, heard: QueryHeard) -> None:
        """What is looked at again each time before something leaves this site."""
        people.check_not_revoked(self._site, heard.asker, heard.request)
        sets_of_sites.check_closed(self._site, self._mailroom, session, heard)

    def _record(self, kind: str, session: bytes, heard: QueryHeard, **more: Any) -> None:
        """Tell the audit trail of a question's fate; inside ``database.atomic()``."""
        what = {**audit.question(self._site, session, heard.request), **more}
        audit.record(self._site, kind, who=self._site.site_name(heard.asker), what=what)

    def _names(self, positions: Iterable[int]) -> list[str]:
        return [self._site.site_name(position) for position in positions]

    def _dataset_version(self) -> int:
        active = self._site.profile.datasets.active()
        return 0 if active is None else active.version

    def _say(self, type_: str, session: bytes, body: object, recipients: tuple[int, ...]) -> None:
        with self._site.profile.database.atomic():
            self._mailroom.post(type_, session, body, recipients)

    @contextmanager
    def _blaming(self, position: int, code: str) -> Iterator[None]:
        """Turn a protocol violation inside the block into one that names the site."""
        try:
            yield
        except ProtocolViolation as error:
            raise ProtocolViolation(code, site=self._site.site_name(position), reason=error.code) from error


def _about_pair(session: bytes, heard: QueryHeard, attempt: int) -> bytes:
    return codec.digest(["consilium smallest count pair v1", session, attempt, list(heard.quorum)])


def _key_name(session: bytes) -> str:
    return f"query/{session.hex()}/key"


def _contribution_name(session: bytes, attempt: int) -> str:
    return f"query/{session.hex()}/contribution/{attempt}"
