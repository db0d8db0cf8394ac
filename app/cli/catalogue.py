"""``consilium catalogue``: begin, check, compare, search and import catalogues; all of it offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import catalogue_publish
from app.cli.catalogue_words import about, change, changed_lines, finding, finding_lines, found_lines, some, valid_line
from app.cli.options import Json, Profile, answer
from app.cli.progress import shown_progress
from app.texts import preferred_language, text

if TYPE_CHECKING:
    from app.core.catalogue.model import Catalogue

catalogue = typer.Typer(help="Begin, check, compare, search and import catalogues.")

Output = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The file to write.")]
File = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The catalogue (TOML).")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="What the catalogue is called.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.", show_default=False)]


@catalogue.command()
def new(
    output: Output,
    profile: Profile,
    name: Name = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write a table for a spreadsheet; “import” reads it.", show_default=False)
    ] = False,
    from_tree: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Make flags from a vocabulary, for example ICD-10.")
    ] = None,
    codes: Annotated[
        str, typer.Option(metavar="CODES", help="With --from-tree: codes or ranges of them, for example C00-C97,D05.")
    ] = "",
    depth: Annotated[
        int | None, typer.Option(min=0, max=30, help="With --from-tree: how many levels below these codes.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a catalogue to begin with: a commented example, a table, or flags along the tree of a vocabulary."""
    from app.core.services import catalogue_files as service

    called = name or output.stem
    content: Catalogue | str
    if from_tree is not None:
        wanted = [code.strip() for code in codes.replace(";", ",").split(",") if code.strip()]
        with shown_progress() as job:
            content = service.from_vocabulary(called, from_tree, wanted, depth, job)
    else:
        content = service.example_table() if csv else service.example(called, preferred_language())
    service.save(output, content, overwrite=overwrite)
    count = None if isinstance(content, str) else len(content.variables)
    lines = [text("cli.catalogue.new.written", path=output)]
    if count is not None:
        lines.append(text("cli.catalogue.new.flags", count=count))
    lines.append(text("cli.catalogue.new.import" if csv else "cli.catalogue.new.validate", path=output))
    answer({"path": str(output), "variables": count}, as_json, *lines)


@catalogue.command()
def validate(file: File, profile: Profile, as_json: Json = False) -> None:
    """Check a catalogue file: every mistake with its line, and what is probably not meant."""
    from app.core.catalogue.checking import check_file

    with shown_progress() as job:
        found = check_file(file, job)
    checked = found.catalogue
    body = {
        "path": str(file),
        "valid": checked is not None,
        "catalogue": None if checked is None else about(checked),
        "errors": [finding(each) for each in found.errors],
        "warnings": [finding(each) for each in found.warnings],
    }
    lines = [*finding_lines(found.errors), *finding_lines(found.warnings)]
    if checked is not None:
        lines.append(valid_line(file, checked, len(found.warnings)))
    else:
        lines.append(text("cli.catalogue.check.invalid", path=file, errors=len(found.errors)))
    answer(body, as_json, *lines)
    if checked is None:
        raise typer.Exit(1)


