"""``consilium self-test``: does this installation work on this computer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.cli.options import Json, Profile, answer
from app.core import log
from app.texts import explain, text

if TYPE_CHECKING:
    from app.core.services.self_test import Check


def self_test(profile: Profile, as_json: Json = False) -> None:
    """Check the program, its cryptography and the keyring, and say where the log is."""
    from app.core.services import self_test as service

    checks = list(service.run())
    usable = all(check.error is None for check in checks if check.needed)
    place = str(log.location())
    lines = [words_of(check) for check in checks]
    lines.append(text("cli.self_test.log", path=place))
    lines.append(text("cli.self_test.usable") if usable else text("cli.self_test.not_usable"))
    found = [
        {
            "name": check.name,
            "passed": check.error is None,
            "needed": check.needed,
            "detail": check.detail,
            "error": None if check.error is None else check.error.code,
        }
        for check in checks
    ]
    answer({"usable": usable, "checks": found, "log": place}, as_json, *lines)
    if not usable:
        raise typer.Exit(1)


def words_of(check: Check) -> str:
    """Return what one check found, and what helps."""
    name = text(f"cli.self_test.name.{check.name}")
    if check.error is None:
        return text("cli.self_test.passed", name=name, detail=check.detail)
    told = explain(check.error)
    key = "cli.self_test.failed" if check.needed else "cli.self_test.lacking"
    return text(key, name=name, what=told.what, next=told.next)
