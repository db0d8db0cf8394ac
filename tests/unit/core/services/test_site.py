"""Coming together: from the first site to a roster that all have signed, and what a person can do wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.crypto.parameters import STANDARD_1
from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem
from app.core.federation import news
from app.core.federation.invitation import LIFETIME
from app.core.federation.trust import RelayAddress
from app.core.services import site as service
from app.core.services.federation_status import SIGNING_TIME, Stage, State, status, traffic
from app.core.services.member import Member
from app.core.services.talking import at_once
from tests.federation_sites import CATALOGUE, PARAMETERS, Inline, LocalPost
from tests.joining_sites import ADDRESS, CODE, Connection, Gathering


def refused(code: str) -> pytest.RaisesExc[ConsiliumError]:
    return pytest.RaisesExc(ConsiliumError, check=lambda error: error.code == code)


def states(g: Gathering, name: str) -> dict[str, State]:
    return {each.name: each.state for each in status(g[name]).sites}


def rosters(g: Gathering, *names: str) -> set[bytes | None]:
    return {None if (roster := g[name].roster) is None else roster.hash for name in names}


def test_three_sites_come_together(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B", "C")
        assert rosters(g, "A", "B", "C") == {None}
        service.start(g["A"])
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        assert rosters(g, "A", "B", "C") == {roster.hash}
        assert [(site.position, site.name) for site in roster.sites] == [(1, "A"), (2, "B"), (3, "C")]
        assert (roster.quorum, roster.name, roster.previous) == (3, "Lung", b"")
        assert roster.catalogue_hash == CATALOGUE.hash
        assert not any(g.refusals(name) for name in "ABC")
        assert [g.relay.at(position).key for position in (1, 2, 3)] == [site.key for site in roster.sites]
        assert not any(g[name].store.sealed_secrets.names("invitation/") for name in "ABC")


@pytest.mark.parametrize(("sites", "quorum", "expected"), [(2, None, 2), (4, None, 3), (4, 2, 2)])
def test_the_quorum_is_the_rule_or_what_was_said(sites: int, quorum: int | None, expected: int, tmp_path: Path) -> None:
    names = "BCDE"[: sites - 1]
    with Gathering(tmp_path, names) as g:
        g.create(quorum)
        for name in names:
            g.join(name)
        g.settle()
        for name in names:
            g.confirm(name)
        g.settle()
        service.start(g["A"])
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        assert roster.quorum == expected
        assert len(rosters(g, "A", *names)) == 1


def test_the_states_of_a_site_are_told_on_both_sides(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        assert status(g["A"]).stage == Stage.NONE
        g.create()
        text = g.invite("B")
        assert states(g, "A") == {"A": State.US, "B": State.INVITED}
        told = g.join("B", text)
        assert (told.federation, told.creator, told.contact) == ("Lung", "A", "A, +41 21 000 00 00")
        assert len(told.words) == 6
        assert states(g, "B") == {"A": State.JOINED, "B": State.US}
        g.settle()
        assert states(g, "A")["B"] == State.JOINED
        shown = next(each for each in status(g["A"]).sites if each.name == "B")
        assert shown.words == told.words == status(g["B"]).sites[0].words
        assert shown.contact == "B, +41 21 000 00 00"
        assert shown.program == status(g["A"]).sites[0].program
        service.confirm(g["A"], "B", " ".join(told.words))
        assert states(g, "A")["B"] == State.CONFIRMED_BY_US
        g.settle()
        assert states(g, "B")["A"] == State.CONFIRMED_BY_THEM
        service.confirm(g["B"], "A", " ".join(told.words))
        g.settle()
        assert (states(g, "A")["B"], states(g, "B")["A"]) == (State.CONFIRMED, State.CONFIRMED)
        service.start(g["A"])
        assert (status(g["A"]).stage, states(g, "A")) == (Stage.SIGNING, {"A": State.SIGNED, "B": State.ASKED})
        g.clock.time += SIGNING_TIME + 1
        assert states(g, "A")["B"] == State.LATE
        g.settle()
        assert (status(g["A"]).stage, status(g["B"]).stage) == (Stage.CEREMONY, Stage.CEREMONY)
        assert set(status(g["B"]).formats) >= {"roster", "package"}


def test_the_roster_leads_into_the_ceremony(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        service.start(g["A"])
        g.settle()
        executor, post = Inline(), LocalPost()
        members = [Member(g[name], executor, post) for name in "AB"]
        members[0].work()
        found = status(g["A"])
        assert (found.stage, found.round, states(g, "A")) == (
            Stage.CEREMONY,
            "randomness",
            {"A": State.CEREMONY, "B": State.AWAITED},
        )
        carry(members, post)
        assert status(g["A"]).stage == Stage.READY
        assert g["A"].federation is not None
        assert states(g, "A") == states(g, "B") == dict.fromkeys("AB", State.READY_NOT_BACKED_UP)
        g["B"].record_backup("sheet", 1)
        assert states(g, "B") == {"A": State.READY_NOT_BACKED_UP, "B": State.READY}
        assert states(g, "A")["B"] == State.READY_NOT_BACKED_UP
        carry(members, post)
        assert states(g, "A") == {"A": State.READY_NOT_BACKED_UP, "B": State.READY}
        sent = len(g["B"].store.inbox.of_session(news.session_of(members[0].site.roster)))
        carry(members, post)
        assert sent == len(g["B"].store.inbox.of_session(news.session_of(members[0].site.roster))) == 3
        with refused("joining.started"):
            service.start(g["A"])


def carry(members: list[Member], post: LocalPost) -> None:
    """Let the sites work until none has anything new to read."""
    for member in members:
        post.connect(member.mailroom, member.profile.store)
    while True:
        for member in members:
            member.work()
        if not post.carry():
            return


def test_words_are_taken_as_people_type_them(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        words = g.join("B").words
        g.settle()
        service.confirm(g["B"], " a ", ", ".join(f"{n}. {word.upper()}" for n, word in enumerate(words, 1)))
        service.confirm(g["A"], "b", "\n".join(word[:4] for word in words))
        g.settle()
        assert states(g, "A")["B"] == State.CONFIRMED


def test_wrong_words_confirm_nothing(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        words = g.join("B").words
        g.settle()
        for name, other in (("A", "B"), ("B", "A")):
            with refused("joining.words_differ"):
                service.confirm(g[name], other, " ".join(reversed(words)))
            with refused("joining.word_count"):
                service.confirm(g[name], other, " ".join(words[:5]))
            with refused("joining.unknown_word"):
                service.confirm(g[name], other, " ".join(words[:5]) + " consilium")
            assert g.refusals(name) == ["joining.words_differ"]
        g.settle()
        assert states(g, "A")["B"] == State.JOINED
        with refused("joining.nobody_confirmed"):
            service.start(g["A"])


def test_one_sided_confirmation_is_not_enough(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B", "C"]) as g:
        g.create()
        for name in "BC":
            g.join(name)
        g.settle()
        service.confirm(g["A"], "B", g.words("B"))
        service.confirm(g["C"], "A", g.words("C"))
        g.settle()
        with refused("joining.nobody_confirmed"):
            service.start(g["A"])


def test_a_start_leaves_out_who_has_not_joined(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B")
        g.invite("C")
        service.start(g["A"])
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        assert [site.name for site in roster.sites] == ["A", "B"]
        with refused("joining.started"):
            g.invite("C")
        with refused("joining.started"):
            service.start(g["A"])


def test_a_site_that_does_not_sign_can_be_left_out(tmp_path: Path) -> None:
    with Gathering(tmp_path, "BCD") as g:
        g.gather("B", "C", "D")
        first = service.start(g["A"])
        g.relay.on_the_way = lambda data: ()  # B, the first, hears nothing
        g.work("A")
        g.relay.on_the_way = lambda data: (data,)
        again = service.start(g["A"])
        assert again.id == first.id, "the same sites: the same proposal"
        second = service.start(g["A"], without=["b"])
        assert second.id != first.id
        g.settle()
        roster = g["A"].roster
        assert roster is not None
        assert (roster.hash, [site.name for site in roster.sites]) == (second.id, ["A", "C", "D"])
        assert rosters(g, "A", "C", "D") == {roster.hash}
        assert rosters(g, "B") == {None}
        assert g.relay.at(2).key == g["C"].member_public


def test_a_failed_ceremony_is_started_again_with_a_chained_roster(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B", "C")
        service.start(g["A"])
        g.settle()
        first = g["A"].roster
        assert first is not None
        for name in "ABC":
            profile = g[name]
            with profile.store.database.atomic():
                profile.store.sessions.add(first.ceremony, kind="ceremony", state="failed", data=b"\xa0", now=1)
        assert status(g["A"]).stage == Stage.FAILED
        service.start(g["A"], without=["B"])
        g.settle()
        second = g["A"].roster
        assert second is not None
        assert (second.previous, [site.name for site in second.sites]) == (first.hash, ["A", "C"])
        assert rosters(g, "A", "C") == {second.hash}


def test_an_invitation_is_given_again_until_a_new_one_is_asked_for(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        text = g.invite("B")
        assert g.invite("b") == text
        newer = g.invite("B", again=True)
        with refused("relay.invitation_refused"):
            g.join("B", text)
        g.clock.time += LIFETIME + 1
        assert states(g, "A")["B"] == State.EXPIRED
        with refused("invitation.expired"):
            g.join("B", newer)
        latest = g.invite("B")
        assert latest != newer
        g.join("B", latest)
        g.settle()
        with refused("joining.site_joined"):
            g.invite("B")


def test_a_site_can_be_invited_anew_after_it_has_joined(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        before = g.join("B")
        g.settle()
        after = g.join("B", g.invite("B", again=True))
        g.settle()
        assert before.words != after.words
        g.confirm("B")
        g.settle()
        service.start(g["A"])
        g.settle()
        assert len(rosters(g, "A", "B")) == 1
        assert rosters(g, "A") != {None}


def test_joining_again_goes_on(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        text = g.invite("B")
        first = g.join("B", text)
        g.clock.time += LIFETIME + 1
        assert g.join("B", text) == first


def test_the_relay_may_be_away_at_any_time(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        text = g.invite("B")
        g.relay.down = True
        with refused("relay.unreachable"):
            g.join("B", text)
        g.relay.down = False
        g.join("B", text)
        g.settle()
        g.relay.down = True
        g.confirm("B")
        g.relay.down = False
        g.settle()
        assert states(g, "A")["B"] == State.CONFIRMED


def test_what_people_do_wrong_is_said(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        with refused("joining.no_federation"):
            service.start(g["A"])
        with refused("relay.code_refused"):
            create(g, code="WRONG")
        with refused("joining.bad_name"):
            create(g, name="")
        with refused("roster.bad_quorum"):
            create(g, quorum=1)
        g.create()
        g.create()
        with refused("joining.has_federation"):
            create(g, name="Another")
        with refused("joining.bad_name"):
            g.invite("A")
        text = g.invite("B")
        with refused("joining.other_site"):
            g.join("C", text)
        with refused("joining.has_federation"):
            at_once(service.join(g["A"], g.connector("A"), text))
        with refused("joining.not_joined"):
            service.confirm(g["A"], "B", "one two")
        with refused("joining.unknown_site"):
            service.confirm(g["A"], "Z", "one two")
        g.join("B", text)
        with refused("joining.not_creator"):
            at_once(service.invite(g["B"], g.line("B"), "D"))
        with refused("joining.unknown_site"):
            service.confirm(g["B"], "Z", "one two")


def create(g: Gathering, *, code: str = CODE, name: str = "Lung", quorum: int | None = None) -> None:
    at_once(
        service.create_federation(
            g["A"],
            g.connector("A"),
            address=ADDRESS,
            code=code,
            name=name,
            catalogue=CATALOGUE,
            quorum=quorum,
            parameters=PARAMETERS,
        )
    )


def test_a_wrong_address_can_be_corrected_before_the_relay_has_agreed(tmp_path: Path) -> None:
    with Gathering(tmp_path, []) as g:
        elsewhere = RelayAddress("https://wrong.example")
        g.relay.down = True
        with pytest.raises(ConsiliumError):
            at_once(
                service.create_federation(
                    g["A"],
                    lambda address, federation: g.line("A"),
                    address=elsewhere,
                    code="",
                    name="Lung",
                    catalogue=CATALOGUE,
                    parameters=PARAMETERS,
                )
            )
        assert service.membership(g["A"]) is None
        g.relay.down = False
        g.create()
        known = service.membership(g["A"])
        assert known is not None
        assert known.address == ADDRESS


def test_the_ceremony_of_sixteen_sites_is_about_1_3_gigabytes_each_and_was_0_8() -> None:
    assert traffic(STANDARD_1, 16) == pytest.approx(1.28e9, rel=0.03)
    assert traffic(STANDARD_1, 16, extraction=0) == pytest.approx(0.8e9, rel=0.02)


def test_an_invited_site_shows_a_quorum_only_when_it_knows_it(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.create()
        g.join("B")
        assert status(g["B"]).quorum == 0
        g.join("C")
        g.settle()
        assert (status(g["A"]).quorum, status(g["B"]).quorum) == (3, 0), "it depends on how many they will be"
        for name in "BC":
            g.confirm(name)
        g.settle()
        at_once(service.advance(g["A"], g.line("A")))
        service.start(g["A"])
        g.settle()
        assert status(g["B"]).quorum == 3
    with Gathering(tmp_path / "said") as g:
        g.create(quorum=2)
        g.join("B")
        g.settle()
        assert status(g["B"]).quorum == 2


def test_a_confirmation_that_comes_early_is_kept_and_said_to_be(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.create()
        words = " ".join(g.join("B").words)
        service.confirm(g["B"], "A", words)
        assert not service.told(g["B"]), "the creator has not sent the catalogue yet"
        g.settle()
        assert service.told(g["B"])
        assert states(g, "A")["B"] == State.CONFIRMED_BY_THEM


def test_who_is_left_out_is_told_and_may_still_be_taken_in(tmp_path: Path) -> None:
    with Gathering(tmp_path, "BCD") as g:
        g.gather("B", "C", "D")
        on_the_way, g.relay.on_the_way = g.relay.on_the_way, lambda data: ()  # nobody has signed when it starts anew
        service.start(g["A"])
        g.work("A")
        g.relay.on_the_way = on_the_way
        service.start(g["A"], without=["B"])
        g.work("A")
        g.work("B")
        assert states(g, "B")["B"] == State.LEFT_OUT
        assert next(each for each in status(g["B"]).sites if each.name == "B").since > 0
        service.start(g["A"])  # they think better of it
        g.settle()
        assert len(rosters(g, "A", "B", "C", "D")) == 1
        assert g.refusals("B") == []


def test_who_was_left_out_while_away_hears_it_from_the_relay(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.gather("B", "C")
        service.start(g["A"], without=["B"])
        for _ in range(6):  # all but B
            g.work("A")
            g.work("C")
        assert len(rosters(g, "A", "C")) == 1
        assert rosters(g, "A") != {None}
        with refused("relay.not_a_member") as raised:
            g.line("B").members()
        assert states(g, "B")["B"] == State.US
        service.shut_out(g["B"], raised.value)
        assert states(g, "B")["B"] == State.LEFT_OUT
        service.shut_out(g["A"], raised.value)
        service.shut_out(g["C"], raised.value)
        assert State.LEFT_OUT not in {*states(g, "A").values(), *states(g, "C").values()}


def test_what_is_left_to_say_when_the_roster_is_in_force_still_leaves(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        service.start(g["A"])
        g.work("A")
        g.work("B")
        with pytest.MonkeyPatch.context() as patch, refused("relay.unreachable"):
            patch.setattr(Connection, "send", unreachable)
            g.receive("A")
            at_once(service.advance(g["A"], g.line("A")))
        assert g["A"].roster is not None
        assert service.unsaid(g["A"])
        assert not service.open_to_joining(g["A"])
        at_once(service.catch_up(g["A"], g.line("A")))
        assert not service.unsaid(g["A"])
        g.settle()
        assert rosters(g, "A") == rosters(g, "B") != {None}


def unreachable(*_arguments: object) -> None:
    raise EnvironmentProblem("relay.unreachable", host="relay", port=443)


def test_what_the_relay_will_never_take_is_recorded_and_stops_nothing_else(tmp_path: Path) -> None:
    with Gathering(tmp_path, ["B"]) as g:
        g.gather("B")
        tried: list[int] = []

        def refusing(*_arguments: object) -> None:
            tried.append(1)
            raise PeerProblem("relay.recipient_unknown", place=9)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Connection, "send", refusing)
            service.start(g["A"])
            for _ in range(3):
                at_once(service.advance(g["A"], g.line("A")))
        assert len(tried) == 1
        assert not service.unsaid(g["A"])
        (shown,) = status(g["A"]).refusals
        assert (shown.code, shown.details) == (
            "mail.undeliverable", {"reason": "relay.recipient_unknown", "type": "joining.proposal"}
        )  # fmt: skip


def test_who_is_awaited_is_said(tmp_path: Path) -> None:
    with Gathering(tmp_path) as g:
        g.create()
        words = g.join("B").words
        g.invite("C")
        g.settle()
        assert status(g["A"]).awaited == ("A", "B", "C"), "both sides compare words, and C has not joined"
        service.confirm(g["A"], "B", " ".join(words))
        g.settle()
        assert status(g["A"]).awaited == ("B", "C")
        assert status(g["B"]).awaited == ("B",)
        service.confirm(g["B"], "A", " ".join(words))
        g.settle()
        assert (status(g["A"]).awaited, status(g["B"]).awaited) == (("C",), ())
