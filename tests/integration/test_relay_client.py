"""The client's way to a real relay: broken wires, proxies, looked-into TLS, wrong certificates, and the relay check."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
import trustme

from app.core import paths, settings
from app.core.clock import SystemClock
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.federation import relay_protocol
from app.core.federation.proxies import ProxySetting, without_credentials
from app.core.federation.relay_check import Finding, check_relay
from app.core.federation.relay_client import RelayPost
from app.core.federation.relay_line import RelayLine
from app.core.federation.relay_protocol import Session
from app.core.federation.trust import SYSTEM, RelayAddress
from tests.relay_server import People, RelayServer, TestClock, found_federation, new_key, relay, running_relay
from tests.wires import Listener, Proxy, Wire

__all__ = ["relay"]
NONE = ProxySetting("none")
SIZE = 9_000_000


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def wire(relay: RelayServer, cleanup: ExitStack) -> Wire:
    made = Wire(relay.port)
    cleanup.callback(made.listener.close)
    return made


@pytest.fixture
def proxy(cleanup: ExitStack) -> Callable[..., Proxy]:
    def make(**options: object) -> Proxy:
        made = Proxy(**options)  # type: ignore[arg-type]
        cleanup.callback(made.listener.close)
        return made

    return make


@pytest.fixture
def blob(tmp_path: Path) -> tuple[bytes, Path, bytes]:
    data = os.urandom(SIZE)
    path = tmp_path / "blob"
    path.write_bytes(data)
    return hashlib.sha256(data).digest(), path, data


def over(wire: Wire, relay: RelayServer, people: People, place: int = 1, **options: object) -> RelayPost:
    """A client whose connections go over the wire."""
    address = RelayAddress(f"https://127.0.0.1:{wire.listener.port}", relay.address.trust)
    options.setdefault("sleep", lambda _seconds: None)
    return RelayPost(address, people.id, people.keys[place], proxy=NONE, **options)  # type: ignore[arg-type]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ConsiliumError) as caught:
        call()
    return caught.value.code


# --- wires that break -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [500, 3_000, 100_000, 2_000_000, 4_200_000, 6_000_000])
def test_an_upload_survives_broken_connections(
    relay: RelayServer, wire: Wire, blob: tuple[bytes, Path, bytes], cut: int
) -> None:
    people = found_federation(relay, 1)
    name, path, data = blob
    wire.cuts = [(cut, float("inf"))] * 3
    with over(wire, relay, people) as post:
        post.publish(name, path)
    assert wire.connections > 1
    assert b"".join(people[1].fetch(name, SIZE)) == data


@pytest.mark.parametrize("cut", [1_800, 4_000, 100_000, 5_000_000])
def test_a_download_survives_broken_connections(
    relay: RelayServer, wire: Wire, blob: tuple[bytes, Path, bytes], cut: int
) -> None:
    people = found_federation(relay, 1)
    name, path, data = blob
    people[1].publish(name, path)
    wire.cuts = [(float("inf"), cut)] * 3
    with over(wire, relay, people) as post:
        assert b"".join(post.fetch(name, SIZE)) == data
    assert wire.connections > 1


def test_a_resumed_transfer_does_not_start_over(
    relay: RelayServer, wire: Wire, blob: tuple[bytes, Path, bytes]
) -> None:
    people = found_federation(relay, 1)
    name, path, data = blob
    wire.cuts = [(6_000_000, float("inf"))]
    with over(wire, relay, people) as post:
        post.publish(name, path)
    metrics = people[1].line.request("GET", "/metrics").content
    assert b'route="/v1/blobs/{name}",status="202"' in metrics
    assert wire.connections == 2
    wire.cuts = [(float("inf"), 7_000_000)]
    with over(wire, relay, people) as post:
        assert b"".join(post.fetch(name, SIZE)) == data
    metrics = people[1].line.request("GET", "/metrics").content
    assert b'method="GET",route="/v1/blobs/{name}",status="206"} 1' in metrics


@pytest.mark.parametrize("up", [1_000, 2_500, 3_500])
@pytest.mark.parametrize("down", [2_000, float("inf")])
def test_a_message_over_a_broken_wire_arrives_once(relay: RelayServer, wire: Wire, up: float, down: float) -> None:
    people = found_federation(relay, 2)
    wire.cuts = [(up, down), (up, down)]
    message = people.message(1, (2,), os.urandom(2000))
    with over(wire, relay, people) as post:
        post.send(message)
    assert [data for _, data in people[2].receive(0)] == [message]


def test_a_wire_that_stays_broken_is_told_after_some_tries(relay: RelayServer, wire: Wire) -> None:
    people = found_federation(relay, 1)
    wire.cuts = [(0, 0)] * 100
    pauses: list[float] = []
    with over(wire, relay, people, sleep=pauses.append) as post:
        assert code_of(lambda: post.send(people.message(1))) == "relay.unreachable"
    assert pauses == [0.1, 0.4, 1.6]


def test_nobody_there(cleanup: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    line = RelayLine(RelayAddress(f"https://127.0.0.1:{port}"), proxy=NONE, sleep=lambda _: None)
    cleanup.callback(line.close)
    assert code_of(line.about) == "relay.unreachable"
    unknown = RelayLine(RelayAddress("https://relay.invalid"), proxy=NONE)
    cleanup.callback(unknown.close)
    assert code_of(unknown.about) == "relay.unknown_host"


# --- something else answers -----------------------------------------------------------------------------------------


@pytest.fixture
def impostor(cleanup: ExitStack) -> Callable[[bytes], RelayAddress]:
    """A TLS server that gives one answer to everything."""

    def start(answer: bytes) -> RelayAddress:
        ca = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1").configure_cert(context)

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as opened:
                opened.recv(65536)
                opened.sendall(answer)

        listener = Listener(serve)
        cleanup.callback(listener.close)
        return RelayAddress(f"https://127.0.0.1:{listener.port}", ca.cert_pem.bytes().decode())

    return start


def http_answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http_answer("200 OK", b"<html>please log in</html>"), "relay.not_a_relay"),
        (http_answer("302 Found", b"", "Location: https://login.example/"), "relay.not_a_relay"),
        (http_answer("403 Forbidden", b"blocked"), "relay.not_a_relay"),
        (http_answer("407 Proxy Authentication Required", b""), "relay.proxy_auth"),
        (http_answer("200 OK", b"{}", "Consilium-Relay: 1"), "relay.not_a_relay"),
        (http_answer("200 OK", b"[" * 20_000, "Consilium-Relay: 1"), "relay.not_a_relay"),
        (
            http_answer(
                "200 OK", b'{"version": "1", "protocols": [1], "time": 1e999, "certificate": ""}', "Consilium-Relay: 1"
            ),
            "relay.not_a_relay",
        ),
        (http_answer("200 OK", b"x" * 40_000, "Consilium-Relay: 1"), "codec.too_large"),
        (http_answer("418 Teapot", b"{}", "Consilium-Relay: 1", "Consilium-Problem: relay.tea"), "relay.refused"),
        (
            http_answer("507 Full", b"<p>", "Consilium-Relay: 1", "Consilium-Problem: relay.disk_full"),
            "relay.disk_full",
        ),
        (b"HTTP/1.1 nonsense\r\n\r\n", "relay.unreachable"),
        (b"", "relay.unreachable"),
    ],
)
def test_what_is_not_the_relay_is_recognised(
    impostor: Callable[[bytes], RelayAddress], answer: bytes, code: str
) -> None:
    line = RelayLine(impostor(answer), proxy=NONE, sleep=lambda _: None)
    try:
        assert code_of(line.about) == code
    finally:
        line.close()


@pytest.mark.parametrize(("protocols", "code"), [("[0]", "relay.too_old"), ("[2, 3]", "relay.program_too_old")])
def test_versions_that_do_not_meet(impostor: Callable[[bytes], RelayAddress], protocols: str, code: str) -> None:
    told = f'{{"version": "9.9", "protocols": {protocols}, "time": 0, "certificate": ""}}'.encode()
    with RelayPost(
        impostor(http_answer("200 OK", told, "Consilium-Relay: 1")), bytes(32), new_key(), proxy=NONE
    ) as post:
        assert code_of(post.members) == code


# --- a relay that is busy, or says strange things -------------------------------------------------------------------


@pytest.fixture
def told(cleanup: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RelayPost, list[float]]]:
    """Make a client in a session to which a relay says what is given, the last thing again and again."""

    def make(*answers: requests.Response) -> tuple[RelayPost, list[float]]:
        waiting, pauses = list(answers), list[float]()
        post = RelayPost(RelayAddress("https://relay.invalid"), bytes(32), new_key(), proxy=NONE, sleep=pauses.append)
        cleanup.callback(post.close)
        post._session = Session("token", 3600)
        monkeypatch.setattr(post.line, "_once", lambda *_: waiting.pop(0) if len(waiting) > 1 else waiting[0])
        return post, pauses

    return make


def says(status: int, **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer._content = status, b""
    answer._content_consumed = True  # type: ignore[attr-defined]
    answer.headers.update({"Consilium-Relay": "1", **{name.replace("_", "-"): each for name, each in headers.items()}})
    return answer


def test_what_may_be_asked_only_once_waits_for_a_busy_relay(
    told: Callable[..., tuple[RelayPost, list[float]]],
) -> None:
    """A challenge is answered once; but a relay that asks to wait has not heard the answer."""
    busy = says(429, Retry_After="3", Consilium_Problem="relay.too_many_requests")
    post, pauses = told(busy, busy, says(201))
    assert post.line.request("POST", "/v1/sessions", tries=1).status == 201
    assert pauses == [3.0, 3.0]
    post, pauses = told(busy)
    assert code_of(lambda: post.line.request("POST", "/v1/sessions", tries=1)) == "relay.too_many_requests"
    assert pauses == [3.0] * 3


def test_a_refusal_of_the_bytes_is_believed_the_third_time(
    told: Callable[..., tuple[RelayPost, list[float]]],
) -> None:
    """What we send is as we signed it: something on the way may have changed it."""
    refused = says(422, Consilium_Problem="relay.envelope_refused")
    post, pauses = told(refused, refused, says(201))
    post.send(b"signed")
    assert pauses == [0.1, 0.4]
    post, pauses = told(refused)
    assert code_of(lambda: post.send(b"signed")) == "relay.envelope_refused"
    assert pauses == [0.1, 0.4]
    post, pauses = told(says(409, Consilium_Problem="relay.id_used_twice"))
    assert code_of(lambda: post.send(b"signed")) == "relay.id_used_twice"
    assert pauses == []


def test_an_answer_without_its_body_does_not_go_on_for_ever(
    told: Callable[..., tuple[RelayPost, list[float]]],
) -> None:
    post, pauses = told(says(200, Content_Length="5"))
    assert code_of(lambda: list(post.fetch(bytes(32), 100))) == "relay.unreachable"
    assert pauses == [0.1, 0.4, 1.6]


@pytest.mark.parametrize("offset", ["0", "5", "7"])
def test_an_upload_that_gets_nowhere_does_not_go_on_for_ever(
    told: Callable[..., tuple[RelayPost, list[float]]], tmp_path: Path, offset: str
) -> None:
    """The relay has it, has nothing of it, has more than there is: whatever it is, it is no blob."""
    path = tmp_path / "blob"
    path.write_bytes(b"12345")
    post, pauses = told(says(404, Upload_Offset="0"), says(202, Upload_Offset=offset))
    assert code_of(lambda: post.publish(bytes(32), path)) == "relay.not_a_relay"
    assert len(pauses) <= 3


# --- trust ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def given(tmp_path: Path) -> Iterator[tuple[RelayServer, trustme.CA]]:
    """A relay with a certificate by somebody else's CA, which the "system" trusts if told so."""
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    with running_relay(tmp_path / "relay", certificate=(tmp_path / "cert.pem", tmp_path / "key.pem")) as server:
        yield server, ca


