"""A policy and its preview in words, and a policy as text that a person edits."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from app.core.errors import UserError
from app.core.toml_reader import parse_toml
from app.texts import explain, text


def shown_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what ``policy.show`` tells, as lines: the version, who has signed it, each rule, the draft."""
    lines = [text("cli.policy.default")]
    if found["version"]:
        time = datetime.fromtimestamp(found["signed_at"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
        lines = [text("cli.policy.version", version=found["version"], time=time)]
        lines.append(text(f"cli.policy.signed.{found['signed_by']}"))
    for each in found["sentences"]:
        key = "cli.policy.fixed" if each["fixed"] else "cli.policy.line"
        lines.append(text(key, sentence=sentence_of(each), file=found["managed_source"]))
    return [*lines, text("cli.policy.draft")] if found["draft"] else lines


def sentence_of(said: Mapping[str, Any]) -> str:
    """Return a sentence of ``policy.show`` in words."""
    what = " ".join(text(each["text_key"], **each["params"]) for each in said["parts"])
    return text(said["text_key"], **said["params"], what=what)


def preview_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what ``policy.preview`` tells, as lines: the verdict, each rule that was looked at, the price."""
    lines = [text(f"cli.policy.verdict.{found['verdict']}")]
    for each in found["findings"]:
        held = "kept" if each["holds"] else "broken"
        source = text(f"policy.source.{each['source']}", version=each["version"])
        lines.append(text(f"cli.policy.found.{held}", words=finding_of(each), source=source))
    return [*lines, *_price(found["price"])]


def finding_of(found: Mapping[str, Any]) -> str:
    """Return a finding of ``policy.preview`` in words."""
    rule, params = found["rule"], found["params"]
    if rule in ("asked_by", "budget") and not found["holds"]:
        return explain(UserError(found["code"], **params)).what
    if rule == "mode":
        return text(f"policy.finding.mode.{params['mode']}")
    held = "kept" if found["holds"] else "broken"
    return text(f"policy.finding.{rule}.{held}", **params)


def _price(price: Mapping[str, Any]) -> list[str]:
    if not price:
        return []
    if price["free"]:
        return [text("cli.policy.price.free")]
    if price["exact"]:
        return [text("cli.policy.price.exact", exact=price["exact"])]
    return [text("cli.policy.price.noised", epsilon=price["epsilon"])]


# --- as TOML ------------------------------------------------------------------------------------------------------


def to_toml(plain: Mapping[str, Any]) -> str:
    """Return a policy's plain fields as TOML, one a line."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in plain.items())


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)  # the same as TOML's for texts, numbers, true and false


def read_edited(written: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that were changed; raises a usage error for what is no TOML or no field of a policy."""
    try:
        plain = parse_toml(written)
    except ValueError as error:
        raise typer.BadParameter(text("cli.policy.not_toml", reason=error), param_hint="--file") from error
    for name in plain:
        if name not in before:
            raise typer.BadParameter(text("cli.policy.unknown_field", field=name), param_hint="--file")
    return {name: value for name, value in plain.items() if value != before[name]}


def edited(before: Mapping[str, Any]) -> str:
    """Return what a person makes of a policy in an editor, as TOML."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if sys.platform == "win32" else "vi")
    problem = text("cli.policy.editor_failed", editor=editor)
    if not sys.stdin.isatty():
        raise typer.BadParameter(problem, param_hint="--file")
    with tempfile.TemporaryDirectory(prefix="consilium-") as directory:
        file = Path(directory, "policy.toml")
        file.write_text(to_toml(before), "utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603 - the person's own editor
        except (OSError, subprocess.CalledProcessError) as error:
            raise typer.BadParameter(problem, param_hint="--file") from error
        return file.read_text("utf-8")
