"""Contributions that are computed beside everything else: one at a time, told of, taken once, dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.core.errors import EnvironmentProblem
from app.core.federation import evaluations
from app.core.federation.evaluations import Computing, Evaluations, Made
from app.core.jobs.job import Cancelled, Job, Progress

ONE, TWO = b"1" * 32, b"2" * 32


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self._rung.release()

    def wait(self) -> None:
        assert self._rung.acquire(timeout=60)


class Slow:
    """Work that goes step by step when it is told to."""

    def __init__(self, made: bytes) -> None:
        self.made = made
        self.ended: list[BaseException] = []
        self.began = threading.Event()
        self._steps: list[float] = []
        self._go = threading.Semaphore(0)

    def __call__(self, job: Job) -> Made:
        self.began.set()
        try:
            while True:
                assert self._go.acquire(timeout=60)
                if not self._steps:
                    return Made(self.made, 40)
                job.report(Progress(self._steps.pop(0), "job.evaluate", None))
        except BaseException as error:
            self.ended.append(error)
            raise

    def step(self, fraction: float) -> None:
        self._steps.append(fraction)
        self._go.release()

    def end(self) -> None:
        self._go.release()


@pytest.fixture
def bell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bell]:
    monkeypatch.setattr(evaluations, "TELL_SECONDS", 0.0)
    return Bell()


def test_without_anybody_to_come_back_it_is_computed_at_once() -> None:
    found = Evaluations()
    assert found.begin(ONE, lambda job: Made(b"x", 40)) == Made(b"x", 40)
    assert (found.look(ONE), found.busy) == (None, False)
    with pytest.raises(EnvironmentProblem):
        found.begin(ONE, failing)


def failing(_job: Job) -> Made:
    raise EnvironmentProblem("worker.killed")


def test_it_is_told_how_far_it_is_and_taken_once(bell: Bell) -> None:
    found, slow = Evaluations(bell), Slow(b"x")
    begun = found.begin(ONE, slow)
    assert isinstance(begun, Computing)
    bell.wait()  # its turn has come
    slow.step(0.42)
    bell.wait()
    told = found.look(ONE)
    assert isinstance(told, Computing)
    assert (told.percent, found.busy) == (42, True)
    slow.end()
    bell.wait()
    assert found.look(ONE) == Made(b"x", 40)
    assert (found.look(ONE), found.busy) == (None, False)


def test_a_second_one_waits_for_its_turn(bell: Bell) -> None:
    found, first, second = Evaluations(bell), Slow(b"1"), Slow(b"2")
    found.begin(ONE, first)
    assert first.began.wait(60)
    found.begin(TWO, second)
    told = found.look(TWO)
    assert isinstance(told, Computing)
    assert (told.percent, second.began.is_set()) == (None, False)
    first.end()
    assert second.began.wait(60)
    second.end()
    for _ in range(4):  # each began and ended
        bell.wait()
    assert (found.look(ONE), found.look(TWO)) == (Made(b"1", 40), Made(b"2", 40))


def test_what_it_raises_is_raised_where_it_is_asked_for_and_it_can_begin_anew(bell: Bell) -> None:
    found = Evaluations(bell)
    found.begin(ONE, failing)
    bell.wait()
    bell.wait()
    with pytest.raises(EnvironmentProblem, match=r"worker\.killed"):
        found.look(ONE)
    assert found.look(ONE) is None


def test_what_nobody_wants_any_more_stops_and_lets_the_next_one_in(bell: Bell) -> None:
    found, dropped, waiting, last = Evaluations(bell), Slow(b"1"), Slow(b"2"), Slow(b"3")
    found.begin(ONE, dropped)
    assert dropped.began.wait(60)
    found.begin(TWO, waiting)
    found.drop(ONE)
    found.drop(TWO)
    assert not found.busy
    found.begin(ONE, last)
    dropped.step(0.5)
    assert last.began.wait(60)
    assert [type(error) for error in dropped.ended] == [Cancelled]
    assert not waiting.began.is_set(), "dropped before its turn, it never begins"
    last.end()
    while isinstance(made := found.look(ONE), Computing):
        bell.wait()
    assert made == Made(b"3", 40)


def test_many_requests_share_one_thread() -> None:
    gate, before = threading.Event(), threading.active_count()
    evaluations = Evaluations(lambda: None)

    def work(_job: Job) -> Made:
        assert gate.wait(30)
        return Made(b"made", 1)

    for number in range(200):
        evaluations.begin(number.to_bytes(2), work)
    assert threading.active_count() == before + 1
    gate.set()
    for number in range(200):
        found = evaluations.look(number.to_bytes(2))
        while isinstance(found, Computing):
            found = evaluations.look(number.to_bytes(2))
        assert found == Made(b"made", 1)
