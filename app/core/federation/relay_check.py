"""The relay check: walks the way to a relay step by step and says at each what it found, and what is in the way.

Steps, in order: ``proxy`` (which way out), ``reach`` (does it answer), ``certificate`` (whose, until when),
``inspection`` (does anything open TLS in between), ``version``, ``clock``. The first trouble ends the walk.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from app.core.clock import Clock
from app.core.errors import ConsiliumError, EnvironmentProblem, SafeParam
from app.core.federation.proxies import ProxySetting, without_credentials
from app.core.federation.relay_line import RelayLine
from app.core.federation.trust import RelayAddress, common_name, shown_certificate

CLOCK_TOLERANCE = 120_000
"""Milliseconds by which this computer's clock may differ from the relay's."""
_SOON_DAYS = 14
_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """What one step found. ``problem`` is what is wrong, if anything; a ``notice`` does not stop the work."""

    step: str
    params: dict[str, SafeParam] = field(default_factory=dict)
    problem: ConsiliumError | None = None
    notice: bool = False

    @property
    def in_order(self) -> bool:
        """Whether the work can go on as far as this step is concerned."""
        return self.problem is None or self.notice


def findings_to_plain(findings: list[Finding]) -> dict[str, Any]:
    """Return what a check found in plain values: whether the relay is ``usable``, and each finding."""
    return {
        "usable": all(each.in_order for each in findings),
        "findings": [
            {
                "step": each.step,
                "in_order": each.in_order,
                "notice": each.notice,
                "params": dict(each.params),
                "problem": None
                if each.problem is None
                else {"code": each.problem.code, "params": dict(each.problem.params)},
            }
            for each in findings
        ],
    }


def check_relay(address: RelayAddress, proxy: ProxySetting, clock: Clock) -> list[Finding]:
    """Check the way to the relay and return the findings; never raises for what it finds."""
    line = RelayLine(address, proxy=proxy)
    findings: list[Finding] = []
    step = "proxy"
    try:
        route = line.route
        findings.append(Finding(step, {"proxy": "" if route is None else without_credentials(route)}))
        step = "reach"
        asked = clock.now()
        info = line.about()
        now = (asked + clock.now()) // 2
        findings.append(Finding(step, {"url": address.url}))
        findings += _certificate(address, line, info.certificate, now)
        step = "version"
        info.check()
        findings.append(Finding(step, {"version": info.version}))
        findings.append(_clock(info.time - now))
    except ConsiliumError as error:
        findings.append(Finding(step, problem=error))
    finally:
        line.close()
    return findings


def _certificate(address: RelayAddress, line: RelayLine, own: str, now: int) -> list[Finding]:
    """Look at the certificate that is shown here, and whether it is the one that the relay says it shows."""
    shown = shown_certificate(address, line.route, _SECONDS)
    if shown is None:
        return []
    ends, issuer = shown.not_valid_after_utc, common_name(shown.issuer)
    days = (ends - datetime.datetime.fromtimestamp(now / 1000, datetime.UTC)).days
    params: dict[str, SafeParam] = {"issuer": issuer, "until": ends.date().isoformat()}
    problem = EnvironmentProblem("relay.certificate_ends", host=address.host, days=days) if days < _SOON_DAYS else None
    found = [Finding("certificate", params, problem, notice=True)]
    seen = hashlib.sha256(shown.public_bytes(Encoding.DER)).hexdigest()
    opened = EnvironmentProblem("relay.tls_opened", host=address.host, issuer=issuer) if seen != own else None
    return [*found, Finding("inspection", problem=opened, notice=True)]


def _clock(ahead: int) -> Finding:
    """``ahead``: how far the relay's clock is ahead of ours, in milliseconds."""
    seconds = round(abs(ahead) / 1000)
    params: dict[str, SafeParam] = {"seconds": seconds}
    wrong = EnvironmentProblem("relay.clock", seconds=seconds) if abs(ahead) > CLOCK_TOLERANCE else None
    return Finding("clock", params, wrong)
