"""The relay's protocol, against a real relay over TLS: what it takes, what it keeps, whom it tells, what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from app.core.errors import ConsiliumError, EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.federation import relay_protocol as protocol
from app.core.federation.relay_protocol import MARK, OFFSET, PROBLEM, REASON, Login
from app.core.secret import SecretBytes
from tests.relay_server import (
    FAR,
    PLENTY,
    People,
    RelayServer,
    TestClock,
    found_federation,
    new_key,
    relay,
    running_relay,
)

__all__ = ["relay"]
DAY = 24 * 3600 * 1000


@pytest.fixture
def people(relay: RelayServer) -> People:
    return found_federation(relay, 3)


def refused(code: str) -> pytest.RaisesExc[ConsiliumError]:
    return pytest.RaisesExc(ConsiliumError, check=lambda error: error.code == code)


def read(people: People, place: int, after: int = 0) -> list[bytes]:
    return [data for _, data in people[place].receive(after)]


def blob(tmp_path: Path, size: int) -> tuple[bytes, Path, bytes]:
    data = os.urandom(size)
    path = tmp_path / secrets.token_hex(4)
    path.write_bytes(data)
    return hashlib.sha256(data).digest(), path, data


# --- membership -----------------------------------------------------------------------------------------------------


def test_members_get_places_in_the_order_of_joining(people: People) -> None:
    members = people[3].members()
    assert [member.place for member in members] == [1, 2, 3]
    assert [member.key for member in members] == [people.keys[place].public for place in (1, 2, 3)]
    assert [member.founder for member in members] == [True, False, False]
    assert [people[place].place() for place in (1, 2, 3)] == [1, 2, 3]


def test_a_code_founds_one_federation(relay: RelayServer) -> None:
    code, key, id_ = relay.code(), new_key(), bytes([1]) * 32
    relay.post(id_, key).found(code.lower().replace("-", " "), b"hello")
    relay.post(id_, key).found(code)  # the answer was lost: the same again
    assert [each.introduction for each in relay.post(id_, key).members()] == [b"hello"]
    with refused("relay.code_refused"):
        relay.post(bytes(32), new_key()).found(code)
    with refused("relay.federation_exists"):
        relay.post(id_, new_key()).found(relay.code())
    with refused("relay.code_refused"):
        relay.post(bytes(32), new_key()).found("AAAAA-AAAAA")


def test_a_code_expires(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path, clock=clock) as server:
        code = server.code()
        clock.ahead = 2 * DAY
        with pytest.raises(UserError, match=r"relay\.code_refused"):
            server.post(bytes(32), new_key()).found(code)


def test_an_invitation_lets_one_site_in_once(relay: RelayServer, people: People) -> None:
    secret = SecretBytes(secrets.token_bytes(32))
    key = new_key()
    with refused("relay.invitation_refused"):
        relay.post(people.id, key).join(secret)
    people[1].invite(secret, FAR)
    people[1].invite(secret, FAR)
    relay.post(people.id, key).join(secret, b"four")
    relay.post(people.id, key).join(secret)  # the answer was lost
    assert relay.post(people.id, key).place() == 4
    with refused("relay.invitation_refused"):
        relay.post(people.id, new_key()).join(secret)
    invitation = protocol.secret_hash(protocol.admission_of(secret).reveal())
    assert people[2].members()[3].invitation == invitation


def test_an_invitation_can_be_taken_back_and_ends(relay: RelayServer, people: People) -> None:
    revoked, late = SecretBytes(bytes(32)), SecretBytes(bytes([1]) * 32)
    people[1].invite(revoked, FAR)
    people[1].revoke(revoked)
    people[1].invite(late, 1)
    for secret in (revoked, late):
        with refused("relay.invitation_refused"):
            relay.post(people.id, new_key()).join(secret)


def test_only_the_founder_invites_and_gives_places(people: People) -> None:
    with refused("relay.founder_only"):
        people[2].invite(SecretBytes(bytes(32)), FAR)
    with refused("relay.founder_only"):
        people[2].give_places((people.keys[1].public.fingerprint,))


def test_places_are_given_anew_and_open_invitations_end(relay: RelayServer, people: People) -> None:
    open_ = SecretBytes(bytes(32))
    people[1].invite(open_, FAR)
    order = tuple(people.keys[place].public.fingerprint for place in (3, 1))
    people[1].give_places(order)
    assert [each.place for each in people[1].members()] == [2, 0, 1]
    assert people[3].place() == 1
    for call in (people[2].members, lambda: people[2].receive(0)):
        with refused("relay.not_a_member"):
            call()
    with refused("relay.not_a_member"):
        relay.post(people.id, people.keys[2]).members()
    with refused("relay.invitation_refused"):
        relay.post(people.id, new_key()).join(open_)
    with refused("relay.malformed"):
        people[1].give_places(order[:1])  # without the founder
    with refused("relay.malformed"):
        people[1].give_places((*order, bytes(32)))


def test_a_full_federation_takes_nobody_in(tmp_path: Path) -> None:
    with running_relay(tmp_path, replace(PLENTY, members=2)) as server:
        people = found_federation(server, 2)
        secret = SecretBytes(bytes(32))
        people[1].invite(secret, FAR)
        with refused("relay.federation_full"):
            server.post(people.id, new_key()).join(secret)


# --- sessions -------------------------------------------------------------------------------------------------------


def test_strangers_get_no_session(relay: RelayServer, people: People) -> None:
    with refused("relay.not_a_member"):
        relay.post(people.id, new_key()).members()
    with refused("relay.not_a_member"):
        relay.post(bytes(32), people.keys[1]).members()


def test_a_challenge_is_answered_once_and_only_by_its_signer(relay: RelayServer, people: People) -> None:
    line = people[1].line

    def challenge() -> bytes:
        return protocol.decode_challenge(line.request("POST", "/v1/challenges").content)[0]

    first = challenge()
    login = Login.sign(people.id, first, people.keys[1])
    line.request("POST", "/v1/sessions", body=login.to_bytes())
    theirs = replace(login, fingerprint=people.keys[2].public.fingerprint, challenge=challenge())
    altered = bytearray(challenge())
    altered[0] ^= 1
    made_up = Login.sign(people.id, bytes(altered), people.keys[1])
    for each in (login, theirs, made_up):
        with refused("relay.unauthenticated"):
            line.request("POST", "/v1/sessions", body=each.to_bytes())


def test_a_challenge_grows_old(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path, clock=clock) as server:
        people = found_federation(server, 1)
        line = people[1].line
        value, _ = protocol.decode_challenge(line.request("POST", "/v1/challenges").content)
        clock.ahead = 120_000
        with refused("relay.unauthenticated"):
            line.request("POST", "/v1/sessions", body=Login.sign(people.id, value, people.keys[1]).to_bytes())


def test_a_session_ends_and_the_client_opens_another(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path, clock=clock) as server:
        people = found_federation(server, 1)
        people[1].members()
        clock.ahead = 2 * 3600 * 1000
        assert len(people[1].members()) == 1
        assert abs(people[1].clock_difference - clock.ahead) < 60_000


# --- messages -------------------------------------------------------------------------------------------------------


def test_messages_arrive_in_order_at_those_they_are_for(people: People) -> None:
    first, second, third = people.message(1), people.message(1, (2,)), people.message(3, (1, 2))
    for sender, data in ((1, first), (1, second), (3, third)):
        people[sender].send(data)
    assert read(people, 1) == [third]
    assert read(people, 2) == [first, second, third]
    assert read(people, 3) == [first]


def test_a_cursor_goes_on_where_it_was_and_acknowledges(relay: RelayServer, people: People) -> None:
    sent = [people.message(1, (2,)) for _ in range(3)]
    for data in sent:
        people[1].send(data)
    arrived = people[2].receive(0)
    assert people[2].receive(arrived[0][0]) == arrived[1:]
    assert people[2].receive(0) == arrived[1:]  # the first one is gone
    other = relay.post(people.id, people.keys[2])
    assert other.receive(arrived[2][0]) == []
    assert people[2].receive(0) == []
    for data in sent:
        people[1].send(data)  # acknowledged and deleted, but still known
    assert people[2].receive(0) == []


def test_sending_twice_is_sending_once_and_another_text_under_one_id_is_refused(people: People) -> None:
    id_ = bytes(16)
    data = people.message(1, (2,), id=id_)
    people[1].send(data)
    people[1].send(data)
    with pytest.raises(ProtocolViolation, match=r"relay\.id_used_twice"):
        people[1].send(people.message(1, (2,), b"other", id=id_))
    people[3].send(people.message(3, (2,), id=id_))  # ids are the sender's own
    assert len(read(people, 2)) == 2


@pytest.mark.parametrize("position", [5, 60, 130, 400, -30])
def test_an_altered_message_is_refused(people: People, position: int) -> None:
    data = bytearray(people.message(1, (2,), bytes(500)))
    data[position] ^= 1
    with refused("relay.envelope_refused"):
        people[1].send(bytes(data))
    assert read(people, 2) == []


def test_a_message_is_refused_from_another_site_a_stranger_or_another_federation(
    relay: RelayServer, people: People
) -> None:
    with refused("relay.not_yours"):
        people[2].send(people.message(1, (3,)))  # a replay in another's session
    people.keys[9] = new_key()
    with refused("relay.envelope_refused"):
        people[1].send(people.message(9, (2,)))
    with refused("relay.envelope_refused"):
        people[1].send(people.message(1, (2,), federation=bytes(32)))
    with refused("relay.recipient_unknown"):
        people[1].send(people.message(1, (2, 7)))
    with refused("relay.envelope_refused"):
        people[1].send(b"")
    assert read(people, 2) == read(people, 3) == []


def test_a_message_too_old_or_from_the_future_is_refused(people: People) -> None:
    now = TestClock().now()
    with refused("relay.message_expired"):
        people[1].send(people.message(1, time=now - 61 * DAY))
    with pytest.raises(EnvironmentProblem, match=r"relay\.message_from_future"):
        people[1].send(people.message(1, time=now + 2 * DAY))
    people[1].send(people.message(1, time=now + DAY // 2))


def test_a_message_too_large_is_refused_before_it_is_read(people: People) -> None:
    people[1].send(people.message(1, (2,), bytes(2**20 - 600)))
    with refused("relay.too_large"):
        people[1].send(bytes(2**20 + 1))
    with refused("relay.too_large"):
        people[1].send(bytes(2**22))
    assert len(read(people, 2)) == 1


def test_much_mail_comes_in_several_answers(people: People) -> None:
    sent = [people.message(1, (2,), bytes(900_000)) for _ in range(9)]
    for data in sent:
        people[1].send(data)
    after, found = 0, []
    while arrived := people[2].receive(after):
        assert sum(len(data) for _, data in arrived) < 5_000_000
        after = arrived[-1][0]
        found += [data for _, data in arrived]
    assert found == sent


def test_a_waiting_poll_wakes_at_once(people: People) -> None:
    woken: list[float] = []

    def poll() -> None:
        assert len(people[2].receive(0, 25)) == 1
        woken.append(time.perf_counter())

    thread = threading.Thread(target=poll)
    thread.start()
    wait_for_polls(people, 1)
    message = people.message(1, (2,))
    began = time.perf_counter()
    people[1].send(message)
    thread.join(20)
    assert woken
    assert woken[0] - began < 5  # the number itself is measured by the benchmark, on a quiet machine


def test_a_poll_ends_when_its_time_is_over(people: People) -> None:
    began = time.perf_counter()
    assert people[2].receive(0, 1) == []
    assert 0.9 < time.perf_counter() - began < 15


def test_hanging_up_ends_a_poll(people: People) -> None:
    caught: list[ConsiliumError] = []

    def poll() -> None:
        try:
            people[2].receive(0, 25)
        except ConsiliumError as error:
            caught.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    wait_for_polls(people, 1)
    began = time.perf_counter()
    people[2].close()
    thread.join(20)
    assert time.perf_counter() - began < 10
    assert [error.code for error in caught] == ["relay.hung_up"]


def test_the_relay_ends_with_polls_waiting(relay: RelayServer, people: People) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(people[2].receive(0, 25)))
    thread.start()
    wait_for_polls(people, 1)
    began = time.perf_counter()
    relay.stop()
    thread.join(20)
    assert found == [[]]
    assert time.perf_counter() - began < 10


def wait_for_polls(people: People, count: int) -> None:
    line = people[1].line
    wanted = f"consilium_relay_waiting_polls {count}\n".encode()
    while wanted not in line.request("GET", "/metrics").content:
        pass


def test_a_members_fifth_poll_ends_its_first(relay: RelayServer, people: People) -> None:
    ended = threading.Event()

    def poll(tell: bool) -> None:
        people[2].receive(0, 25)
        if tell:
            ended.set()

    threads = [threading.Thread(target=poll, args=(number == 0,)) for number in range(5)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_for_polls(people, min(number + 1, 4))
    assert ended.wait(20)
    people[1].send(people.message(1, (2,)))
    for thread in threads:
        thread.join(20)


# --- federations apart ----------------------------------------------------------------------------------------------


def test_two_federations_neither_see_nor_disturb_each_other(relay: RelayServer, tmp_path: Path) -> None:
    ours, theirs = found_federation(relay, 2), found_federation(relay, 2)
    name, path, data = blob(tmp_path, 1000)
    ours[1].publish(name, path)
    with pytest.raises(PeerProblem, match=r"post\.blob_missing"):
        list(theirs[1].fetch(name, 1 << 20))
    assert theirs[1]._offered(name) == 0
    theirs[2].publish(name, path)
    ours[1].withdraw(name)
    assert b"".join(theirs[1].fetch(name, 1 << 20)) == data
    with pytest.raises(PeerProblem, match=r"post\.blob_missing"):
        list(ours[2].fetch(name, 1 << 20))

    ours[1].send(ours.message(1, id=bytes(16)))
    theirs[1].send(theirs.message(1, id=bytes(16)))
    assert len(read(ours, 2)) == len(read(theirs, 2)) == 1
    with refused("relay.envelope_refused"):
        theirs[1].send(ours.message(1))
    assert {each.key for each in theirs[1].members()}.isdisjoint(key.public for key in ours.keys.values())


# --- blobs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 65_536, 4 * 2**20, 9_000_001])
def test_a_blob_travels_whole(people: People, tmp_path: Path, size: int) -> None:
    name, path, data = blob(tmp_path, size)
    people[1].publish(name, path)
    people[1].publish(name, path)
    people[2].publish(name, path)
    assert b"".join(people[3].fetch(name, max(size, 1))) == data


def test_a_blob_that_is_not_what_its_name_says_leaves_nothing(
    relay: RelayServer, people: People, tmp_path: Path
) -> None:
    _, path, _ = blob(tmp_path, 5_000_000)
    with pytest.raises(ProtocolViolation, match=r"relay\.blob_altered"):
        people[1].publish(bytes(32), path)
    assert people[1]._offered(bytes(32)) == 0
    assert not list(relay.directory.glob("uploads/*"))
    assert not list(relay.directory.glob("blobs/*/*/*"))


def test_a_blob_larger_than_agreed_is_not_fetched(people: People, tmp_path: Path) -> None:
    name, path, _ = blob(tmp_path, 1000)
    people[1].publish(name, path)
    with pytest.raises(ProtocolViolation, match=r"blob\.too_large"):
        list(people[2].fetch(name, 999))


def put(people: People, name: bytes, data: bytes, content_range: str | None, place: int = 1) -> tuple[int, int]:
    headers = {} if content_range is None else {"Content-Range": content_range}
    answer = people[place]._ask("PUT", f"/v1/blobs/{name.hex()}", body=data, headers=headers, also=409)
    return answer.status, int(answer.headers[OFFSET])


def test_an_upload_goes_on_where_it_stopped_and_only_there(people: People, tmp_path: Path) -> None:
    name, path, data = blob(tmp_path, 1000)
    assert put(people, name, data[:400], "bytes 0-399/1000") == (202, 400)
    assert people[1]._offered(name) == 400
    assert people[2]._offered(name) == 0  # another member's own
    assert put(people, name, data[500:], "bytes 500-999/1000") == (409, 400)
    assert put(people, name, data[:600], "bytes 0-599/1000") == (202, 600)  # started over
    with pytest.raises(PeerProblem, match=r"post\.blob_missing"):
        list(people[2].fetch(name, 1000))
    people[1].publish(name, path)
    assert b"".join(people[2].fetch(name, 1000)) == data


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-398/1000", "bytes 0-400/1000", "bytes 1-0/1000", "bytes 0-1000/1000", "bytes */1000",
     "bytes=0-399", "bytes 0-399/*", "items 0-399/1000", "bytes -1-399/1000", "bytes 0-399/99999999999999999"],
)  # fmt: skip
def test_a_content_range_that_does_not_fit_is_refused(people: People, content_range: str) -> None:
    with refused("relay.malformed"):
        put(people, bytes(32), bytes(400), content_range)


def test_parts_of_a_blob(people: People, tmp_path: Path) -> None:
    name, path, data = blob(tmp_path, 1000)
    people[1].publish(name, path)

    def part(wanted: str) -> tuple[int, str | None, bytes]:
        answer = people[2]._ask("GET", f"/v1/blobs/{name.hex()}", headers={"Range": wanted})
        return answer.status, answer.headers.get("Content-Range"), answer.content

    assert part("bytes=0-9") == (206, "bytes 0-9/1000", data[:10])
    assert part("bytes=990-") == (206, "bytes 990-999/1000", data[990:])
    assert part("bytes=990-5000") == (206, "bytes 990-999/1000", data[990:])
    for wanted in ("bytes=1000-", "bytes=9-3", "bytes=-5", "bytes=0-1,5-6", "lines=0-1", "bytes=x-"):
        with refused("relay.range_not_satisfiable"):
            part(wanted)
    head = people[2]._ask("HEAD", f"/v1/blobs/{name.hex()}")
    assert (head.status, head.headers["Content-Length"], head.content) == (200, "1000", b"")


def test_only_its_owner_withdraws_a_blob(people: People, tmp_path: Path) -> None:
    name, path, _ = blob(tmp_path, 100)
    people[1].publish(name, path)
    with refused("relay.not_yours"):
        people[2].withdraw(name)
    people[1].withdraw(name)
    people[1].withdraw(name)
    assert people[1]._offered(name) == 0


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[RelayServer]:
    limits = replace(
        PLENTY, waiting_messages=3, blob_bytes=10_000, stored_bytes=15_000, unfinished_blobs=2, retention_days=1.0
    )
    with running_relay(tmp_path / "relay", limits) as server:
        yield server


def test_one_who_fills_mailboxes_is_stopped_and_disturbs_nobody_else(strict: RelayServer) -> None:
    people = found_federation(strict, 3)
    for _ in range(3):
        people[1].send(people.message(1, (2,)))
    with refused("relay.mailbox_full"):
        people[1].send(people.message(1, (3,)))
    people[3].send(people.message(3, (2,)))
    arrived = people[2].receive(0)
    assert len(arrived) == 4
    people[2].receive(arrived[-1][0])  # acknowledged: there is room again
    people[1].send(people.message(1, (3,)))


def test_storage_of_a_member_is_limited_and_comes_back(strict: RelayServer, tmp_path: Path) -> None:
    people = found_federation(strict, 2)
    name, path, _ = blob(tmp_path, 10_001)
    with refused("relay.too_large"):
        people[1].publish(name, path)
    first, second, third = (blob(tmp_path, 6_000) for _ in range(3))
    people[1].publish(first[0], first[1])
    people[1].publish(second[0], second[1])
    with refused("relay.storage_used_up"):
        people[1].publish(third[0], third[1])
    people[2].publish(third[0], third[1])
    people[1].withdraw(first[0])
    people[1].publish(*blob(tmp_path, 6_000)[:2])
    people[2].withdraw(third[0])
    for number in range(2):
        put(people, bytes([number]) * 32, bytes(10), "bytes 0-9/100", place=2)
    with refused("relay.storage_used_up"):
        put(people, bytes([2]) * 32, bytes(10), "bytes 0-9/100", place=2)


def test_one_who_hurries_is_asked_to_wait(tmp_path: Path) -> None:
    limits = replace(PLENTY, messages_per_second=0.01, message_burst=2)
    with running_relay(tmp_path, limits) as server:
        people = found_federation(server, 2)
        for _ in range(2):
            people[1].send(people.message(1))
        with pytest.raises(PeerProblem) as caught:
            people[1].send(people.message(1))
        assert caught.value.code == "relay.too_many_requests"
        assert isinstance(caught.value.params["retry_after"], int)
        people[2].send(people.message(2))


def test_a_short_pause_is_made_by_the_client_itself(tmp_path: Path) -> None:
    pauses: list[float] = []
    with running_relay(tmp_path, replace(PLENTY, messages_per_second=0.5, message_burst=1)) as server:
        people = found_federation(server, 1)
        post = server.post(people.id, people.keys[1], sleep=pauses.append)
        post.send(people.message(1))
        with refused("relay.too_many_requests"):
            post.send(people.message(1))
    assert pauses == [2.0, 2.0, 2.0]


def test_strangers_are_slowed_down(tmp_path: Path) -> None:
    limits = replace(PLENTY, stranger_requests_per_second=0.01, stranger_burst=3)
    with running_relay(tmp_path, limits) as server:
        line = server.post(bytes(32), new_key()).line
        for _ in range(3):
            line.request("POST", "/v1/challenges")
        with refused("relay.too_many_requests"):
            line.request("POST", "/v1/challenges")


def test_everything_ends_after_its_retention(tmp_path: Path) -> None:
    clock = TestClock()
    limits = replace(PLENTY, retention_days=1.0, unfinished_days=1.0)
    with running_relay(tmp_path / "relay", limits, clock) as server:
        people = found_federation(server, 2)
        name, path, _ = blob(tmp_path, 1000)
        people[1].publish(name, path)
        people[1].send(people.message(1))
        put(people, bytes(32), bytes(10), "bytes 0-9/100")
        server.stop()
        clock.ahead = 4 * DAY
        server.start()
        line = people[1].line
        while b"blobs_expired_total 1" not in line.request("GET", "/metrics").content:
            pass
        assert people[2].receive(0) == []
        assert people[1]._offered(name) == 0
        while list(server.directory.glob("blobs/*/*/*")) or list(server.directory.glob("uploads/*")):
            pass


# --- restart --------------------------------------------------------------------------------------------------------


def test_a_restart_keeps_everything(relay: RelayServer, tmp_path: Path) -> None:
    people = found_federation(relay, 3)
    name, path, data = blob(tmp_path, 1000)
    half, half_path, half_data = blob(tmp_path, 1000)
    message = people.message(1)
    secret = SecretBytes(bytes(32))
    code = relay.code()
    people[1].publish(name, path)
    put(people, half, half_data[:500], "bytes 0-499/1000")
    people[1].send(message)
    people[1].invite(secret, FAR)
    authority = relay.address.trust
    relay.stop()
    relay.start()
    assert relay.address.trust == authority
    assert read(people, 2) == read(people, 3) == [message]
    people[1].send(message)
    assert read(people, 2) == [message]
    assert b"".join(people[2].fetch(name, 1000)) == data
    assert people[1]._offered(half) == 500
    people[1].publish(half, half_path)
    relay.post(people.id, new_key()).join(secret)
    relay.post(bytes(32), new_key()).found(code)


def test_cursors_grow_although_the_relay_was_restored_from_a_copy(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path, clock=clock) as server:
        people = found_federation(server, 2)
        for _ in range(5):
            people[1].send(people.message(1))
        last = people[2].receive(0)[-1][0]
        clock.ahead = 10
        people[1].send(people.message(1))
        assert people[2].receive(last)[0][0] > last
        assert abs(last - clock.now()) < DAY  # it is a time


def test_one_directory_has_one_relay(relay: RelayServer) -> None:
    with pytest.raises(EnvironmentProblem, match=r"relay\.in_use"):
        RelayServer(relay.directory)


# --- HTTP -----------------------------------------------------------------------------------------------------------


def fetch(
    relay: RelayServer, path: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    request = Request(relay.address.url + path, data, headers or {}, method=method)  # noqa: S310 - https
    try:
        with urlopen(request, context=relay.address.context()) as response:  # noqa: S310 - https
            return response.status, dict(response.headers), response.read()
    except OSError as error:
        with error:  # type: ignore[attr-defined]
            return error.status, dict(error.headers), error.read()  # type: ignore[attr-defined]


def test_the_relay_says_what_it_is(relay: RelayServer) -> None:
    status, headers, body = fetch(relay, "/v1/")
    told = json.loads(body)
    assert status == 200
    assert told["protocols"] == [1]
    assert abs(told["time"] - TestClock().now()) < 60_000
    assert headers[MARK.lower()] == "1"
    assert headers["cache-control"] == "no-store"
    assert fetch(relay, "/healthz")[0] == 200
    assert b"consilium_relay_requests_total" in fetch(relay, "/metrics")[2]


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        ("/", "GET", "relay.not_found"),
        ("/v2/", "GET", "relay.not_found"),
        ("/v1/messages", "PATCH", "relay.method_not_allowed"),
        ("/v1/messages?after=0", "GET", "relay.unauthenticated"),
        ("/v1/blobs/" + "0" * 64, "GET", "relay.unauthenticated"),
        ("/v1/members", "POST", "relay.malformed"),
        ("/v1/sessions", "POST", "relay.malformed"),
    ],
)
def test_refusals_are_problem_details(relay: RelayServer, path: str, method: str, code: str) -> None:
    status, headers, body = fetch(relay, path, method, b"" if method != "GET" else None)
    told = json.loads(body)
    assert status == told["status"] == protocol.STATUS[code]
    assert headers["content-type"] == PROBLEM
    assert headers[REASON.lower()] == told["code"] == code
    assert told["type"] == f"urn:consilium:problem:{code}"


def test_metrics_are_for_those_the_administrator_names(tmp_path: Path) -> None:
    with running_relay(tmp_path, replace(PLENTY, metrics_to=())) as server:
        assert fetch(server, "/metrics")[0] == 404


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        (("127.0.0.1",), None, 200),  # a monitoring program on the proxy's machine
        (("127.0.0.1",), "203.0.113.7", 404),
        (("127.0.0.1",), "127.0.0.2, 203.0.113.7", 404),  # what a client says itself does not count
        (("127.0.0.1",), "203.0.113.7, 127.0.0.2", 200),
        (("127.0.0.1", "203.0.113.7"), "127.0.0.2, 203.0.113.7", 200),  # two proxies
        ((), "127.0.0.2", 404),  # a proxy that nobody has named
    ],
)
def test_behind_a_proxy_it_counts_who_is_in_front(
    tmp_path: Path, proxies: tuple[str, ...], forwarded: str | None, status: int
) -> None:
    limits = replace(PLENTY, proxies=proxies, metrics_to=("127.0.0.1", "127.0.0.2"))
    with running_relay(tmp_path, limits) as server:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        assert fetch(server, "/metrics", headers=headers)[0] == status


def test_metrics_tell_of_the_clock(tmp_path: Path) -> None:
    clock = TestClock()
    with running_relay(tmp_path, clock=clock) as server:
        clock.ahead = 3_600_000
        assert b"\nconsilium_relay_clock_jump_seconds 3600\n" in fetch(server, "/metrics")[2]


def test_plain_http_gets_no_answer(relay: RelayServer) -> None:
    with socket.create_connection(("127.0.0.1", relay.port)) as plain:
        plain.sendall(b"GET /v1/ HTTP/1.1\r\nHost: relay\r\n\r\n")
        plain.settimeout(10)
        with suppress(ConnectionResetError):
            assert not plain.recv(100).startswith(b"HTTP")


def tls(relay: RelayServer) -> ssl.SSLSocket:
    context = relay.address.context()
    plain = socket.create_connection(("127.0.0.1", relay.port))
    plain.settimeout(10)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_head_that_does_not_come_to_an_end_costs_the_connection(tmp_path: Path) -> None:
    with running_relay(tmp_path, replace(PLENTY, head_seconds=0.3)) as server:
        for start in (b"", b"GET /v1/ HTTP/1.1\r\nHost: relay\r\n"):
            with tls(server) as connection:
                connection.sendall(start)
                assert ended(connection)
        with tls(server) as connection:
            connection.sendall(b"GET /v1/ HTTP/1.1\r\nHost: relay\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"


def ended(connection: ssl.SSLSocket) -> bool:
    try:
        return connection.recv(1000) == b""
    except (ssl.SSLEOFError, ConnectionResetError):
        return True


@pytest.mark.parametrize("length", [20_000, 100_000, 1_000_000])
def test_a_head_too_large_is_refused(relay: RelayServer, length: int) -> None:
    with tls(relay) as connection, suppress(ssl.SSLEOFError, ConnectionError):
        connection.sendall(b"GET /v1/ HTTP/1.1\r\nHost: relay\r\n" + b"X-Long: " + b"x" * length + b"\r\n\r\n")
        assert connection.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    limits = replace(PLENTY, body_seconds=0.3, idle_seconds=0.3)
    with running_relay(tmp_path, limits) as server:
        people = found_federation(server, 1)
        token = people[1]._open_session().token
        for line in (b"POST /v1/messages", b"PUT /v1/blobs/" + b"0" * 64):
            with tls(server) as connection:
                head = b" HTTP/1.1\r\nHost: relay\r\nContent-Length: 1000\r\nAuthorization: Bearer "
                connection.sendall(line + head + token.encode() + b"\r\n\r\nhalf")
                answer = connection.recv(1000)
                assert answer.startswith(b"HTTP/1.1 408")
        assert people[1]._offered(bytes(32)) == 4  # what came of the blob is kept