@catalogue.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", dir_okay=False, help="A catalogue, or a federation’s file.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", dir_okay=False, help="The other one.")],
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Say what changed between two catalogues, and for which variables datasets must be prepared again."""
    from app.core.catalogue.difference import differences
    from app.core.services.catalogue_files import catalogue_in

    before, after = catalogue_in(old), catalogue_in(new)
    found = differences(before, after)
    unusable = [each.code for each in found if each.unusable]
    body = {
        "old": about(before),
        "new": about(after),
        "changes": [change(each, before, after) for each in found],
        "unusable": unusable,
    }
    lines = [line for each in found for line in changed_lines(each, before, after)]
    if not found:
        lines.append(text("cli.catalogue.diff.same"))
    elif unusable:
        lines.append(text("cli.catalogue.diff.unusable", count=len(unusable), codes=some(unusable)))
    else:
        lines.append(text("cli.catalogue.diff.usable"))
    answer(body, as_json, *lines)


@catalogue.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS", help="Beginnings of words, or a code.")],
    profile: Profile,
    file: Annotated[
        Path | None, typer.Option("--catalogue", metavar="FILE", help="A catalogue, or a federation’s file.")
    ] = None,
    vocabulary: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Search a vocabulary instead, for example ICD-10.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to list.")] = 20,
    as_json: Json = False,
) -> None:
    """Look for variables of a catalogue, or codes of a vocabulary, by words in any language or by code."""
    if (file is None) == (vocabulary is None):
        raise typer.BadParameter("--catalogue FILE | --vocabulary SYSTEM")
    typed = " ".join(words)
    found = _in_catalogue(file, typed, limit) if file is not None else _in_vocabulary(vocabulary or "", typed, limit)
    lines = [line for each in found for line in found_lines(each)] or [
        text("cli.catalogue.search.nothing", typed=typed)
    ]
    answer({"typed": typed, "found": found}, as_json, *lines)


@catalogue.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="TABLE", dir_okay=False, help="A CSV or TSV file.")],
    profile: Profile,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="The catalogue (TOML) to write.")] = None,
    name: Name = None,
    base: Annotated[
        Path | None, typer.Option(metavar="OLD", help="The catalogue that this one follows: its name, its version + 1.")
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(metavar="SYSTEM", help="It is a vocabulary (ATC, LOINC, HGNC, …): keep it on this computer."),
    ] = None,
    version: Annotated[str, typer.Option(metavar="TEXT", help="The vocabulary’s version.")] = "",
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Under which terms you have the vocabulary.")] = "",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a catalogue from a CSV of variables or a REDCap data dictionary; or bring in a vocabulary of your own."""
    if (output is None) == (vocabulary is None):
        raise typer.BadParameter("--output FILE | --vocabulary SYSTEM")
    if vocabulary is not None:
        _import_vocabulary(source, vocabulary, version, licence, as_json)
    elif output is not None:
        _import_table(source, output, name, base, overwrite, as_json)


def _import_vocabulary(source: Path, system: str, version: str, licence: str, as_json: bool) -> None:
    from app.core.services import catalogue_files as service

    with shown_progress() as job:
        count = service.import_vocabulary(source, system, version, licence, job)
    words = text("cli.catalogue.import.vocabulary", system=system, count=count)
    answer({"system": system, "codes": count}, as_json, words)


def _import_table(
    source: Path, output: Path, name: str | None, base: Path | None, overwrite: bool, as_json: bool
) -> None:
    from app.core.services import catalogue_files as service

    found = service.import_table(source, name, base)
    made, errors = found.assembled.catalogue, found.assembled.errors
    left_out = [{"field": each.field, "label": each.label, "reason": each.reason} for each in found.left_out]
    body: dict[str, Any] = {
        "path": None if made is None else str(output),
        "valid": made is not None,
        "redcap": found.redcap,
        "catalogue": None if made is None else about(made),
        "errors": [finding(each) for each in errors],
        "left_out": left_out,
    }
    lines = list(finding_lines(errors))
    if made is not None:
        service.save(output, made, overwrite=overwrite)
        lines.append(text("cli.catalogue.import.done", count=len(made.variables), path=output))
        if left_out:
            lines.append(text("cli.catalogue.import.left_out", count=len(left_out)))
            lines += (
                f"  {each.field} ({each.label}): {text(f'cli.catalogue.left_out.{each.reason}')}"
                for each in found.left_out
            )
        lines.append(text("cli.catalogue.new.validate", path=output))
    else:
        lines.append(text("cli.catalogue.check.invalid", path=source, errors=len(errors)))
    answer(body, as_json, *lines)
    if made is None:
        raise typer.Exit(1)


def _in_catalogue(file: Path, typed: str, limit: int) -> list[dict[str, Any]]:
    from app.core.catalogue.search import Search
    from app.core.services.catalogue_files import catalogue_in

    language = preferred_language()
    searched = catalogue_in(file)
    variables = [searched.variables[place] for place in Search(searched).find(typed, language, limit=limit)]
    return [
        {
            "code": each.code,
            "label": each.label.text(language),
            "kind": each.kind.value,
            "unit": each.unit,
            "path": list(searched.path(each.code)),
        }
        for each in variables
    ]


def _in_vocabulary(system: str, typed: str, limit: int) -> list[dict[str, Any]]:
    from app.core.catalogue import vocabularies

    with shown_progress() as job, vocabularies.opened(system, job) as vocabulary:
        return [
            {
                "code": each.code,
                "label": each.label,
                "kind": "code",
                "unit": None,
                "path": [above.code for above in vocabulary.path(each.code)],
            }
            for each in vocabulary.search(typed, limit)
        ]


catalogue_publish.add_to(catalogue)
