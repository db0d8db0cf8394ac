"""Commands about the relay."""

from __future__ import annotations

from app.core.federation.invitation import MOST_URL
from app.core.federation.proxies import ProxySetting
from app.core.federation.relay_check import check_relay, findings_to_plain
from app.core.federation.trust import SYSTEM, RelayAddress
from app.core.services.commands import Context, Steps, Values, command
from app.core.services.errands import errand
from app.core.services.membership import member_of

_TRUST = 1 << 14
_PROXY = 1000


@command("relay.check", passive=True)
def check(context: Context, values: Values) -> Steps:
    """Check the way to the relay at ``url``, or without one to the federation's own.

    Values, each may be missing: url; trust ("system" or a private CA's PEM); proxy. Returns ``usable`` and the
    ``findings`` of :func:`app.core.federation.relay_check.check_relay`, each with its problem as an error travels.
    """
    url = values.string("url", MOST_URL) if values.given("url") else ""
    trust = values.string("trust", _TRUST) if values.given("trust") else SYSTEM
    proxy = ProxySetting(values.string("proxy", _PROXY)) if values.given("proxy") else ProxySetting()
    values.done()
    address = RelayAddress(url, trust) if url else member_of(context.profile).address
    clock = context.profile.clock
    findings = yield from errand(context.owner, lambda: check_relay(address, proxy, clock))
    return findings_to_plain(findings)
