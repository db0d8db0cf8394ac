"""How the relay says no: problem details (RFC 9457) with a code that never changes."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

from starlette.responses import Response

from app.core.errors import ConsiliumError, SafeParam
from app.core.federation.relay_protocol import OFFSET, PROBLEM, REASON, STATUS


class Refusal(ConsiliumError):
    """The relay does not do what was asked. Its code is in ``relay_protocol.STATUS``."""


def problem(error: ConsiliumError) -> Response:
    """Return the answer that says so; an error that is no refusal is ``relay.failed`` and says nothing more."""
    if error.code not in STATUS:
        error = Refusal("relay.failed")
    status = STATUS[error.code]
    body: dict[str, SafeParam] = {
        "type": f"urn:consilium:problem:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": error.code,
        **error.params,
    }
    headers = {REASON: error.code}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if "retry_after" in error.params:
        headers["Retry-After"] = str(max(1, math.ceil(float(error.params["retry_after"] or 0))))
    if error.code == "relay.wrong_offset":
        headers[OFFSET] = str(error.params["offset"])
    return Response(json.dumps(body), status, headers, PROBLEM)
