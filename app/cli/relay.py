"""``consilium relay``: running a relay, handing out codes, and checking the way to one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.core.clock import SystemClock
from app.core.files import read_limited
from app.texts import explain, text

if TYPE_CHECKING:
    from app.core.federation.relay_check import Finding
    from app.relay.server import Running

_PEM_LIMIT = 1 << 14

relay = typer.Typer(help="Run a relay, or check the way to one.")
code = typer.Typer(help="Codes with which federations are created.")
relay.add_typer(code, name="code", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", metavar="DIR", file_okay=False, help="Where the relay keeps everything.")]


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
    as_json: Json = False,
) -> None:
    """Run a relay until it is told to end."""
    from app.core import log  # noqa: PLC0415
    from app.relay.server import Settings  # noqa: PLC0415
    from app.relay.server import serve as run  # noqa: PLC0415

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("give both --tls-cert and --tls-key", param_hint="--tls-cert / --tls-key")
    certificate = (tls_cert, tls_key) if tls_cert is not None and tls_key is not None else None
    log.write_to(data / "logs")
    run(Settings(data, host, port, certificate, tuple(name or ())), lambda running: _say_ready(running, as_json))


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
    from app.relay.administration import issue_code  # noqa: PLC0415

    made = issue_code(data, days=days, now=SystemClock().now())
    answer({"code": made, "days": days}, as_json, made, text("cli.relay.code_made", days=days))


@relay.command()
def check(
    url: Annotated[str, typer.Argument(metavar="URL", help="The relay's address: https://…")],
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
    from app.core.federation.proxies import ProxySetting  # noqa: PLC0415
    from app.core.federation.relay_check import check_relay  # noqa: PLC0415
    from app.core.federation.trust import SYSTEM, RelayAddress  # noqa: PLC0415

    trust = SYSTEM if ca is None else read_limited(ca, _PEM_LIMIT).decode("ascii", "replace")
    findings = check_relay(RelayAddress(url, trust), ProxySetting(proxy), SystemClock())
    fine = all(finding.in_order for finding in findings)
    last = text("cli.relay.check_passed") if fine else text("cli.relay.check_failed")
    body = {"usable": fine, "findings": [_plain(finding) for finding in findings]}
    answer(body, as_json, *(_sentence(finding) for finding in findings), last)
    if not fine:
        raise typer.Exit(1)


def _plain(finding: Finding) -> dict[str, object]:
    plain: dict[str, object] = {"step": finding.step, "in_order": finding.in_order, **finding.params}
    if finding.problem is not None:
        told = explain(finding.problem)
        plain["problem"] = {"code": finding.problem.code, "what": told.what, "next": told.next}
    return plain


def _sentence(finding: Finding) -> str:
    if finding.problem is not None:
        told = explain(finding.problem)
        said = " ".join(filter(None, (told.what, told.next)))
        mark = text("cli.relay.notice") if finding.notice else text("cli.relay.trouble")
        return f"{mark} {said}"
    sentences = {
        "proxy": text("cli.relay.found_proxy", None, **finding.params),
        "reach": text("cli.relay.found_reach", None, **finding.params),
        "certificate": text("cli.relay.found_certificate", None, **finding.params),
        "inspection": text("cli.relay.found_no_inspection"),
        "version": text("cli.relay.found_version", None, **finding.params),
        "clock": text("cli.relay.found_clock", None, **finding.params),
    }
    direct = finding.step == "proxy" and not finding.params["proxy"]
    return text("cli.relay.found_direct") if direct else sentences[finding.step]
