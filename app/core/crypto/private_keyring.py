"""A Secret Service of one's own (Linux), for the demo and the tests, which must not touch a person's login keyring.

It is a D-Bus daemon and a gnome-keyring on it, in a home directory that is thrown away at the end. Nothing else can be
started through that bus.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from app.core.errors import EnvironmentProblem

PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon")
SERVICE = "org.freedesktop.secrets"
START_SECONDS = 20.0
STOP_SECONDS = 5.0

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={home}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateSecretService:
    """A running, unlocked Secret Service between ``__enter__`` and ``__exit__``.

    ``environment`` holds what a process needs to use this one and no other. The keyring's password is random and kept
    nowhere: when the service ends, what lay in it is gone.
    """

    environment: Mapping[str, str]

    def __init__(self) -> None:
        self._running = ExitStack()

    @staticmethod
    def missing_programs() -> list[str]:
        """Return what this computer lacks to start one; an empty list where it can be tried."""
        return [name for name in PROGRAMS if sys.platform != "linux" or shutil.which(name) is None]

    def __enter__(self) -> PrivateSecretService:
        """Start both programs and return when the service answers.

        Raises EnvironmentProblem ``keyring.no_private_service``: a program is missing, fails or does not answer.
        """
        try:
            with ExitStack() as stack:
                self._start(stack)
                self._running = stack.pop_all()
        except (OSError, TimeoutError, subprocess.SubprocessError) as error:
            raise EnvironmentProblem("keyring.no_private_service", programs=", ".join(PROGRAMS)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let this process, and those it starts, use this service and no other."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def _start(self, stack: ExitStack) -> None:
        from jeepney import MatchRule, message_bus  # noqa: PLC0415  (installed on Linux only)
        from jeepney.io.blocking import Proxy, open_dbus_connection  # noqa: PLC0415

        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consilium-")))
        own = {name: str(home) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        configuration = home / "bus.conf"
        configuration.write_text(_BUS.format(home=home))
        bus = _daemon(stack, ["dbus-daemon", "--nofork", "--print-address", f"--config-file={configuration}"], own)
        address = _pipe(bus.stdout).readline().decode().strip()
        if not address:  # it has ended
            raise ChildProcessError(bus.args)
        self.environment = {**own, "DBUS_SESSION_BUS_ADDRESS": address}
        appears = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")
        appears.add_arg_condition(0, SERVICE)
        with open_dbus_connection(address) as connection, connection.filter(appears) as seen:
            Proxy(message_bus, connection).AddMatch(appears)
            command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
            keyring = _daemon(stack, [*command, f"--control-directory={home}"], self.environment)
            with _pipe(keyring.stdin) as password:
                password.write(secrets.token_hex().encode())
            connection.recv_until_filtered(seen, timeout=START_SECONDS)


def _daemon(stack: ExitStack, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``command`` so that it ends with ``stack``, or with this process however that ends."""
    guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    process = stack.enter_context(
        subprocess.Popen(  # noqa: S603  (fixed programs, no shell)
            [*guard, *command],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt from the terminal is for us: we still need the keyring to clean up
        )
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:  # cannot be: _daemon() asks for pipes
        raise ChildProcessError
    return stream
