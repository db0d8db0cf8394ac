"""The mapping as the wizard edits it: the plain tables of the file, changed one at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Plain = Mapping[str, Any]

FORMAT, VERSION = "consilium-mapping", 2


def empty(site: str) -> dict[str, Any]:
    """Return a mapping without anything in it."""
    return {"format": FORMAT, "version": VERSION, "site": site, "sources": {}, "variables": {}}


def with_variable(mapping: Plain, code: str, how: Plain | None) -> dict[str, Any]:
    """Return the mapping with another table for a variable; None leaves it out, whatever column bears its code."""
    changed = copy.deepcopy(dict(mapping))
    variables = changed.setdefault("variables", {})
    left_out = [each for each in changed.pop("leave_out", ()) if each != code]
    if how is None:
        variables.pop(code, None)
        left_out.append(code)
    else:
        variables[code] = tidy(how)
    return with_top(changed, "leave_out", left_out or None)


def with_setting(mapping: Plain, source: str, name: str, value: Any) -> dict[str, Any]:
    """Return the mapping with another setting of a source; None has it found out again."""
    changed = copy.deepcopy(dict(mapping))
    settings = changed.setdefault("sources", {}).setdefault(source, {})
    if value is None:
        settings.pop(name, None)
    else:
        settings[name] = value
    return changed


def without_source(mapping: Plain, source: str) -> dict[str, Any]:
    """Return the mapping without a source and without what comes from it."""

    def stays(how: Plain) -> bool:
        return str(how.get("table", "")).partition(".")[0] != source

    changed = copy.deepcopy(dict(mapping))
    changed.get("sources", {}).pop(source, None)
    changed["variables"] = {code: how for code, how in changed.get("variables", {}).items() if stays(how)}
    if str(changed.get("patients", "")).partition(".")[0] == source:
        del changed["patients"]
    if not stays(changed.get("index", {})):
        del changed["index"]
    return changed


def with_top(mapping: Plain, name: str, value: Any) -> dict[str, Any]:
    """Return the mapping with another ``patients``, ``index``, ``site`` or ``leave_out``; None takes it out."""
    changed = copy.deepcopy(dict(mapping))
    if value is None:
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed


def tidy(how: Plain) -> dict[str, Any]:
    """Return a variable's table without what says nothing."""
    return {name: value for name, value in how.items() if value not in (None, "", [], {}, False)}


def mended(mapping: Plain, fix: Plain) -> dict[str, Any] | None:
    """Return the mapping with the cure of a group of problems; None if a person has to say how."""
    match fix.get("kind"):
        case "decimal" | "dates" as setting if fix.get("source"):
            return with_setting(mapping, str(fix["source"]), setting, fix["value"])
        case "values" if fix.get("suggested"):
            return _merged(mapping, str(fix["variable"]), "values", fix["suggested"])
        case "missing" if fix.get("values"):
            return _merged(mapping, str(fix["variable"]), "missing", fix["values"])
        case "unit" if fix.get("unit"):
            return _merged(mapping, str(fix["variable"]), "unit", fix["unit"])
    return None


def _merged(mapping: Plain, code: str, name: str, more: Any) -> dict[str, Any]:
    how = dict(mapping.get("variables", {}).get(code, {}))
    match name:
        case "values":
            how[name] = {**how.get(name, {}), **more}
        case "missing":
            how[name] = list(dict.fromkeys([*how.get(name, []), *more]))
        case _:
            how[name] = more
    return with_variable(mapping, code, how)
