"""Manual pages, made from the commands' own help: what ``--help`` says and what ``man`` says cannot differ."""

from __future__ import annotations

import time
from typing import Any


def manual_page(
    command: Any, name: str, version: str, epoch: int, *, about: str, notes: tuple[tuple[str, str], ...]
) -> str:
    """Return the page of ``command`` (what ``typer.main.get_command`` returns) in section 1.

    ``about`` is its one line; ``notes`` are further sections: title and text, an empty line between paragraphs.
    """
    date = time.strftime("%Y-%m-%d", time.gmtime(epoch))
    lines = [
        f'.TH {name.upper()} 1 "{date}" "Consilium {version}" "User commands"',
        ".SH NAME",
        f"{_plain(name)} \\- {_plain(about)}",
        ".SH SYNOPSIS",
        f".B {_plain(name)}",
        "[\\fB\\-\\-version\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
        ".SH DESCRIPTION",
        *_text(command.help or ""),
        *([".PP", *_text(command.epilog)] if command.epilog else []),
        ".SH COMMANDS",
    ]
    for path, each in _leaves(command, name):
        lines += _command(path, each)
    for title, words in notes:
        lines += [f".SH {title.upper()}", *_text(words)]
    return "\n".join(lines) + "\n"


def _leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    """Return the commands that do something, below a group, in the order of the group."""
    if not hasattr(command, "commands"):
        return [(path, command)]
    found = []
    for name, each in command.commands.items():
        if not each.hidden:
            found += _leaves(each, f"{path} {name}")
    return found


def _command(path: str, command: Any) -> list[str]:
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f".SS {_plain(path)}", f"\\fB{_plain(path)}\\fR {_plain(usage)}", ".PP", *_text(command.help or "")]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            term, words = record
            lines += [".TP", f"\\fB{_plain(term)}\\fR", *(_text(words) or ["\\&"])]
    return lines


def _text(words: str) -> list[str]:
    lines: list[str] = []
    for paragraph in words.replace("\b", "").split("\n\n"):
        if said := " ".join(paragraph.split()):
            lines += ([".PP"] if lines else []) + [_plain(said)]
    return lines


def _plain(words: str) -> str:
    """Return words as troff reads them: backslashes and hyphens as they are, no line taken for a request."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
