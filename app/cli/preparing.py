"""``consilium data map``, ``check``, ``prepare``, ``choices`` and ``recontact``: all that is done offline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from app.cli.options import Json, Profile, answer
from app.cli.progress import shown_progress
from app.core.errors import ConsiliumError, UserError
from app.core.files import private_directory
from app.core.paths import preparer_key
from app.texts import explain, text

if TYPE_CHECKING:
    from app.core.crypto.secret_store import SecretStore
    from app.core.secret import SecretBytes
    from app.core.services.preparing import Refused

# The services bring DuckDB, numpy and tenseal with them, so commands import them when they run.

Federation = Annotated[Path, typer.Option("--federation", metavar="FILE", help="The federation's public file.")]
MaybeFederation = Annotated[
    Path | None, typer.Option("--federation", metavar="FILE", help="The federation's public file.")
]
CatalogueFile = Annotated[
    Path | None, typer.Option("--catalogue", metavar="FILE", help="A catalogue file, where there is no federation yet.")
]
Mapping = Annotated[Path, typer.Option("--mapping", metavar="FILE", help="The mapping file (TOML).")]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source", metavar="[NAME=]PATH", show_default=False, help="A file or folder with data; may be repeated."
    ),
]
Confirmed = Annotated[
    list[str] | None,
    typer.Option(
        "--confirm",
        metavar="TABLE.COLUMN",
        show_default=False,
        help="This column says nothing of who the patients are; may be repeated.",
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        envvar="CONSILIUM_PASSPHRASE_FILE",
        help="A file that holds the passphrase.",
    ),
]


def add_to(data: typer.Typer) -> None:
    """Add the commands to ``consilium data``."""
    data.command("map")(map_)
    for each in (check, prepare, choices, recontact):
        data.command()(each)


def map_(
    *,
    source: Sources = None,
    federation: MaybeFederation = None,
    catalogue: CatalogueFile = None,
    site: Annotated[str | None, typer.Option(metavar="NAME", help="This site's name in the federation.")] = None,
    base: Annotated[
        Path | None, typer.Option(metavar="MAPPING", help="An earlier mapping, whose decisions are kept.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="MAPPING", help="Write the mapping to this file.")] = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Suggest how files become the catalogue's variables: a first mapping, to be read and corrected."""
    from app.cli import drafting_words as words
    from app.core.services.drafting import draft
    from app.core.services.preparing import catalogue_of
    from app.core.services.staged_sources import chosen_sources

    if output is not None and output.exists() and output != base:
        raise UserError("prepare.output_exists", path=str(output))
    with shown_progress() as job:
        known = catalogue_of(federation, catalogue)
        found = draft(chosen_sources(source or []), known, site=site, base=base, output=output, job=job)
    path = None if output is None else str(output)
    answer(words.drafted(found, path), as_json, *words.drafted_lines(found, path))


def check(
    *,
    mapping: Mapping,
    federation: MaybeFederation = None,
    catalogue: CatalogueFile = None,
    source: Sources = None,
    confirm: Confirmed = None,
    problems: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write the list of all problems to this file.")
    ] = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Read everything as it would be sealed, seal nothing, and say what is wrong."""
    from app.cli import preparing_words as words
    from app.core.preparation.csv_table import write_table
    from app.core.services import preparing
    from app.core.services.staged_sources import chosen_sources

    with shown_progress() as job:
        known = preparing.catalogue_of(federation, catalogue)
        files = chosen_sources(source or [])
        if problems is not None and problems.resolve() in preparing.inputs(mapping, files):
            raise UserError("prepare.output_exists", path=str(problems))
        found = preparing.check(mapping, known, files=files, confirmed=confirm or [], job=job)
    if problems is not None:
        write_table(problems, *words.problem_table(found))
    lines = list(words.checked_lines(found))
    if problems is not None:
        lines.append(text("cli.preparing.problem_file", path=problems))
    answer(words.checked(found), as_json, *lines, text("cli.preparing.nothing_sealed"))


def prepare(
    *,
    federation: Federation,
    mapping: Mapping,
    source: Sources = None,
    csv: Annotated[
        Path | None,
        typer.Option("--input", metavar="CSV", help="The patients, one a row: for a mapping of version 1."),
    ] = None,
    output: Annotated[Path, typer.Option(metavar="PACKAGE", help="The package to write.")],
    residues: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=8,
            help="How many residues to keep: 5 serve 4 terms, 6 serve 8, 7 serve 16. Where the patients are few and "
            "columns share ciphertexts, all 8 are kept, which serve 16. 'data choices' says more.",
        ),
    ] = None,
    one_column_per_ciphertext: Annotated[
        bool,
        typer.Option(
            "--one-column-per-ciphertext",
            help="Give every column ciphertexts of its own even where the patients are few: a much larger package.",
        ),
    ] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be used; the report lists them.")
    ] = False,
    confirm: Confirmed = None,
    recontact: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write or extend a file that links pseudonyms to the hospital's numbers."),
    ] = None,
    recontact_passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the passphrase of the re-contact file.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an interrupted preparation has sealed.")
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep the preparer's key in this file under a passphrase, not in the keyring."
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Seal what a mapping names into a package. Works offline, and needs no profile."""
    from app.cli import preparing_words as words
    from app.core.preparation.mapping_1 import SOURCE
    from app.core.services import preparing
    from app.core.services.staged_sources import chosen_sources

    files = chosen_sources(source or []) | ({} if csv is None else {SOURCE: (csv,)})
    link = None
    if recontact is not None:
        link = preparing.RecontactFile(
            recontact, lambda: _recontact_passphrase(recontact_passphrase_file, new=not recontact.exists())
        )
    with shown_progress() as job:
        try:
            done = preparing.prepare(
                federation,
                mapping,
                output,
                secrets=lambda: _secrets(key_file, passphrase_file),
                files=files,
                confirmed=confirm or [],
                residues=residues,
                share_ciphertexts=not one_column_per_ciphertext,
                skip_bad_rows=skip_bad_rows,
                restart=restart,
                recontact=link,
                job=job,
            )
        except preparing.Refused as refused:
            _list_problems(refused, as_json)
            raise
    answer(
        words.sealed(done, str(output)),
        as_json,
        *words.sealed_lines(done, str(output), None if recontact is None else str(recontact)),
    )


