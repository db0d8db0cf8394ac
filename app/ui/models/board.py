"""What Explore works on: the catalogue, who holds what, the saved cohorts, and the criteria with their history."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.errors import UserError
from app.core.query.analyses import Analysis, Count
from app.core.query.model import EVERYONE, Cohort, Flag, Query, Relation, Saved, saved
from app.core.query.text import format as format_cohort
from app.core.query.text import format_query, parse_query
from app.texts import explain, text
from app.ui.models.analysing import Kinds, kinds_of
from app.ui.models.catalogue import NOTHING_HELD, Holding
from app.ui.models.criteria import Between, Card, Content, Criteria, Into, Place, Term, adopted, from_cohort
from app.ui.models.distribution import Distribution, distribution
from app.ui.models.funnel import Funnel, Left, funnels_of, left_after
from app.ui.models.history import History
from app.ui.models.links import Sides, check_link, event_row, linked, sides_of, unlinked
from app.ui.models.terms import Offer, contents_of


@dataclass(frozen=True)
class Work:
    """What is being built: the criteria, and what to find out."""

    criteria: Criteria = Criteria()
    analysis: Analysis = Count()


class Board(QObject):
    """The query that is being built. Every change goes through :meth:`do`, so that it can be undone."""

    changed = Signal()
    """The criteria or the analysis are other ones."""
    current_changed = Signal()
    """Another card or term has the attention of the person."""
    surroundings_changed = Signal()
    """The catalogue, what sites hold, the report or the saved cohorts are other ones."""
    funnel_changed = Signal()
    """How many are left after each card is known otherwise."""
    refused = Signal(str)
    """Something cannot be done; why, in words."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalogue: Catalogue | None = None
        self.hash = b""
        self.places: dict[str, int] = {}
        """Where in the catalogue each code is."""
        self.holding: Holding = NOTHING_HELD
        self.definitions: dict[str, Cohort] = {}
        self.report: Mapping[str, Mapping[str, Any]] = {}
        self.token = secrets.token_bytes(8)
        self.funnels: tuple[Funnel, ...] = ()
        """The funnels that were released, newest first."""
        self.kinds: Kinds = {kind: () for kind in Kind}
        self.history = History(Work(), self)
        self.history.changed.connect(self._show)
        self.current = 0
        """The id of the card that terms are added to; 0 for a new one."""
        self.opened = 0
        """The id of the term whose editor is open."""

    @property
    def criteria(self) -> Criteria:
        """The criteria as they are now."""
        return self.history.value.criteria

    @property
    def analysis(self) -> Analysis:
        """What to find out."""
        return self.history.value.analysis

    @property
    def query(self) -> Query:
        """The question, for all sites together."""
        return Query(self.criteria.cohort() if self.criteria.cards else EVERYONE, self.analysis)

    @property
    def text(self) -> str:
        """The text form of the question; empty while there are no criteria and nothing but a count is wanted."""
        empty = not self.criteria.cards and self.analysis == Count()
        return "" if empty else format_query(self.query, self.catalogue)

    @property
    def cohort_text(self) -> str:
        """The text form of the criteria alone; empty while there are none."""
        return format_cohort(self.criteria.cohort(), self.catalogue) if self.criteria.cards else ""

    def variable(self, code: str) -> Variable | None:
        """Return a variable of the catalogue, or None."""
        return None if self.catalogue is None else self.catalogue.find(code)

    def distribution(self, code: str) -> Distribution | None:
        """Return how a variable is distributed at the own site, as far as its report says."""
        variable = self.variable(code)
        return None if variable is None else distribution(variable, self.report.get(code))

    # --- changing the criteria ------------------------------------------------------------------------------------

    def do(self, edit: Callable[[Criteria], Criteria], words: str, *, merging: str = "") -> bool:
        """Change the criteria, or say why not."""
        try:
            after = edit(self.criteria)
            after.cohort()
        except UserError as error:
            self.refused.emit(explain(error).what)
            return False
        self.history.apply(replace(self.history.value, criteria=after), words, merging=merging)
        return True

    def analyse(self, edit: Callable[[Analysis], Analysis], *, merging: str = "") -> bool:
        """Change what to find out, or say why not."""
        try:
            after = edit(self.analysis)
        except UserError as error:
            self.refused.emit(explain(error).what)
            return False
        self.history.apply(
            replace(self.history.value, analysis=after), text("ui.explore.did.analysis"), merging=merging
        )
        return True

    # --- links in time --------------------------------------------------------------------------------------------

    def link(self, source: int, target: int) -> bool:
        """Link two terms about events: ``source``, then, within 90 days, ``target``; or say why not."""
        catalogue, new = self.catalogue, self.criteria.next_id
        if catalogue is None:
            return False
        done = self.do(lambda criteria: linked(criteria, source, target, catalogue), text("ui.explore.did.link"))
        if done:
            self._attend_new(new if self.criteria.find(new) is not None else target)
        return done

    def link_refusal(self, source: int, target: int) -> str:
        """Return why two terms cannot be linked; empty if they can."""
        if self.catalogue is None:
            return text("ui.explore.checking")
        try:
            check_link(self.criteria, source, target, self.catalogue)
        except UserError as error:
            return explain(error).what
        return ""

    def unlink(self, id: int) -> None:
        """Take a relation away; that the event happened stays."""
        self.do(lambda criteria: unlinked(criteria, id), text("ui.explore.did.unlink"))

    def sides(self, term: Term) -> Sides | None:
        """Return a relation as its row says it; None for other terms."""
        return sides_of(self.criteria, term.id, term.content) if isinstance(term.content, Relation) else None

    # --- adding ---------------------------------------------------------------------------------------------------

    def add(self, contents: Iterable[Content], place: Place | None = None) -> bool:
        """Add terms: to ``place``, else to the current card, else as a new card."""
        contents = list(contents)
        where = place or self._next_place()
        first = self.criteria.next_id
        if not self.do(lambda criteria: criteria.add(contents, where), text("ui.explore.did.add")):
            return False
        self._attend_new(first)
        return True

    def bring(self, terms: Iterable[tuple[str, str | None]], place: Place | None = None) -> bool:
        """Add variables, or levels of them, as :meth:`add`, or say why not."""
        return self.drop(Offer(self.hash, tuple(terms)), place or self._next_place())

    def _next_place(self) -> Place:
        return Into(self.current) if self.current else Between(len(self.criteria.cards))

    def drop(self, offer: Offer, place: Place) -> bool:
        """Do what dropping ``offer`` at ``place`` means."""
        if offer.link and offer.canvas == self.token and (target := event_row(self.criteria, place, offer.link)):
            return self.link(offer.link, target)
        words = text("ui.explore.did.add" if offer.terms else "ui.explore.did.move")
        first = self.criteria.next_id
        done = self.do(lambda criteria: self._dropped(criteria, offer, place), words)
        if done:
            self._attend_new(first)
        return done

    def refusal(self, offer: Offer, place: Place) -> str:
        """Return why ``offer`` cannot be dropped at ``place``; empty if it can."""
        try:
            self._dropped(self.criteria, offer, place).cohort()
        except UserError as error:
            return explain(error).what
        return ""

    def _dropped(self, criteria: Criteria, offer: Offer, place: Place) -> Criteria:
        if (offer.link or offer.parts) and offer.canvas != self.token:
            raise UserError("criteria.foreign")
        if offer.link:
            target = event_row(criteria, place, offer.link)
            if self.catalogue is None or not target:
                raise UserError("criteria.not_events")
            return linked(criteria, offer.link, target, self.catalogue)
        if offer.parts:
            for id in offer.parts:
                criteria = criteria.move(id, place)
            return criteria
        if self.catalogue is None:
            raise UserError("criteria.foreign")
        return criteria.add(contents_of(offer, self.catalogue, self.hash), place)

    def attend(self, card: int, *, opened: int | None = None) -> None:
        """Make ``card`` the one that terms are added to, and ``opened`` the term that is edited."""
        before = (self.current, self.opened)
        self.current = card
        if opened is not None:
            self.opened = opened
        if (self.current, self.opened) != before:
            self.current_changed.emit()

    def _attend_new(self, id: int) -> None:
        """Attend to the card of a term that has just come, and open its editor if it has one."""
        added, card = self.criteria.find(id), self.criteria.card_of(id)
        if isinstance(added, Term) and card is not None:
            self.attend(card.id, opened=0 if isinstance(added.content, Flag | Saved) else id)

    def toggle(self, term: int) -> None:
        """Open the editor of a term, or close it."""
        card = self.criteria.card_of(term)
        self.attend(card.id if card is not None else 0, opened=0 if self.opened == term else term)

    # --- the text form --------------------------------------------------------------------------------------------

    def read(self, written: str) -> Query:
        """Read a text form. Raises UserError ``query.*``, ``criteria.no_catalogue``."""
        if self.catalogue is None:
            raise UserError("criteria.no_catalogue")
        by_name = {name.casefold(): cohort for name, cohort in self.definitions.items()}
        return parse_query(written, self.catalogue, lambda name: by_name.get(name.strip().casefold()))

    def _work(self, written: str) -> Work:
        if not written.strip():
            return Work()
        query = self.read(written)
        return Work(from_cohort(query.cohort), query.analysis)

    def replace(self, written: str, words: str, *, merging: str = "") -> None:
        """Show what a text form says. Raises UserError as :meth:`read`."""
        work = self._work(written)
        work = replace(work, criteria=adopted(work.criteria, self.criteria))
        self.history.apply(work, words, merging=merging)

    def begin(self, written: str, *, keep_analysis: bool = False) -> None:
        """Start over from a text form, with nothing to undo; a cohort may leave the analysis as it is.

        Raises UserError as :meth:`read`.
        """
        work = self._work(written)
        if keep_analysis:
            work = replace(work, analysis=self.analysis)
        self.attend(0, opened=0)
        self.history.begin(work)
        self._show()

    def text_of(self, id: int) -> str:
        """Return the text form of one part."""
        part = self.criteria.find(id)
        if part is None:
            return ""
        alone = Criteria((part,) if isinstance(part, Card) else (Card(0, (part,)),))
        return format_cohort(alone.cohort(), self.catalogue)

    def paste(self, written: str) -> bool:
        """Add what a text form says: to the current card, else as new cards."""
        try:
            cohort = self.read(written).cohort
        except UserError as error:
            self.refused.emit(explain(error).what)
            return False
        place = Into(self.current) if self.current else Between(len(self.criteria.cards))
        return self.do(lambda criteria: criteria.paste(cohort, place), text("ui.explore.did.paste"))

    def term_of(self, name: str) -> Saved | None:
        """Return a saved cohort as a term."""
        definition = self.definitions.get(name)
        return None if definition is None else saved(name, definition)

    # --- surroundings ---------------------------------------------------------------------------------------------

    def set_catalogue(self, catalogue: Catalogue, hash_: bytes) -> None:
        """Work with this catalogue."""
        self.catalogue, self.hash = catalogue, hash_
        self.places = {variable.code: place for place, variable in enumerate(catalogue)}
        self.kinds = kinds_of(catalogue)
        self.surroundings_changed.emit()

    def set_holding(self, holding: Holding) -> None:
        """Take over who holds what."""
        if holding != self.holding:
            self.holding = holding
            self.surroundings_changed.emit()

    def set_report(self, report: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over the own site's report."""
        if report != self.report:
            self.report = report
            self.surroundings_changed.emit()

    def set_saved(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Take over the saved cohorts, as ``cohort.list`` tells them."""
        definitions = {str(each["name"]): Query.from_cbor(each["query"]).cohort for each in found}
        if definitions != self.definitions:
            self.definitions = definitions
            self.surroundings_changed.emit()

    def set_runs(self, runs: Iterable[Mapping[str, Any]]) -> None:
        """Take over this site's questions, as ``query.list`` tells them: how many were left after each card."""
        funnels = funnels_of(runs)
        if funnels != self.funnels:
            self.funnels = funnels
            self.funnel_changed.emit()

    def left(self) -> tuple[Left | None, ...]:
        """Return how many patients were left after each card, as far as a released funnel says."""
        return left_after(self.criteria, self.funnels)

    def _show(self) -> None:
        if self.current and not isinstance(self.criteria.find(self.current), Card):
            self.current = 0
        if self.opened and self.criteria.find(self.opened) is None:
            self.opened = 0
        self.changed.emit()
