"""A running federation gets a new version of its catalogue: one site publishes it, each puts it into force for itself.

``catalogue.published`` {"chain": [link…], "note", "blob": SHA-256, "size", "key": 32 bytes}, in the session
:func:`session_of` of the roster: the chain (:mod:`app.core.federation.catalogue_links`) leads from the roster's
catalogue to the published one, so that a site which missed a version can still follow; the catalogue is a blob,
encrypted under ``key``. It goes to those sites whose news say that they read it, at once or as soon as they do.

Publishing is accepting: the author has the version in force from then on. Elsewhere it waits until a person accepts it.
Sites with different versions in force can ask each other what has the same meaning in both, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core import codec
from app.core.catalogue.model import MAX_BYTES, Catalogue
from app.core.crypto.vault import StorageCipher
from app.core.errors import ConsiliumError, PeerProblem, ProtocolViolation, UserError
from app.core.federation import audit, news
from app.core.federation.catalogue_links import MOST_LINKS, Link, check_chain
from app.core.federation.joining_messages import CATALOGUE_FORMAT
from app.core.federation.known_catalogues import link_of
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom, Post, Reader
from app.core.federation.roster import Roster
from app.core.fields import Fields
from app.core.files import disk_problems
from app.core.secret import SecretBytes
from app.core.store.catalogues import LinkRow

PUBLISHED = "catalogue.published"
VERSION = 1
MOST_NOTE = 500
BLOB_LIMIT = MAX_BYTES + 1024
_MALFORMED = "catalogue.malformed_message"
_CIPHER = "published catalogue"
_BEGINNING = bytes([1]) + bytes(16)
"""How a blob begins that :class:`StorageCipher` has made without randomness: no other blob does."""
_TOLD = "catalogue told"
_FIRST_PAUSE, _LONGER, _LONGEST_PAUSE, _MOST_TRIES = 1_000, 4, 24 * 3_600_000, 16
"""Milliseconds until what could not be fetched is asked for again; how much longer it is each time."""
_MOST_LINKS_OF_ONE = MOST_LINKS
"""How many links of one author are kept: as many as the longest chain has."""
_MOST_UNACCEPTED = 16
"""How many catalogues of one author are read before a person here accepts one: each may take seconds and 64 MB."""


@dataclass(frozen=True)
class Publication:
    """A published version: the chain that leads to it, what its author says of it, and where its bytes are."""

    chain: tuple[Link, ...]
    note: str
    blob: bytes
    size: int
    key: SecretBytes

    @property
    def link(self) -> Link:
        """The link to the version itself."""
        return self.chain[-1]

    def to_plain(self) -> dict[str, Any]:
        """Return the message's body."""
        return {
            "chain": [link.to_plain() for link in self.chain],
            "note": self.note,
            "blob": self.blob,
            "size": self.size,
            "key": self.key.reveal(),
        }


def read_publication(body: object, roster: Roster) -> Publication:
    """Read ``catalogue.published`` and verify its chain.

    Raises ProtocolViolation ``catalogue.malformed_message``, ``catalogue.malformed_link``, ``catalogue.broken_chain``,
    ``catalogue.bad_signature``.
    """
    fields = Fields(body, _MALFORMED)
    chain, note = fields.items("chain", MOST_LINKS), fields.any("note")
    if not chain:
        fields.refuse("chain")
    if type(note) is not str or not _is_note(note):
        fields.refuse("note")
    publication = Publication(
        chain=tuple(map(Link.from_plain, chain)),
        note=note,
        blob=fields.bytes("blob", 32),
        size=fields.number("size", 1, BLOB_LIMIT),
        key=SecretBytes(fields.bytes("key", 32)),
    )
    fields.done()
    check_chain(publication.chain, roster)
    return publication


MESSAGE_TYPES: Mapping[str, Reader] = {PUBLISHED: read_publication}


def session_of(roster: Roster) -> bytes:
    """Return the session of what is published in a roster's federation."""
    return codec.digest(["consilium catalogue versions v1", roster.hash])


