"""The report of a preparation as a text: what was read, what was left out and why, and who has what; counts only."""

from __future__ import annotations

from pathlib import Path

from app.texts import text
from app.ui.locale import number, size
from app.ui.models.preparing_check import Sealed
from app.ui.views.prepare.preparation import Preparation


def report_text(preparation: Preparation, sealed: Sealed) -> str:
    """Return the report in Markdown."""
    federation, checked = preparation.federation, preparation.checked
    left = text("ui.prepare.fact.rows_left", count=number(sealed.refused_rows), rows=number(sealed.rows))
    facts = [
        (text("ui.prepare.fact.federation"), "–" if federation is None else federation.name),
        (text("ui.prepare.fact.site"), preparation.draft.site),
        (text("ui.prepare.fact.patients"), number(sealed.patients)),
        (text("ui.prepare.fact.rows"), left),
        (text("ui.prepare.fact.columns"), number(sealed.columns)),
        (text("ui.prepare.fact.size"), size(sealed.size)),
        (text("ui.prepare.read_out"), f"{sealed.words} ({sealed.digits})"),
    ]
    lines = [f"# {text('ui.prepare.package.title', file=Path(sealed.path).name)}", ""]
    lines += [f"- {name}: {value}" for name, value in facts]
    lines += [f"- {change}" for change in sealed.changes]
    if checked is not None:
        if checked.groups:
            lines += ["", f"## {text('ui.prepare.problems')}", ""]
            lines += [
                f"- {group.title} – {number(group.count)}, {text(f'ui.prepare.state.{group.state}')}"
                f"{f' ({group.file})' if group.file else ''}"
                for group in checked.groups
            ]
        lines += ["", f"## {text('ui.prepare.spread')}", ""]
        lines += [
            _cells(text("ui.prepare.spread.name"), text("ui.prepare.spread.code"), text("ui.prepare.spread.known"))
        ]
        lines += ["|---|---|---:|"]
        lines += [
            _cells(each.label, each.code, "–" if each.known is None else number(each.known))
            for each in checked.variables
        ]
    return "\n".join(lines) + "\n"


def _cells(*words: str) -> str:
    return f"| {' | '.join(each.replace('|', '/') for each in words)} |"
