"""The agent: answers the other sites as long as it runs, with nobody present.

The owner's thread stores what came in, does this site's work and queues what it has to say; couriers poll the relay,
upload and send, download, and ask what joining needs to know. A message is acknowledged to the relay when it is stored;
it is marked as sent when the relay has it; blobs are uploaded before the message that names them. Killed at any point,
it does again what was not noted as done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeAlias

from app.core import log
from app.core.errors import Bug, ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.federation import envelope as envelopes
from app.core.federation.joining import is_joining
from app.core.federation.relay_client import RelayPost
from app.core.federation.relay_protocol import Presence
from app.core.services import site, undeliverable
from app.core.services.asking import next_deadline
from app.core.services.carrying import Backoff, Courier, Line, offered_blobs, wanted_blobs
from app.core.services.member import MESSAGE_TYPES, Member
from app.core.services.membership import membership
from app.core.services.owner import Owner
from app.core.services.profile import OpenProfile
from app.core.services.talking import Ask, Talk
from app.core.store.messages import OutMessage

Duty: TypeAlias = "Callable[[Agent], int | None]"
"""Work that is done whenever something has happened: return when it is due again at the latest (UTC ms), or None."""

TICK_SECONDS = 60.0
POLL_SECONDS = 25
TRIES = 5
"""How often an agent that runs until it is idle tries again before it gives up."""

LOOK_ROUND_SECONDS = 60.0
"""How often an agent asks who is there, while somebody wants to know."""
_OFFLINE = ("relay.unreachable", "relay.unknown_host", "relay.timeout", "relay.proxy_unreachable", "relay.hung_up")
_CURSOR = "relay cursor"
_LEAST_PAUSE = 1.0
_MOST_SPOILT = 3
"""How often a message that was altered on its way may come before it is given up."""
_log = log.logger("agent")


def advance_joining(agent: Agent) -> int | None:
    """Go on with founding or joining, until there is a roster; or again, when its ceremony has failed."""
    profile = agent.owner.profile
    if site.open_to_joining(profile) and isinstance(agent.line, RelayPost):
        agent.talk(site.advance(profile, agent.line))
    return None


def advance_member(agent: Agent) -> int | None:
    """Advance the ceremony and the queries, once there is a roster; due again when a query of ours closes."""
    if agent.owner.profile.roster is None:
        return None
    agent.owner.member.advance()
    return next_deadline(agent.owner.member)


DUTIES: tuple[Duty, ...] = (advance_joining, advance_member)
"""What every agent does, in this order. One that fails is tried again with the next tick, later ones with it."""


def relay_line(profile: OpenProfile) -> Line:
    """Return the line to the relay of the profile's federation; raises UserError ``agent.no_relay``."""
    known = membership(profile)
    if known is None:
        raise UserError("agent.no_relay")
    return RelayPost(known.address, known.federation_id, profile.member_key, clock=profile.clock)


@dataclass
class _Wish:
    """A blob that is needed here."""

    tries: int = 0
    code: str = ""
    under_way: bool = True
    asked: bool = False


