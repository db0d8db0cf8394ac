"""What the commands about catalogues found, as JSON for a program and in sentences for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.texts import explain, preferred_language, text

if TYPE_CHECKING:
    from app.core.catalogue.assembling import Finding
    from app.core.catalogue.difference import Changed, Detail
    from app.core.catalogue.model import Catalogue

SHOWN = 50
"""How many findings of a sort are printed; JSON has all of them."""
_SHOWN_ITEMS = 12


def about(found: Catalogue) -> dict[str, object]:
    """Return what a catalogue is."""
    return {
        "name": found.name,
        "version": found.version,
        "variables": len(found.variables),
        "groups": len(found.groups),
        "hash": found.hash.hex(),
    }


def valid_line(file: Path, found: Catalogue, warnings: int) -> str:
    """Return that a catalogue has no mistakes, and how large it is."""
    columns = sum(len(variable.columns) for variable in found)
    return text(
        "cli.catalogue.check.valid",
        path=file,
        name=found.name,
        version=found.version,
        variables=len(found.variables),
        columns=columns,
        warnings=warnings,
    )


def finding(found: Finding) -> dict[str, object]:
    """Return one mistake, or what is probably not meant."""
    told = explain(found.error)
    params = {name: value for name, value in found.error.params.items() if name != "file"}
    return {"line": found.line, "code": found.error.code, "what": told.what, "next": told.next, **params}


def finding_lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield mistakes with their lines."""
    for each in found[:SHOWN]:
        told = explain(each.error)
        yield told.what if each.line is None else text("cli.catalogue.check.at_line", line=each.line, what=told.what)
        yield f"    {told.next}"
    if len(found) > SHOWN:
        yield text("cli.catalogue.check.more", count=len(found) - SHOWN)


def change(found: Changed, before: Catalogue, after: Catalogue) -> dict[str, object]:
    """Return one difference."""
    return {
        "code": found.code,
        "label": _label(found, before, after),
        "group": found.group,
        "change": found.change.value,
        "unusable": found.unusable,
        "details": [
            {"field": each.field, "before": list(each.before), "after": list(each.after), "means": each.means}
            for each in found.details
        ],
    }


def changed_lines(found: Changed, before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield one difference with its details."""
    words = text(f"cli.catalogue.became.{found.change.value}", code=found.code, label=_label(found, before, after))
    yield words
    yield from (f"    {_detail(each)}" for each in found.details)


def _detail(found: Detail) -> str:
    params = {"field": found.field, "before": some(found.before) or "–", "after": some(found.after) or "–"}
    return text("cli.catalogue.diff.detail", None, **params)


def _label(found: Changed, before: Catalogue, after: Catalogue) -> str:
    for each in (after, before):
        node = each.group(found.code) if found.group else each.find(found.code)
        if node is not None:
            return node.label.text(preferred_language())
    return found.code


def found_lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield a variable or code that was found, and where it hangs."""
    yield f"{found['code']}  {found['label']}" + (f"  [{found['unit']}]" if found["unit"] else "")
    if len(found["path"]) > 1:
        yield f"    {' › '.join(found['path'][:-1])}"


def some(items: Iterable[str]) -> str:
    """Return the first items of a list."""
    listed = list(items)
    return ", ".join(listed[:_SHOWN_ITEMS]) + (", …" if len(listed) > _SHOWN_ITEMS else "")
