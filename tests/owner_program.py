"""A program that owns a profile, for tests with real second processes: ``python -m tests.owner_program DIRECTORY``.

It says ``ready`` when it serves its socket, and ends when its input does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import EnvironmentProblem, PeerProblem, ProtocolViolation, UserError
from app.core.jobs.job import Progress
from app.core.secret import SecretBytes
from app.core.services.commands import Context, Result, Steps, Values, Waiting, command
from app.core.services.owner import Owner
from app.core.services.profile import open_profile

ERRORS = {kind.__name__: kind for kind in (UserError, EnvironmentProblem, PeerProblem, ProtocolViolation)}


@command("test.echo")
def echo(context: Context, values: Values) -> Result:
    """Return what was given, the secret turned round, and who answers."""
    secret = values.secret("secret")
    return {"value": values.any("value"), "secret": SecretBytes(secret.reveal()[::-1]), "pid": os.getpid()}


@command("test.count")
def count(context: Context, values: Values) -> Result:
    """Count up a number in the profile, step by step, with progress."""
    for step in range(values.number("steps", 0, 1000)):
        context.job.report(Progress(step / 10, "test.step", 1.5 if step else None))
        number = int(context.profile.store.settings.get("test") or b"0") + 1
        context.profile.store.settings.put("test", str(number).encode())
    return {"number": int(context.profile.store.settings.get("test") or b"0"), "pid": os.getpid()}


@command("test.block")
def block(context: Context, values: Values) -> Result:
    """Report that it has begun, and stand still until it is cancelled."""
    stopped = threading.Event()
    context.profile.store.settings.put("blocked", b"yes")
    with context.job.cancel.interrupting(stopped.set):
        context.job.report(Progress(0.0, "test.began", None))
        stopped.wait()
    context.job.cancel.check()
    return {}


@command("test.wait")
def wait(context: Context, values: Values) -> Steps:
    """Wait until the setting ``key`` is there; if the owner leaves, say that it is still awaited."""
    key = values.text("key", 64)
    context.job.report(Progress(0.0, "test.began", None))
    try:
        while (found := context.profile.store.settings.get(key)) is None:
            yield 3600.0
    except EnvironmentProblem:
        raise Waiting("test.awaited", setting=key) from None
    return {"found": found}


@command("test.put")
def put(context: Context, values: Values) -> Result:
    """Set a setting."""
    context.profile.store.settings.put(values.text("key", 64), values.bytes("value", 0, 64))
    return {}


@command("test.fail")
def fail(context: Context, values: Values) -> Result:
    """Raise the error called ``kind``, or something that nobody foresaw."""
    kind = values.text("kind", 64)
    if kind == "Waiting":
        raise Waiting("test.later", days=2)
    if kind in ERRORS:
        raise ERRORS[kind]("test.code", row=3, ratio=0.5, name="x", flag=True, nothing=None)
    raise RuntimeError("with the name of a patient")


@command("test.die")
def die(context: Context, values: Values) -> Result:
    """Be killed in the middle of a transaction, once."""
    if context.profile.store.settings.get("died") is None:
        context.profile.store.settings.put("died", b"yes")
        with context.profile.store.database.atomic():
            context.profile.store.settings.put("half", b"written")
            os.kill(os.getpid(), signal.SIGKILL)
    return {"half": context.profile.store.settings.get("half")}


@command("test.leave")
def leave(context: Context, values: Values) -> Result:
    """End the owner after this command."""
    context.owner.soon(_leave)
    return {}


def _leave() -> None:
    raise SystemExit


@contextmanager
def owner_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A second process that owns the profile in ``directory``, until the block ends."""
    command = [sys.executable, "-m", "tests.owner_program", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(30)


def main() -> None:
    """Own a profile until the input ends."""
    with Owner(open_profile(Path(sys.argv[1]), program="tests"), program="tests") as owner:

        def until_input_ends() -> None:
            sys.stdin.read()
            owner.soon(_leave)

        threading.Thread(target=until_input_ends, daemon=True).start()
        print("ready", flush=True)  # noqa: T201 - how it tells the test
        while True:
            owner.turn(60.0)


if __name__ == "__main__":
    # the module is known by its own name too, so that its commands are registered once
    main()