class Agent:
    """An owner's life with its relay. Used in the owner's thread; :meth:`stop` may be called from any."""

    def __init__(
        self,
        owner: Owner,
        line: Line,
        *,
        duties: Sequence[Duty] = DUTIES,
        backoff: Callable[[], Backoff] = Backoff,
        poll_seconds: int = POLL_SECONDS,
        make_line: Callable[[OpenProfile], Line] = relay_line,
    ) -> None:
        self.owner = owner
        self._make_line = make_line
        self.line = line
        self._duties = duties
        self._poll_seconds = poll_seconds
        names = ("receiving", "sending", "fetching", "looking round", "joining")
        self._receiver, self._sender, self._fetcher, self._looker, self._talker = (
            Courier(name, owner.soon, backoff()) for name in names
        )
        self._couriers = (self._receiver, self._sender, self._fetcher, self._looker, self._talker)
        self._own, self._storing, self._joining = backoff(), backoff(), backoff()
        self._talk: Talk[bool] | None = None
        self._talk_again = False
        self._stop = threading.Event()
        self._until_idle = False
        self._due = self._poll_at = self._look_at = time.monotonic()
        self._heard = self._listening = self._looking = False
        self._quiet = False
        self._sending: set[bytes] = set()
        self._wishes: dict[bytes, _Wish] = {}
        self._spoilt: tuple[int, bytes, int] = (-1, b"", 0)
        self._offline = ""
        self._unsendable = ""
        self._present: Mapping[int, Presence] = {}
        owner.carrier = self

    # --- life -------------------------------------------------------------------------------------------------

    def run(self, *, until_idle: bool = False) -> bool:
        """Work until :meth:`stop`, or until there is nothing left to do, to send or to receive.

        Return whether it is idle. ``until_idle`` gives up after some tries, with what stands in the way; otherwise
        trouble is waited out. Raises EnvironmentProblem ``keys.*``, ``keyring.*`` at once.
        """
        self._until_idle = until_idle
        self.owner.state = "agent"
        self.owner.end_agent = self._stop.set
        if self.owner.profile.roster is not None:
            try:
                _ = self.owner.member  # an agent that cannot reach its keys, or compute, shall say so
                self.owner.try_workers()
            except ConsiliumError:
                if not self._stop.is_set():  # else the end took its worker processes away while it began
                    raise
        _log.info("agent_began", until_idle=until_idle)
        while not self._stop.is_set():
            self.turn(TICK_SECONDS)
            if until_idle and self._idle():
                break
        _log.info("agent_ended", idle=not self._stop.is_set())
        return not self._stop.is_set()

    def turn(self, seconds: float) -> None:
        """Do the next thing, waiting for it at most ``seconds``."""
        now = time.monotonic()
        wake = min(self._due, self._poll_at) if self._poll_at > now else self._due
        self.owner.turn(0.0 if self.owner.stirred else max(0.0, min(seconds, wake - now)))
        if self._stop.is_set():
            return
        if self.owner.stirred or time.monotonic() >= self._due:
            self._work()
            self.owner.look()
        if self._joined() is not None:  # joining sends its own
            self._send()
        self._listen()
        if self.owner.watched and not self._until_idle:
            self._look_round()

    def stop(self) -> None:
        """End :meth:`run` soon, also in the middle of computing; from any thread."""
        self._stop.set()
        self.owner.interrupt()

    def reconnect(self) -> None:
        """Hang up and call the relay again at once, where the profile says that it is now."""
        before, self.line = self.line, self._make_line(self.owner.profile)
        before.close()
        for courier in self._couriers:
            courier.hurry()
        self._poll_at = self._due = time.monotonic()

    def close(self) -> None:
        """Hang up."""
        self.owner.carrier = self.owner.end_agent = None
        self.line.close()
        for courier in self._couriers:
            courier.close()

    @property
    def trouble(self) -> str:
        """The code of why nothing can be sent at the moment, or empty."""
        return self._offline or self._unsendable

    @property
    def connection(self) -> str:
        """How it stands with the relay: connecting, connected, offline (it cannot be reached), or trouble."""
        if self.trouble:
            return "offline" if self.trouble in _OFFLINE else "trouble"
        return "connected" if self._heard else "connecting"

    def _joined(self) -> Member | None:
        return None if self.owner.profile.roster is None else self.owner.member

    def _idle(self) -> bool:
        calm = self._quiet and not self._listening and not self._own.failures
        return calm and not self._busy() and not self._joining.failures and self.owner.idle

    def _busy(self) -> bool:
        """Whether something is on its way, or soon will be."""
        wishes = any(wish.under_way or wish.tries < TRIES for wish in self._wishes.values())
        return bool(wishes or self._sending or self._talk or self.owner.profile.store.outbox.unsent())

    # --- this site's own work ---------------------------------------------------------------------------------

    def _work(self) -> None:
        owner, now = self.owner, time.monotonic()
        owner.stirred, self._quiet, self._due = False, False, now + TICK_SECONDS
        for wish in self._wishes.values():
            wish.asked = False
        try:
            for duty in self._duties:
                if (at := duty(self)) is not None:
                    pause = max((at - owner.profile.clock.now()) / 1000, _LEAST_PAUSE)
                    self._due = min(self._due, now + pause)
        except ConsiliumError as problem:
            if self._stop.is_set():  # its workers were taken away
                return
            if isinstance(problem, Bug):
                raise
            self._due = time.monotonic() + self._own.fail()
            self._failed("work", problem, self._own.failures)
        else:
            self._own.reset()
            # what failed and nobody asks for any more is not waited for
            self._wishes = {name: wish for name, wish in self._wishes.items() if wish.under_way or wish.asked}

    # --- joining ----------------------------------------------------------------------------------------------

    def talk(self, talk: Talk[bool]) -> None:
        """Begin a talk with the relay about joining; if one is under way, another is begun after it."""
        if self.owner.talking:
            self._talk_again = self._talk is not None  # a command stirs when it ends
            talk.close()
            return
        self.owner.talking, self._talk = True, talk
        self._go_on(lambda: next(talk))

    def _go_on(self, step: Callable[[], Ask]) -> None:
        try:
            ask = step()
        except StopIteration as end:
            self._joining.reset()
            self._talked(stir=end.value)
        except ConsiliumError as problem:
            self._talked(stir=False)
            self._due = min(self._due, time.monotonic() + self._joining.fail())
            self._failed("joining", problem, self._joining.failures)
        else:
            self._talker.ask(ask, self._answered)

    def _answered(self, outcome: Any, _pause: float) -> None:
        if (talk := self._talk) is not None:
            trouble = isinstance(outcome, ConsiliumError)
            self._go_on(partial(talk.throw if trouble else talk.send, outcome))

    def _talked(self, *, stir: bool) -> None:
        self.owner.talking, self._talk, self._quiet = False, None, False
        self.owner.stirred = self.owner.stirred or stir or self._talk_again
        self._talk_again = False

    def _failed(self, what: str, problem: ConsiliumError, failures: int) -> None:
        _log.warning("trouble", during=what, code=problem.code, failures=failures)
        if self._until_idle and failures >= TRIES:
            raise problem

    # --- receiving --------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        done = self._until_idle and (self._quiet or self._busy())
        if done or self._listening or time.monotonic() < self._poll_at:
            return
        self._listening = True
        at_once = self._until_idle or not self._heard or bool(self._offline)  # how it stands is said soon
        after, wait = self._cursor(), 0 if at_once else self._poll_seconds
        self._receiver.ask(lambda: self.line.receive(after, wait), self._received)

    def _cursor(self) -> int:
        return int.from_bytes(self.owner.profile.store.settings.get(_CURSOR) or b"")

    def _received(self, outcome: list[tuple[int, bytes]] | ConsiliumError, _pause: float) -> None:
        self._listening = False
        if isinstance(outcome, ConsiliumError):
            site.shut_out(self.owner.profile, outcome)
            self._went("offline", outcome)
            self._failed("receiving", outcome, self._receiver.failures)
            return
        self._went("online")
        self._quiet = not outcome
        if outcome:
            self.owner.stirred = True
            self._keep(outcome)

    def _went(self, state: str, problem: ConsiliumError | None = None) -> None:
        code = problem.code if problem else ""
        if code != self._offline:
            _log.info(state, code=code)
        if code != self._offline or not self._heard:
            self.owner.note_change()
        self._heard = self._heard or not code
        self._offline = code
        self.owner.state = "offline" if code else "agent"

    def _keep(self, batch: Sequence[tuple[int, bytes]]) -> None:
        """Store a batch and its last cursor in one transaction.

        The ceremony's messages may come before the roster does, and a message may have been altered on its way: it and
        what lies behind it come again.
        """
        store, new = self.owner.profile.store, []
        cursor, early = self._cursor(), False
        try:
            with store.database.atomic():
                for place, data in batch:
                    joining = is_joining(data)
                    early = early or not (joining or self._joined())
                    if joining or not early:
                        taken = self._take_in(place, data, joining)
                        early = early or taken is None
                        new += [data] if taken else []
                    cursor = cursor if early else place
                store.settings.put(_CURSOR, cursor.to_bytes(8))
        except EnvironmentProblem as problem:  # a full disk: what is not acknowledged comes again
            self._rest()
            self._failed("storing", problem, self._storing.failures)
            return
        _log.info("received", messages=len(new), early=early)
        if early:
            self._rest()
            self._quiet = self._storing.failures >= TRIES
        else:
            self._storing.reset()
        for name, size in (each for data in new for each in self._wanted(data)):
            if name not in store.blobs:
                self._wish(name, size)

    def _rest(self) -> None:
        """Let some time pass before the next poll, which brings the same again."""
        self._poll_at = time.monotonic() + self._storing.fail()

    def _take_in(self, place: int, data: bytes, joining: bool) -> bool | None:
        """Return whether a message is new; None if it is refused, and worth asking for again.

        That is so for bytes that nobody has signed: the relay verifies signatures as well, so something has changed
        them since, and what is acknowledged is gone. The third time they are given up.
        """
        before, spoilt, times = self._spoilt
        times = times + 1 if before == place else 1
        if times > 1 and spoilt == data:  # refused and recorded already
            self._spoilt = place, data, times
            return None if times < _MOST_SPOILT else False
        try:
            if joining:
                return site.receive(self.owner.profile, data)
            return self.owner.member.mailroom.receive(data)
        except (ProtocolViolation, UserError) as error:  # recorded by whoever refused
            _log.warning("message_refused", code=error.code)
            if not error.code.startswith("envelope.") if joining else self.owner.member.mailroom.signed(data):
                return False
            self._spoilt = place, data, times
            return None if times < _MOST_SPOILT else False

    def _wanted(self, data: bytes) -> tuple[tuple[bytes, int], ...]:
        """Return (name, size) of the blobs that a new message offers to this site."""
        member, message = self._joined(), envelopes.claimed(data)  # verified a moment ago
        if member is None or message.type not in MESSAGE_TYPES:
            return ()
        stored = self.owner.profile.store.inbox.get(*message.key)
        return () if stored is None else wanted_blobs(stored.type, member.mailroom.read(stored), member.site.position)

    # --- sending ----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        for message in self.owner.profile.store.outbox.unsent():
            if message.id not in self._sending:
                self._sending.add(message.id)
                blobs = self._offers(message)
                self._sender.ask(partial(self._deliver, message, blobs), partial(self._delivered, message))

    def _offers(self, message: OutMessage) -> list[tuple[bytes, Path]]:
        """Return what has to be at the relay before this message; what was forgotten is needed no more."""
        member, blobs = self.owner.member, self.owner.profile.store.blobs
        own = self.owner.profile.store.inbox.get(member.site.position, message.id)
        if own is None or own.type not in MESSAGE_TYPES:
            return []
        named = offered_blobs(own.type, member.mailroom.read(own))
        return [(name, blobs.path(name)) for name, _ in named if name in blobs]

    def _deliver(self, message: OutMessage, blobs: list[tuple[bytes, Path]]) -> None:
        for name, path in blobs:
            self.line.publish(name, path)
        self.line.send(message.envelope, message.recipients)

    def _delivered(self, message: OutMessage, outcome: ConsiliumError | None, _pause: float) -> None:
        self._sending.discard(message.id)  # after trouble it is asked again, behind the others
        if isinstance(outcome, ConsiliumError) and undeliverable.is_final(outcome):
            _log.warning("undeliverable", code=outcome.code)
            undeliverable.give_up(self.owner.profile, message, outcome)
            return
        before, self._unsendable = self._unsendable, outcome.code if isinstance(outcome, ConsiliumError) else ""
        if self._unsendable != before:
            self.owner.note_change()
        if isinstance(outcome, ConsiliumError):
            self._failed("sending", outcome, self._sender.failures)
            return
        profile = self.owner.profile
        profile.store.outbox.mark_sent(message.id, now=profile.clock.now())

    # --- fetching ---------------------------------------------------------------------------------------------

    def fetch(self, name: bytes, limit: int) -> NoReturn:
        """Note that a blob is needed; raises PeerProblem with why it is not here yet."""
        wish = self._wishes.get(name)
        if wish is None or not wish.under_way:
            wish = self._wish(name, limit)
        wish.asked = True
        raise PeerProblem(wish.code or "agent.blob_on_its_way", name=name.hex())

    def _wish(self, name: bytes, limit: int) -> _Wish:
        wish = self._wishes.setdefault(name, _Wish())
        if wish.under_way and wish.tries:
            return wish
        wish.tries, wish.under_way = wish.tries + 1, True
        blobs = self.owner.profile.store.blobs

        def errand() -> None:
            blobs.put(self.line.fetch(name, limit), limit=limit, expected=name)

        self._fetcher.ask(errand, partial(self._fetched, name))
        return wish

    def _fetched(self, name: bytes, outcome: ConsiliumError | None, pause: float) -> None:
        wish = self._wishes[name]
        if isinstance(outcome, ConsiliumError):
            if isinstance(outcome, ProtocolViolation):
                self.owner.member.mailroom.refuse(outcome, None)
            wish.under_way, wish.code = False, outcome.code
            self._due = min(self._due, time.monotonic() + pause)  # whoever needs it asks again
            self._failed("fetching", outcome, 0)
            return
        del self._wishes[name]
        if not any(other.under_way for other in self._wishes.values()):
            self.owner.stirred = True

    # --- who is there -----------------------------------------------------------------------------------------

    def presence(self) -> Mapping[int, Presence]:
        """Return who was last when at the relay, by place, as far as is known by now."""
        self._look_round()
        return self._present

    def _look_round(self) -> None:
        if self._looking or self._offline or not self._heard or time.monotonic() < self._look_at:
            return
        self._looking = True
        self._looker.ask(self.line.presence, self._looked)

    def _looked(self, outcome: Mapping[int, Presence] | ConsiliumError, _pause: float) -> None:
        self._looking, self._look_at = False, time.monotonic() + LOOK_ROUND_SECONDS
        if isinstance(outcome, ConsiliumError) or outcome == self._present:  # receiving says what is wrong, if it lasts
            return
        self._present = outcome
        self.owner.note_change()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
