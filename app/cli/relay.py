"""``consilium relay``: running a relay, handing out codes, and checking the way to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.core.clock import SystemClock
from app.core.errors import ConsiliumError
from app.core.files import read_limited
from app.texts import Explanation, explain, text

if TYPE_CHECKING:
    from app.relay.server import Running

_PEM_LIMIT = 1 << 14

relay = typer.Typer(help="Run a relay, or check the way to one.")
code = typer.Typer(help="Codes with which federations are created.")
relay.add_typer(code, name="code", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", metavar="DIR", file_okay=False, help="Where the relay keeps everything.")]
Backup = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The backup.")]


@relay.command()
def serve(
    *,
    data: Data,
    profile: Profile,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8443,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A certificate with its chain (PEM); else a private CA is made.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A name or address by which sites reach it (repeatable).")
    ] = None,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="End with the program that started this and holds its input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a relay until it is told to end."""
    from app.core import log
    from app.core.services.lifeline import end_with_input
    from app.relay.server import Settings
    from app.relay.server import serve as run

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("give both --tls-cert and --tls-key", param_hint="--tls-cert / --tls-key")
    certificate = (tls_cert, tls_key) if tls_cert is not None and tls_key is not None else None
    log.write_to(data / "logs")

    def ready(running: Running) -> None:
        if until_input_ends:
            end_with_input(running.stop)
        _say_ready(running, as_json)

    run(Settings(data, host, port, certificate, tuple(name or ())), ready)


def _say_ready(running: Running, as_json: bool) -> None:
    served = running.certificate
    grouped = ":".join(served.fingerprint[start : start + 4] for start in range(0, len(served.fingerprint), 4))
    lines = [text("cli.relay.ready", url=running.url), text("cli.relay.fingerprint", fingerprint=grouped)]
    if served.authority is not None:
        lines.append(text("cli.relay.authority", path=served.authority))
    body = {
        "url": running.url,
        "fingerprint": served.fingerprint,
        "authority": None if served.authority is None else str(served.authority),
    }
    answer(body, as_json, *lines)


@code.command("new")
def new_code(
    *,
    data: Data,
    profile: Profile,
    days: Annotated[int, typer.Option(min=1, max=365, help="For how many days it is good.")] = 14,
    as_json: Json = False,
) -> None:
    """Make a code with which one federation can be created; hand it to its creator."""
    from app.relay.administration import issue_code

    made = issue_code(data, days=days, now=SystemClock().now())
    answer({"code": made, "days": days}, as_json, made, text("cli.relay.code_made", days=days))


@relay.command()
def backup(file: Backup, *, data: Data, profile: Profile, as_json: Json = False) -> None:
    """Write all that a relay keeps to a new file, while it runs or not; the relay’s keys are in it."""
    from app.relay.backup import back_up

    made = back_up(data, file, now=SystemClock().now())
    said = text("cli.relay.backed_up", path=file, messages=made.messages, blobs=made.blobs)
    answer(asdict(made), as_json, said, text("cli.relay.backup_secret"))


@relay.command()
def restore(file: Backup, *, data: Data, profile: Profile, as_json: Json = False) -> None:
    """Make a relay from a backup, in a directory that is empty or not there yet."""
    from app.relay.backup import restore as restored

    made = restored(file, data)
    when = datetime.fromtimestamp(made.made / 1000).astimezone().strftime("%Y-%m-%d %H:%M %z")
    said = text("cli.relay.restored", path=data, messages=made.messages, blobs=made.blobs, when=when)
    answer(asdict(made), as_json, said, text("cli.relay.restored_next"))


@relay.command()
def check(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="The relay's address: https://…; without it, the federation's."),
    ] = None,
    *,
    profile: Profile,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="The relay's private CA (PEM), if it has one.")
    ] = None,
    proxy: Annotated[
        str, typer.Option(metavar="PROXY", help="“system”, “none”, http://host:port, or pac+https://…")
    ] = "system",
    as_json: Json = False,
) -> None:
    """Check the way from here to a relay: proxy, TLS, certificate, version and clock."""
    found = _check_own(profile, proxy) if url is None else _check(url, ca, proxy)
    last = text("cli.relay.check_passed") if found["usable"] else text("cli.relay.check_failed")
    body = {"usable": found["usable"], "findings": [_plain(each) for each in found["findings"]]}
    answer(body, as_json, *(_sentence(each) for each in found["findings"]), last)
    if not found["usable"]:
        raise typer.Exit(1)


def _check(url: str, ca: Path | None, proxy: str) -> dict[str, Any]:
    """Check any relay; that needs no profile."""
    from app.core.federation.proxies import ProxySetting
    from app.core.federation.relay_check import check_relay, findings_to_plain
    from app.core.federation.trust import SYSTEM, RelayAddress

    trust = SYSTEM if ca is None else read_limited(ca, _PEM_LIMIT).decode("ascii", "replace")
    return findings_to_plain(check_relay(RelayAddress(url, trust), ProxySetting(proxy), SystemClock()))


def _check_own(profile: Path, proxy: str) -> dict[str, Any]:
    from app.core.services.connect import connect

    with connect(profile) as site:
        return site.call("relay.check", {"proxy": proxy})


def _problem(finding: Mapping[str, Any]) -> Explanation | None:
    problem = finding["problem"]
    return None if problem is None else explain(ConsiliumError(problem["code"], **problem["params"]))


def _plain(finding: Mapping[str, Any]) -> dict[str, object]:
    plain = {"step": finding["step"], "in_order": finding["in_order"], **finding["params"]}
    if (told := _problem(finding)) is not None:
        plain["problem"] = {"code": finding["problem"]["code"], "what": told.what, "next": told.next}
    return plain


def _sentence(finding: Mapping[str, Any]) -> str:
    if (told := _problem(finding)) is not None:
        said = " ".join(filter(None, (told.what, told.next)))
        mark = text("cli.relay.notice") if finding["notice"] else text("cli.relay.trouble")
        return f"{mark} {said}"
    step, params = finding["step"], finding["params"]
    sentences = {
        "proxy": text("cli.relay.found_proxy", None, **params),
        "reach": text("cli.relay.found_reach", None, **params),
        "certificate": text("cli.relay.found_certificate", None, **params),
        "inspection": text("cli.relay.found_no_inspection"),
        "version": text("cli.relay.found_version", None, **params),
        "clock": text("cli.relay.found_clock", None, **params),
    }
    direct = step == "proxy" and not params["proxy"]
    return text("cli.relay.found_direct") if direct else sentences[step]