def choices(
    *,
    mapping: Mapping,
    federation: Federation,
    source: Sources = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Say what each number of stored residues would mean: questions it serves, size, time."""
    from app.cli import preparing_words as words
    from app.core.services import preparing
    from app.core.services.staged_sources import chosen_sources

    with shown_progress() as job:
        found = preparing.choices(federation, mapping, files=chosen_sources(source or []), job=job)
    answer({"choices": words.depths(found)}, as_json, *words.depth_lines(found))


def recontact(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The re-contact file.")],
    profile: Profile,
    find: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A pseudonym, or a hospital's number: say the other.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="CSV", help="Write all of it, in the clear.")] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the passphrase of the re-contact file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Open the file for later re-contact: which pseudonym is which patient."""
    from app.core.preparation.csv_table import write_table
    from app.core.preparation.recontact import read_recontact

    known = read_recontact(file, _recontact_passphrase(passphrase_file, new=False))
    lines = [text("cli.preparing.recontact", path=file, patients=len(known.patients), site=known.site)]
    found = () if find is None else known.find(find)
    if find is not None:
        lines += [text("cli.preparing.recontact_found", pseudonym=each, patient=patient) for each, patient in found]
        lines += [] if found else [text("cli.preparing.recontact_none")]
    if output is not None:
        header = [text("cli.preparing.pseudonym"), text("cli.preparing.patient")]
        write_table(output, header, known.patients.items())
        lines.append(text("cli.preparing.recontact_listed", path=output))
    body = {
        "patients": len(known.patients),
        "created": known.created,
        "site": known.site,
        "output": None if output is None else str(output),
        "found": [{"pseudonym": pseudonym, "patient": patient} for pseudonym, patient in found],
    }
    answer(body, as_json, *lines)


def _secrets(key_file: Path | None, passphrase_file: Path | None) -> SecretStore:
    from app.core.crypto.passphrase import check_new, passphrase_from_text
    from app.core.crypto.vault import PassphraseFile as Locked
    from app.core.crypto.vault import open_keyring

    if key_file is None and passphrase_file is None:
        return open_keyring()
    if key_file is None:
        private_directory(preparer_key().parent)
        key_file = preparer_key()
    if passphrase_file is not None:
        passphrase = _passphrase_in(passphrase_file)
    else:
        again = text("cli.keys.ask_again") if not key_file.exists() else False
        asked = typer.prompt(text("cli.data.ask_passphrase"), hide_input=True, confirmation_prompt=again, err=True)
        passphrase = passphrase_from_text(asked)
    return Locked(key_file, passphrase if key_file.exists() else check_new(passphrase))


def _recontact_passphrase(file: Path | None, *, new: bool) -> SecretBytes:
    from app.core.crypto.passphrase import check_new, passphrase_from_text

    if file is not None:
        passphrase = _passphrase_in(file)
    else:
        again = text("cli.keys.ask_again") if new else False
        asked = typer.prompt(text("cli.preparing.ask_recontact"), hide_input=True, confirmation_prompt=again, err=True)
        passphrase = passphrase_from_text(asked)
    return check_new(passphrase) if new else passphrase


def _passphrase_in(file: Path) -> SecretBytes:
    """Return the passphrase in a file; ``-`` is a line of the standard input, which a window writes."""
    from app.core.crypto.passphrase import passphrase_from_file, passphrase_from_text

    if file == Path("-"):
        return passphrase_from_text(sys.stdin.readline().rstrip("\r\n"))
    return passphrase_from_file(file)


def _list_problems(refused: Refused, as_json: bool) -> None:
    """Say what is wrong before the command fails: all that is known as JSON, the first as text."""
    from app.cli import preparing_words as words

    checked = refused.checked
    if checked is None:
        return
    if as_json:
        _fail(refused, {**words.problems(checked), "identifiers": words.identifiers(checked.identifiers)})
    for line in (*words.group_lines(checked), *words.identifier_lines(checked)):
        typer.echo(line, err=True)


def _fail(error: ConsiliumError, more: dict[str, object]) -> NoReturn:
    told = explain(error)
    body = {"code": error.code, "what": told.what, "safe": told.safe, "next": told.next, "params": error.params}
    typer.echo(json.dumps({"error": {**body, **more}}, ensure_ascii=False))
    raise typer.Exit(1)
