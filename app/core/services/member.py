"""One site at work: it takes in messages, advances its ceremony and its queries, and sends what it has to say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from app.core.federation import (
    audit,
    audit_heads,
    catalogue_publishing,
    ceremony_messages,
    cohort_sharing,
    holdings,
    news,
    people_messages,
    query_messages,
    small_counts,
)
from app.core.federation import ceremony as ceremonies
from app.core.federation.catalogue_publishing import CatalogueDesk
from app.core.federation.ceremony import Ceremony, CeremonyStatus
from app.core.federation.contributing import DatasetContributor
from app.core.federation.evaluations import Evaluations
from app.core.federation.mailroom import Mailroom, Post
from app.core.federation.query_session import QueryDesk
from app.core.services.active_dataset import ActiveDataset
from app.core.services.coverage import Coverage
from app.core.services.profile import OpenProfile

MESSAGE_TYPES = {
    **ceremony_messages.MESSAGE_TYPES,
    **query_messages.MESSAGE_TYPES,
    **news.MESSAGE_TYPES,
    **holdings.MESSAGE_TYPES,
    **catalogue_publishing.MESSAGE_TYPES,
    **cohort_sharing.MESSAGE_TYPES,
    **people_messages.MESSAGE_TYPES,
    **audit_heads.MESSAGE_TYPES,
    **small_counts.MESSAGE_TYPES,
}


class Member:
    """A site in its federation, from its open profile. ``wake`` is called, from any thread, when it should advance."""

    def __init__(
        self, profile: OpenProfile, executor: Executor, post: Post, wake: Callable[[], None] | None = None
    ) -> None:
        self.profile = profile
        self.site = profile.local_site(executor)
        self._post = post
        self.dataset = ActiveDataset(profile, self.site.catalogues)
        self.mailroom = Mailroom(self.site, MESSAGE_TYPES)
        self.coverage = Coverage(self.site, self.mailroom, self.dataset)
        self.ceremony = Ceremony(self.site, self.mailroom, post)
        self.catalogues = CatalogueDesk(self.site, self.mailroom, post)
        self.evaluations = Evaluations(wake)
        self.desk = QueryDesk(
            self.site, self.mailroom, post, DatasetContributor(self.site, self.mailroom), self.evaluations
        )
        audit.begin(self.site.profile, self.site.key, self.site.clock)
        self.ceremony.begin()

    def advance(self) -> CeremonyStatus:
        """Do all that can be done now, and queue what there is to say; return where the ceremony stands."""
        status = self.ceremony.advance()
        if status.state == ceremonies.READY:
            news.announce(self.site, self.mailroom)
            holdings.announce(self.site, self.mailroom, self.dataset.held, self.dataset.blocks)
            small_counts.announce(self.site, self.mailroom)
            self.catalogues.take_in()
            cohort_sharing.take_in(self.site, self.mailroom)
            people_messages.take_in(self.site, self.mailroom)
            people_messages.announce(self.site, self.mailroom)
            audit_heads.take_in(self.site, self.mailroom)
            self.desk.advance()
            self.catalogues.advance()
            audit_heads.announce(self.site, self.mailroom)
        return status

    def work(self) -> CeremonyStatus:
        """As :meth:`advance`, and send it."""
        status = self.advance()
        self.mailroom.deliver(self._post)
        return status