class CatalogueDesk:
    """What one site publishes, hears of, and puts into force. Used once the ceremony is done."""

    def __init__(self, site: LocalSite, mailroom: Mailroom, post: Post) -> None:
        self._site = site
        self._mailroom = mailroom
        self._post = post
        self._asked: dict[bytes, tuple[int, int]] = {}
        """How often a blob was asked for in vain, and when it is asked for again (UTC ms)."""

    # --- publishing ---------------------------------------------------------------------------------------------

    def check(self, catalogue: Catalogue) -> None:
        """Raise UserError if ``catalogue`` cannot follow the one in force.

        ``catalogue.other_name``, ``catalogue.not_newer``, ``catalogue.accept_first`` (another site's version waits),
        ``catalogue.too_many_versions``.
        """
        known = self._site.catalogues
        current = known.in_force
        if (waiting := known.waiting()) and (last := waiting[-1]):
            site = self._site.site_name(last.author)
            raise UserError("catalogue.accept_first", version=last.version, site=site)
        if catalogue.name != current.name:
            raise UserError("catalogue.other_name", name=catalogue.name, expected=current.name)
        if catalogue.version <= current.version:
            raise UserError("catalogue.not_newer", version=catalogue.version, current=current.version)
        if len(known.chain()) >= MOST_LINKS:
            raise UserError("catalogue.too_many_versions", most=MOST_LINKS)

    def publish(self, catalogue: Catalogue, note: str = "") -> Link:
        """Put ``catalogue`` into force here, and say so to the others; return its link.

        Raises UserError as :meth:`check`, and ``catalogue.bad_note``.
        """
        self.check(catalogue)
        if not _is_note(note):
            raise UserError("catalogue.bad_note", most=MOST_NOTE)
        site, content = self._site, catalogue.to_cbor()
        known, now, hash = site.catalogues, site.clock.now(), hashlib.sha256(content).digest()
        link = Link(site.position, known.hash, hash, catalogue.version, now)
        link = link.signed(site.roster.federation_id, site.key)
        with site.profile.database.atomic():
            site.profile.catalogues.add_link(_row(link, note, now))
            known.add(catalogue, content, now)
            site.profile.catalogues.accept(link.catalogue, now=now)
            audit.record(site, "catalogue.published", what={"version": link.version, "catalogue": hash, "note": note})
            self.announce()
        return link

    def announce(self) -> None:
        """Queue the version that this site has published and has in force, for those who read it and were not told."""
        site = self._site
        chain = site.catalogues.chain()
        if not chain or chain[-1].author != site.position:
            return
        heard = news.heard(site, self._mailroom).items()
        readers = {
            position
            for position, told in heard
            if position != site.position and VERSION in told.program.formats.get(CATALOGUE_FORMAT, ())
        }
        link, told = chain[-1], self._told(chain[-1])
        if not readers - told:
            return
        blob, size, key = self._sealed(link.catalogue, site.catalogues.content(link.catalogue))
        note = next(row.note for row in site.profile.catalogues.links() if link_of(row) == link)
        publication = Publication(chain, note, blob, size, key)
        with site.profile.database.atomic():
            said = codec.encode([link.catalogue, link.previous, sorted(readers | told)])
            site.profile.settings.put(_TOLD, said)
            recipients = tuple(sorted(readers - told))
            self._mailroom.post(PUBLISHED, session_of(site.roster), publication.to_plain(), recipients)

    def _told(self, link: Link) -> set[int]:
        stored = self._site.profile.settings.get(_TOLD)
        if stored is None:
            return set()
        catalogue, previous, positions = codec.decode(stored, 1 << 12)
        return set(positions) if (catalogue, previous) == (link.catalogue, link.previous) else set()

    def _sealed(self, hash: bytes, content: bytes) -> tuple[bytes, int, SecretBytes]:
        """Return the name, size and key of the blob that a catalogue travels in, having made it if it is not here.

        The key is of this catalogue alone, so the blob needs no randomness and is the same whenever it is made.
        """
        key = self._site.root.derive("published catalogue v1", hash)
        sealed = StorageCipher(key, bytes).encrypt(_CIPHER, content, self._site.roster.federation_id)
        return self._site.profile.blobs.put(sealed, limit=BLOB_LIMIT), len(sealed), key

    # --- hearing of it ------------------------------------------------------------------------------------------

    def take_in(self) -> None:
        """Look at every new message once: note the links that it brings."""
        profile = self._site.profile
        for message in profile.inbox.unhandled():
            if message.type != PUBLISHED:
                continue
            publication, now = self._mailroom.read(message), self._site.clock.now()
            with profile.database.atomic():
                if (objection := self._objection(message.session, message.sender, publication)) is not None:
                    self._mailroom.refuse(objection, message.sender)
                elif message.sender != self._site.position:
                    for link in publication.chain:
                        note = publication.note if link is publication.link else ""
                        profile.catalogues.add_link(_row(link, note, now))
                profile.inbox.mark_handled(message.sender, message.id, now=now)

    def _objection(self, session: bytes, sender: int, publication: Publication) -> ProtocolViolation | None:
        """Return why a publication counts for nothing, or None."""
        known = self._site.catalogues
        if session != session_of(self._site.roster) or publication.link.author != sender:
            return ProtocolViolation("catalogue.not_the_author", site=self._site.site_name(sender))
        if publication.chain[0].version <= known[known.first].version:
            return ProtocolViolation("catalogue.broken_chain")
        rows = self._site.profile.catalogues.links()
        here = {(row.catalogue, row.previous, row.author) for row in rows}
        new = {(link.catalogue, link.previous, link.author) for link in publication.chain} - here
        of_each = Counter(author for _, _, author in (*here, *new))
        if any(of_each[author] > _MOST_LINKS_OF_ONE for _, _, author in new):
            return ProtocolViolation("catalogue.too_many_versions", most=_MOST_LINKS_OF_ONE)
        return None

    def advance(self) -> None:
        """Fetch the catalogues that others have published, and tell those who were not told of ours."""
        site = self._site
        heard = list(self._mailroom.heard(session_of(site.roster), PUBLISHED))
        offered = {
            publication.blob
            for sender, publication in heard
            if sender == site.position and publication.link.catalogue == site.catalogues.hash
        }
        for sender, publication in heard:
            if sender != site.position and self._wanted(publication.link):
                if not self._fetched(publication):
                    continue
                self._take(publication)
            if publication.blob not in offered:
                self._discard(publication.blob)
        self.announce()

    def _discard(self, name: bytes) -> None:
        """Remove a blob, if it looks like a published catalogue: a site may name any blob that is here."""
        path = self._site.profile.blobs.path(name)
        if path.is_file():
            with disk_problems(path), open(path, "rb") as file:
                begins = file.read(len(_BEGINNING))
            if begins == _BEGINNING:
                self._site.profile.blobs.remove(name)

    def _fetched(self, publication: Publication) -> bool:
        """Return whether a publication's blob is here, asking for it if it is time to.

        What is not to be had is asked for more and more rarely: other fetches wait behind it.
        """
        now, (tries, not_before) = self._site.clock.now(), self._asked.get(publication.blob, (0, 0))
        if publication.blob not in self._site.profile.blobs and now < not_before:
            return False
        try:
            self._mailroom.blob(self._post, publication.blob, publication.size)
        except PeerProblem:
            pause = min(_FIRST_PAUSE * _LONGER**tries, _LONGEST_PAUSE)
            self._asked[publication.blob] = min(tries + 1, _MOST_TRIES), now + pause
            return False
        return True

    def _wanted(self, link: Link) -> bool:
        """Return whether we know of a link whose catalogue is neither here, nor refused, nor passed by.

        What else its author has published here must have been accepted, but for some: what has been read and refused
        counts too, and one that was refused is not read again whatever it is said to follow.
        """
        site = self._site
        passed = {each.catalogue for each in site.catalogues.chain()}
        here = {row.hash for row in site.profile.catalogues.all()}
        if link.catalogue in passed | here | {site.catalogues.first}:
            return False
        of_author = [row for row in site.profile.catalogues.links() if row.author == link.author]
        refused = {row.catalogue for row in of_author if row.refused}
        if link.catalogue in refused or link not in map(link_of, of_author):
            return False
        accepted = {row.hash for row in site.profile.catalogues.all() if row.accepted}
        read = refused | (here & {row.catalogue for row in of_author})
        return len(read - passed - accepted) < _MOST_UNACCEPTED

    def _take(self, publication: Publication) -> None:
        """Keep the catalogue in a blob that was fetched, if it is what its link says."""
        site, link, now = self._site, publication.link, self._site.clock.now()
        try:
            catalogue, content = self._opened(publication)
        except ProtocolViolation as error:
            with site.profile.database.atomic():
                self._mailroom.refuse(error, link.author)
                site.profile.catalogues.refuse(_row(link, "", now), error.code)
        else:
            with site.profile.database.atomic():
                site.catalogues.add(catalogue, content, now)

    def _opened(self, publication: Publication) -> tuple[Catalogue, bytes]:
        """Return a catalogue and its canonical bytes; raises ProtocolViolation ``catalogue.published_differs``."""
        site, link = self._site, publication.link
        author = site.site_name(link.author)
        sealed = site.profile.blobs.get(publication.blob, limit=BLOB_LIMIT)
        differs = ProtocolViolation("catalogue.published_differs", site=author)
        try:
            content = StorageCipher(publication.key).decrypt(_CIPHER, sealed, site.roster.federation_id)
            if hashlib.sha256(content).digest() != link.catalogue:
                raise differs  # before it is read, which takes longer
            catalogue = Catalogue.from_cbor(content)
        except ConsiliumError as error:
            raise differs from error
        if (catalogue.version, catalogue.name) != (link.version, site.catalogue.name):
            raise differs
        return catalogue, content

    # --- putting into force -------------------------------------------------------------------------------------

    def waiting(self, version: int) -> Link:
        """Return the link of a version that waits here; raises UserError ``catalogue.not_waiting``."""
        found = next((link for link in self._site.catalogues.waiting() if link.version == version), None)
        if found is None:
            raise UserError("catalogue.not_waiting", version=version)
        return found

    def accept(self, version: int) -> Link:
        """Put a version that waits into force here; raises as :meth:`waiting`."""
        link = self.waiting(version)
        what = {"version": link.version, "catalogue": link.catalogue}
        with self._site.profile.database.atomic():
            audit.record(self._site, "catalogue.accepted", who=self._site.site_name(link.author), what=what)
            self._site.profile.catalogues.accept(link.catalogue, now=self._site.clock.now())
        return link


def _is_note(text: str) -> bool:
    return len(text) <= MOST_NOTE and (not text or text.replace("\n", " ").isprintable())


def _row(link: Link, note: str, now: int) -> LinkRow:
    return LinkRow(link.catalogue, link.previous, link.version, link.author, link.time, link.signature, note, now)
