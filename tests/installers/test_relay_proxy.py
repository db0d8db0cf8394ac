"""The sample configuration of nginx, with a real nginx in front of a real relay: what sites do goes through it."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import trustme

from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_client import RelayPost
from app.core.federation.trust import RelayAddress
from tests.relay_server import PLENTY, RelayServer, found_federation, running_relay

SAMPLE = Path(__file__).parents[2] / "installers/relay/nginx.conf"
NAME = "relay.hospital.example"


@dataclass
class Front:
    """A relay, what stands in front of it, and how sites reach that."""

    relay: RelayServer
    address: RelayAddress
    context: ssl.SSLContext

    def status(self, path: str) -> int:
        """Return the status of an answer to GET."""
        try:
            with urlopen(self.address.url + path, context=self.context) as response:  # noqa: S310 - https
                return int(response.status)
        except HTTPError as error:
            with error:
                return error.code


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(nginx).exists():
        pytest.skip("nginx is not installed")
    behind, outside = trustme.CA(), trustme.CA()
    own = behind.issue_cert(NAME)
    own.cert_chain_pems[0].write_to_path(tmp_path / "relay.pem")
    own.private_key_pem.write_to_path(tmp_path / "relay.key")
    behind.cert_pem.write_to_path(tmp_path / "relay-ca.pem")
    shown = outside.issue_cert("127.0.0.1")
    shown.private_key_and_cert_chain_pem.write_to_path(tmp_path / "front.pem")
    outside.cert_pem.write_to_path(tmp_path / "front-ca.pem")
    limits = replace(PLENTY, proxies=("127.0.0.1",), stranger_requests_per_second=1.0, stranger_burst=3)
    certificate = (tmp_path / "relay.pem", tmp_path / "relay.key")
    with running_relay(tmp_path / "relay", limits, certificate=certificate) as relay:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = SAMPLE.read_text()
        for line, instead in {
            "127.0.0.1:8443": f"127.0.0.1:{relay.port}",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "    listen [::]:443 ssl;\n": "",
            f"/etc/ssl/certs/{NAME}.pem": str(tmp_path / "front.pem"),
            f"/etc/ssl/private/{NAME}.key": str(tmp_path / "front.pem"),
            "/etc/nginx/consilium-relay-ca.pem": str(tmp_path / "relay-ca.pem"),
        }.items():
            assert line in configuration
            configuration = configuration.replace(line, instead)
        places = "".join(
            f"{each}_temp_path {tmp_path}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"pid {tmp_path}/pid; daemon off; worker_processes 1; error_log stderr; events {{}}\n"
            f"http {{ {places}\n{configuration}\n}}\n"
        )
        command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                trust = (tmp_path / "front-ca.pem").read_text()
                context = ssl.create_default_context(cadata=trust)
                found = Front(relay, RelayAddress(f"https://127.0.0.1:{port}", trust), context)
                _wait_for(port)
                yield found
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise


def test_sites_work_through_it(front: Front, tmp_path: Path) -> None:
    """Sessions, a poll that wakes at once, a blob of several megabytes, and its parts."""
    posts: list[RelayPost] = []

    def post(federation: bytes, key: object) -> RelayPost:
        posts.append(RelayPost(front.address, federation, key, proxy=ProxySetting("none")))  # type: ignore[arg-type]
        return posts[-1]

    people = found_federation(front.relay, 2, make=post)
    woken: list[float] = []
    sent = threading.Event()

    def wait() -> None:
        assert len(people[2].receive(0, wait=20)) == 1
        woken.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    while b"waiting_polls 1" not in _metrics(front):
        sent.wait(0.01)
    began = time.monotonic()
    people[1].send(people.message(1, (2,)))
    thread.join()
    assert woken[0] - began < 2
    data = os.urandom(5_000_000)
    name = hashlib.sha256(data).digest()
    (tmp_path / "blob").write_bytes(data)
    people[1].publish(name, tmp_path / "blob")
    assert b"".join(people[2].fetch(name, 1 << 23)) == data
    for each in posts:
        each.close()


def test_strangers_are_counted_by_their_own_address_and_metrics_stay_inside(front: Front) -> None:
    assert front.status("/healthz") == 200
    assert front.status("/metrics") == 404
    assert front.status("/Metrics") == 404
    assert [front.status("/v1/") for _ in range(4)][-1] == 429  # this stranger, who is 127.0.0.1, behind the proxy


def _metrics(front: Front) -> bytes:
    """Read the page as a monitoring program on the relay's machine does: not through the proxy."""
    context = ssl.create_default_context(cafile=str(front.relay.directory.parent / "relay-ca.pem"))
    context.check_hostname = False  # it is reached by its address here
    with urlopen(f"https://127.0.0.1:{front.relay.port}/metrics", context=context) as response:  # noqa: S310 - https
        return bytes(response.read())
