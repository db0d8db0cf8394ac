import pytest

from app.core.jobs.job import Cancelled, CancelToken, Job, Progress


def test_progress_tells_what_is_left() -> None:
    times = iter([0.0, 0.05, 0.3, 2.0, 4.0])
    seen: list[Progress] = []
    meter = Job(seen.append, clock=lambda: next(times)).meter("step", total=10, done=2)
    for units in (1, 1, 2, 4):
        meter.advance(units)
    assert seen == [
        Progress(0.2, "step", None),
        Progress(0.4, "step", None),  # the second report came too soon, the third says nothing yet
        Progress(0.6, "step", 2.0 / 4 * 4),
        Progress(1.0, "step", 0.0),
    ]


def test_a_cancelled_job_stops_at_the_next_step() -> None:
    job = Job()
    meter = job.meter("step", 3)
    meter.advance()
    job.cancel.cancel()
    assert job.cancel.cancelled
    with pytest.raises(Cancelled) as stopped:
        meter.advance()
    assert stopped.value.code == "job.cancelled"


def test_cancel_interrupts_what_is_registered_only() -> None:
    token, called = CancelToken(), []
    with token.interrupting(lambda: called.append("left")):
        pass
    with token.interrupting(lambda: called.append("inside")):
        token.cancel()
    with token.interrupting(lambda: called.append("late")):
        pass
    assert called == ["inside", "late"]
    with pytest.raises(Cancelled):
        token.check()


def test_an_empty_step_is_whole() -> None:
    seen: list[Progress] = []
    Job(seen.append).meter("step", 0).advance(0)
    assert seen[-1].fraction <= 1.0