def about(address: RelayAddress, proxy: ProxySetting = NONE) -> None:
    line = RelayLine(address, proxy=proxy, sleep=lambda _: None)
    try:
        line.about()
    finally:
        line.close()


def test_the_systems_roots_decide_and_nothing_else(
    given: tuple[RelayServer, trustme.CA], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, ca = given
    ca.cert_pem.write_to_path(tmp_path / "roots.pem")
    address = RelayAddress(f"https://127.0.0.1:{server.port}", SYSTEM)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(tmp_path / "roots.pem"))
    assert code_of(lambda: about(address)) == "relay.certificate_untrusted"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))  # what the system trusts, on Linux
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing.pem"))
    about(address)


def test_certifis_roots_do_not_come_in(
    given: tuple[RelayServer, trustme.CA], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, ca = given
    ca.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "roots.pem"))
    other = trustme.CA().cert_pem.bytes().decode()
    with pytest.raises(ConsiliumError):
        about(RelayAddress(f"https://127.0.0.1:{server.port}", other))
    with pytest.raises(ConsiliumError):
        about(RelayAddress(f"https://127.0.0.1:{server.port}", SYSTEM))


def test_a_private_authority_is_trusted_alone(
    relay: RelayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about(relay.address)
    about(RelayAddress.with_authority(relay.address.url, ssl.PEM_cert_to_DER_cert(relay.address.trust)))
    about(RelayAddress(f"https://localhost:{relay.port}", relay.address.trust))
    with running_relay(tmp_path / "another") as other:
        changed = RelayAddress(relay.address.url, other.address.trust)
        assert code_of(lambda: about(changed)) == "relay.certificate_changed"
    assert code_of(lambda: about(RelayAddress(relay.address.url))) == "relay.certificate_untrusted"
    monkeypatch.setattr(socket, "getaddrinfo", _everything_here(socket.getaddrinfo))
    named = RelayAddress(f"https://relay.example:{relay.port}", relay.address.trust)
    assert code_of(lambda: about(named)) == "relay.certificate_wrong_name"


def _everything_here(real: Callable[..., object]) -> Callable[..., object]:
    return lambda _host, *rest, **options: real("127.0.0.1", *rest, **options)


@pytest.mark.parametrize(
    "url",
    ["http://relay.example", "relay.example", "https://", "https://user:secret@relay.example", "https://a/?x=1",
     "https://a/#x", "https://a:99999", "https://[::1", "", "https://a\n"],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UserError, match=r"relay\.bad_address"):
        RelayAddress(url)


def test_trust_that_is_none(relay: RelayServer) -> None:
    leaf = (relay.directory / "tls" / "relay.pem").read_text().split("-----END CERTIFICATE-----")[0]
    for pem in ("", "x", leaf + "-----END CERTIFICATE-----\n", relay.address.trust * 2):
        with pytest.raises(UserError, match=r"relay\.bad_trust"):
            RelayAddress(relay.address.url, pem)


# --- proxies --------------------------------------------------------------------------------------------------------


def test_through_a_proxy(relay: RelayServer, proxy: Callable[..., Proxy]) -> None:
    way = proxy()
    people = found_federation(relay, 2, lambda id_, key: relay.post(id_, key, proxy=ProxySetting(way.url)))
    people[1].send(people.message(1))
    assert len(people[2].receive(0)) == 1
    assert set(way.asked) == {f"127.0.0.1:{relay.port}"}


def test_the_environments_proxy(
    relay: RelayServer, proxy: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = proxy()
    monkeypatch.setenv("HTTPS_PROXY", way.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    about(relay.address, ProxySetting())
    assert len(way.asked) == 1
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    about(relay.address, ProxySetting())
    about(relay.address, NONE)
    assert len(way.asked) == 1


def test_a_proxy_that_asks_for_a_password(relay: RelayServer, proxy: Callable[..., Proxy]) -> None:
    way = proxy(credentials=base64.b64encode(b"anna:se cret").decode())
    assert code_of(lambda: about(relay.address, ProxySetting(way.url))) == "relay.proxy_auth"
    with_password = way.url.replace("//", "//anna:se%20cret@")
    about(relay.address, ProxySetting(with_password))
    assert without_credentials(with_password) == way.url


def test_a_proxy_that_says_no_or_nothing(relay: RelayServer, proxy: Callable[..., Proxy]) -> None:
    assert code_of(lambda: about(relay.address, ProxySetting(proxy(refuse=True).url))) == "relay.proxy_refused"
    gone = proxy()
    gone.listener.close()
    assert code_of(lambda: about(relay.address, ProxySetting(gone.url))) == "relay.proxy_unreachable"


def test_an_error_never_shows_a_proxys_password(relay: RelayServer, proxy: Callable[..., Proxy]) -> None:
    url = proxy(refuse=True).url.replace("//", "//anna:hunter2@")
    with pytest.raises(EnvironmentProblem) as caught:
        about(relay.address, ProxySetting(url))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UserError) as bad:
        ProxySetting("ftp://anna:hunter2@proxy.example")
    assert "hunter2" not in str(bad.value)


@pytest.fixture
def inspecting(proxy: Callable[..., Proxy]) -> tuple[Proxy, trustme.CA]:
    ca = trustme.CA(organization_name="Hospital IT")

    def context(host: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(host).configure_cert(made)
        return made

    return proxy(inspect=context), ca


def test_inspection_is_told_from_other_trouble(relay: RelayServer, inspecting: tuple[Proxy, trustme.CA]) -> None:
    way, _ = inspecting
    with pytest.raises(EnvironmentProblem) as caught:
        about(relay.address, ProxySetting(way.url))
    assert caught.value.code == "relay.tls_inspected"
    assert "Hospital IT" in str(caught.value.params["issuer"])


def test_inspection_by_a_ca_that_the_system_trusts_is_passed_and_noticed(
    given: tuple[RelayServer, trustme.CA],
    inspecting: tuple[Proxy, trustme.CA],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (server, _), (way, hospital) = given, inspecting
    hospital.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    address = RelayAddress(f"https://127.0.0.1:{server.port}", SYSTEM)
    about(address, ProxySetting(way.url))
    found = {finding.step: finding for finding in check_relay(address, ProxySetting(way.url), SystemClock())}
    inspection = found["inspection"]
    assert inspection.problem is not None
    assert inspection.problem.code == "relay.tls_opened"
    assert inspection.in_order
    assert all(finding.in_order for finding in found.values())


class _Quiet(http.server.BaseHTTPRequestHandler):
    text = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ns-proxy-autoconfig")
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def pac(cleanup: ExitStack) -> Callable[[str], ProxySetting]:
    def serve(text: str) -> ProxySetting:
        handler = type("Handler", (_Quiet,), {"text": text})
        server = http.server.HTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        cleanup.callback(server.server_close)
        cleanup.callback(thread.join)
        cleanup.callback(server.shutdown)
        return ProxySetting(f"pac+http://127.0.0.1:{server.server_port}/proxy.pac")

    with warnings.catch_warnings():  # its own, when it is imported
        warnings.simplefilter("ignore")
        import pypac  # noqa: F401
    return serve


def test_a_pac_file_says_the_way(
    relay: RelayServer, proxy: Callable[..., Proxy], pac: Callable[[str], ProxySetting]
) -> None:
    gone, way = proxy(), proxy()
    gone.listener.close()
    hosts = [each.url.removeprefix("http://") for each in (gone, way)]
    answer = f"PROXY {hosts[0]}; PROXY {hosts[1]}; DIRECT"
    setting = pac(f"function FindProxyForURL(url, host) {{ return host == '127.0.0.1' ? '{answer}' : 'DIRECT'; }}")
    about(relay.address, setting)
    assert len(way.asked) == 1
    direct = pac("function FindProxyForURL(url, host) { return 'DIRECT'; }")
    about(relay.address, direct)
    assert direct.routes("https://relay.example") == (None,)


@pytest.fixture
def fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Fix settings of the network as IT does; this computer's own relay counts as any other."""
    monkeypatch.setattr(paths, "managed_settings", lambda: tmp_path / "managed.toml")
    monkeypatch.setattr(settings, "is_local", lambda _url: False)

    def fix(**values: str) -> None:
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in values.items())
        (tmp_path / "managed.toml").write_text("[network]\n" + "".join(lines), "utf-8")

    return fix


def test_a_fixed_proxy_that_asks_for_a_password(
    relay: RelayServer, proxy: Callable[..., Proxy], fixed: Callable[..., None], tmp_path: Path
) -> None:
    way = proxy(credentials=base64.b64encode(b"anna:se cret").decode())
    fixed(proxy=way.url)
    assert code_of(lambda: about(relay.address, NONE)) == "relay.proxy_auth"
    (tmp_path / "login").write_text("anna:se cret\n")
    fixed(proxy=way.url, proxy_login=str(tmp_path / "login"))
    people = found_federation(relay, 2, lambda id_, key: relay.post(id_, key, proxy=NONE))
    people[1].send(people.message(1))
    assert len(people[2].receive(0)) == 1
    assert set(way.asked) == {f"127.0.0.1:{relay.port}"}
    found = check_relay(relay.address, NONE, SystemClock())
    assert all(finding.in_order for finding in found)
    assert found[0].params == {"proxy": way.url}  # without the password


def test_a_fixed_pac_file(
    relay: RelayServer,
    proxy: Callable[..., Proxy],
    pac: Callable[[str], ProxySetting],
    fixed: Callable[..., None],
    tmp_path: Path,
) -> None:
    way = proxy(credentials=base64.b64encode(b"anna:word").decode())
    (tmp_path / "login").write_text("anna:word")
    answer = f"PROXY {way.url.removeprefix('http://')}"
    setting = pac(f"function FindProxyForURL(url, host) {{ return '{answer}'; }}")
    fixed(proxy=setting.value, proxy_login=str(tmp_path / "login"))
    about(relay.address, NONE)
    assert len(way.asked) == 1


def test_inspection_by_a_ca_that_it_has_added(
    given: tuple[RelayServer, trustme.CA],
    inspecting: tuple[Proxy, trustme.CA],
    fixed: Callable[..., None],
    tmp_path: Path,
) -> None:
    (server, own), (way, hospital) = given, inspecting
    hospital.cert_pem.write_to_path(tmp_path / "hospital.pem")
    address = RelayAddress(f"https://127.0.0.1:{server.port}", SYSTEM)
    fixed(proxy=way.url)
    assert code_of(lambda: about(address)) == "relay.certificate_untrusted"
    fixed(proxy=way.url, ca_bundle=str(tmp_path / "hospital.pem"))
    found = {finding.step: finding for finding in check_relay(address, NONE, SystemClock())}
    assert all(finding.in_order for finding in found.values())
    assert found["inspection"].problem is not None
    # a relay with an authority of its own stays as it was: nobody in between is trusted
    pinned = RelayAddress(address.url, own.cert_pem.bytes().decode())
    assert code_of(lambda: about(pinned)) in ("relay.tls_inspected", "relay.certificate_changed")


@pytest.mark.parametrize("text", ["function FindProxyForURL(", "42", "function FindProxyForURL() { throw 1; }"])
def test_a_pac_file_that_does_not_work(pac: Callable[[str], ProxySetting], text: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"relay\.pac_failed"):
        pac(text).routes("https://relay.example")


def test_a_pac_file_that_is_not_there(pac: Callable[[str], ProxySetting], cleanup: ExitStack) -> None:
    setting = pac("")
    cleanup.close()
    with pytest.raises(EnvironmentProblem, match=r"relay\.pac_failed"):
        setting.routes("https://relay.example")


@pytest.mark.parametrize("value", ["", "proxy:8080", "ftp://proxy", "pac+ftp://x", "http://proxy/path", "http://"])
def test_proxy_settings_that_are_none(value: str) -> None:
    with pytest.raises(UserError, match=r"relay\.bad_proxy"):
        ProxySetting(value)


# --- the check ------------------------------------------------------------------------------------------------------


def steps(findings: list[Finding]) -> dict[str, str]:
    return {finding.step: "" if finding.problem is None else finding.problem.code for finding in findings}


ALL = ("proxy", "reach", "certificate", "inspection", "version", "clock")


def test_a_relay_in_order(relay: RelayServer) -> None:
    assert steps(check_relay(relay.address, NONE, SystemClock())) == dict.fromkeys(ALL, "")


def test_a_clock_that_is_wrong(relay: RelayServer) -> None:
    found = check_relay(relay.address, NONE, TestClock(ahead=-600_000))
    assert steps(found) == {**dict.fromkeys(ALL, ""), "clock": "relay.clock"}
    assert 590 < int(found[-1].problem.params["seconds"] or 0) < 610  # type: ignore[union-attr]


def test_a_certificate_that_ends_soon(relay: RelayServer) -> None:
    found = check_relay(relay.address, NONE, TestClock(ahead=390 * 24 * 3600 * 1000))
    assert steps(found)["certificate"] == "relay.certificate_ends"


def test_the_check_names_what_is_in_the_way(
    relay: RelayServer, proxy: Callable[..., Proxy], inspecting: tuple[Proxy, trustme.CA]
) -> None:
    def check(address: RelayAddress, setting: ProxySetting) -> tuple[str, str]:
        found = check_relay(address, setting, SystemClock())
        assert not found[-1].in_order
        return found[-1].step, found[-1].problem.code  # type: ignore[union-attr]

    assert check(relay.address, ProxySetting(proxy(refuse=True).url)) == ("reach", "relay.proxy_refused")
    assert check(relay.address, ProxySetting(proxy(credentials="x").url)) == ("reach", "relay.proxy_auth")
    assert check(relay.address, ProxySetting(inspecting[0].url)) == ("reach", "relay.tls_inspected")
    assert check(RelayAddress(relay.address.url), NONE) == ("reach", "relay.certificate_untrusted")
    assert check(RelayAddress("https://relay.invalid"), NONE) == ("reach", "relay.unknown_host")


def test_every_refusal_of_the_relay_is_an_error_here() -> None:
    assert all(code.startswith("relay.") and 400 <= status < 600 for code, status in relay_protocol.STATUS.items())
