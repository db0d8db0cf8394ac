"""``consilium data``: prepare, check and import datasets."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.options import Json, Profile, answer
from app.cli.progress import shown_progress
from app.core.errors import ConsiliumError
from app.core.files import private_directory
from app.core.paths import preparer_key
from app.core.services.connect import connect
from app.texts import explain, text

if TYPE_CHECKING:
    from app.core.crypto.secret_store import SecretStore
    from app.core.preparation.table import RowsRefused
    from app.core.services.data import Inspection
    from app.core.store.documents import Header

PROBLEMS_SHOWN = 10

data = typer.Typer(help="Prepare, check and import datasets.")

Dataset = Annotated[
    str, typer.Argument(metavar="[DATASET]", show_default=False, help="The beginning of its id; else the active one.")
]
NamedDataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="The beginning of its id, as “data list” says it.")
]
Package = Annotated[Path, typer.Argument(metavar="PACKAGE", dir_okay=False, help="The package file.")]


@data.command()
def prepare(
    *,
    federation: Annotated[Path, typer.Option(metavar="FILE", help="The federation's public file.")],
    mapping: Annotated[Path, typer.Option(metavar="FILE", help="The mapping file (TOML).")],
    source: Annotated[Path, typer.Option("--input", metavar="CSV", help="The patients, one a row.")],
    output: Annotated[Path, typer.Option(metavar="PACKAGE", help="The package to write.")],
    residues: Annotated[
        int, typer.Option(min=2, max=8, help="How many residues to keep: 5 serve 4 terms, 6 serve 8, 7 serve 16.")
    ] = 5,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be used; the report lists them.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an interrupted preparation has sealed.")
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep the preparer's key in this file under a passphrase, not in the keyring."
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="CONSILIUM_PASSPHRASE_FILE", help="A file that holds the passphrase."),
    ] = None,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Seal a CSV file into a package. Works offline, and needs no profile."""
    from app.core.preparation.table import RowsRefused  # noqa: PLC0415  (these bring numpy and tenseal with them)
    from app.core.services import data as service  # noqa: PLC0415

    with shown_progress() as job:
        try:
            done = service.prepare(
                federation,
                mapping,
                source,
                output,
                secrets=lambda: _secrets(key_file, passphrase_file),
                residues=residues,
                skip_bad_rows=skip_bad_rows,
                restart=restart,
                job=job,
            )
        except RowsRefused as refused:
            _list_problems(refused, as_json)
            raise
    table = done.table
    lines = [
        text("cli.data.sealed", patients=table.patients, variables=len(table.variables), path=output),
        *_preparer(done.preparer, done.preparer_words),
    ]
    if table.refused_rows:
        lines.append(text("cli.data.skipped", rows=table.refused_rows))
        lines += [explain(problem).what for problem in table.problems[:PROBLEMS_SHOWN]]
    if table.left_out:
        lines.append(text("cli.data.left_out", variables=", ".join(table.left_out)))
    if table.unused_columns:
        lines.append(text("cli.data.unused", columns=", ".join(table.unused_columns)))
    body = {
        **_header(done.header),
        "package": str(output),
        "bytes": done.size,
        "preparer": done.preparer,
        "preparer_words": done.preparer_words,
        "rows": table.rows,
        "patients": table.patients,
        "refused_rows": table.refused_rows,
        "problems": _problems(table.problems),
        "left_out": list(table.left_out),
        "unused_columns": list(table.unused_columns),
    }
    answer(body, as_json, *lines)


@data.command()
def inspect(package: Package, profile: Profile, as_json: Json = False) -> None:
    """Show what a package says of itself: header, sizes, hashes, columns. Needs no key."""
    from app.core.services import data as service  # noqa: PLC0415

    found = service.inspect(package)
    answer(_inspection(package, found), as_json, *_description(found))


@data.command()
def verify(
    package: Package,
    profile: Profile,
    federation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also check that it is for this federation.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a package: signature, every hash, every residue. Needs no key."""
    from app.core.services import data as service  # noqa: PLC0415

    with shown_progress() as job:
        found = service.verify(package, federation_file=federation, job=job)
    body = {**_inspection(package, found), "verified": True}
    answer(body, as_json, text("cli.data.verified", path=package), *_description(found))


@data.command("import")
def import_(
    package: Package,
    profile: Profile,
    preparer: Annotated[
        str | None, typer.Option(metavar="FINGERPRINT", help="Accept the package of this preparer only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a package and make it this site's active dataset."""
    with connect(profile) as site, shown_progress() as job:
        done = site.call("data.import", {"package": str(package.absolute()), "preparer": preparer}, job)
    lines = [text("cli.data.already" if done["already"] else "cli.data.imported", version=done["version"])]
    if done["pinned"]:
        lines += [text("cli.data.pinned"), *_preparer(done["preparer"], done["preparer_words"])]
    answer(done, as_json, *lines)


@data.command("list")
def list_(profile: Profile, as_json: Json = False) -> None:
    """List this site's dataset versions, and imports that are not finished."""
    with connect(profile) as site:
        found = site.call("data.list")
    lines = [line for each in found["datasets"] for line in _version(each)]
    lines = lines or [text("cli.data.none")]
    answer(found, as_json, *lines, *(line for each in found["imports"] for line in _unfinished(each)))


@data.command()
def report(profile: Profile, dataset: Dataset = "", as_json: Json = False) -> None:
    """Show what a dataset’s preparation report says: who has a value, and how values are spread."""
    with connect(profile) as site:
        found = site.call("data.report", {"dataset": dataset})
    lines = [text("cli.data.report", dataset=found["dataset"][:8], time=_local(found["created"]))]
    lines.append(text("cli.data.report_rows", rows=found["rows"], patients=found["patients"]))
    if found["refused_rows"]:
        lines.append(text("cli.data.skipped", rows=found["refused_rows"]))
    if found["left_out"]:
        lines.append(text("cli.data.left_out", variables=", ".join(found["left_out"])))
    answer(found, as_json, *lines, *(line for each in found["variables"] for line in _distribution(each)))


@data.command()
def check(profile: Profile, dataset: Dataset = "", as_json: Json = False) -> None:
    """Check that every byte of an imported dataset is what its preparer signed."""
    with connect(profile) as site, shown_progress() as job:
        found = site.call("data.check", {"dataset": dataset}, job)
    size = round(found["bytes"] / 1e6, 1)
    answer(found, as_json, text("cli.data.checked", version=found["version"], megabytes=size))


@data.command()
def activate(profile: Profile, dataset: NamedDataset, as_json: Json = False) -> None:
    """Answer from this version of the dataset from now on."""
    with connect(profile) as site:
        found = site.call("data.activate", {"dataset": dataset})
    answer(found, as_json, text("cli.data.activated", version=found["version"]))


@data.command()
def remove(
    profile: Profile,
    dataset: NamedDataset,
    force: Annotated[
        bool, typer.Option("--force", help="Also if it is the active one: this site then answers nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete a version of the dataset, or what an unfinished import has copied."""
    with connect(profile) as site:
        found = site.call("data.remove", {"dataset": dataset, "force": force})
    answer(found, as_json, text("cli.data.removed", megabytes=round(found["freed"] / 1e6, 1)))


# --- sentences ------------------------------------------------------------------------------------------------------


def _version(found: dict[str, Any]) -> list[str]:
    key = "cli.data.version_active" if found["active"] else "cli.data.version"
    return [
        text(
            key,
            version=found["version"],
            dataset=found["dataset"][:8],
            time=_local(found["imported"]),
            variables=found["variables"],
            megabytes=round(found["bytes"] / 1e6, 1),
        ),
        "  " + text("cli.data.prepared", time=_local(found["created"]), fingerprint=found["preparer"]),
    ]


def _unfinished(found: dict[str, Any]) -> list[str]:
    done = round(100 * found["columns_done"] / found["columns"]) if found["columns"] else 0
    named = {"dataset": found["dataset"][:8], "percent": done}
    if found["running"]:
        return [text("cli.data.import_runs", **named)]
    return [text("cli.data.import_unfinished", **named, package=found["package"] or "?")]


def _distribution(found: dict[str, Any]) -> list[str]:
    few = text("cli.data.few")
    known = few if found["known"] is None else found["known"]
    if found["kind"] == "flag":
        return [text("cli.data.has", code=found["code"], count=known)]
    missing = few if found["missing"] is None else found["missing"]
    lines = [text("cli.data.known", code=found["code"], known=known, missing=missing)]
    return [*lines, *(f"    {_bin(each)}: {each['count']}" for each in found["bins"])]


def _bin(found: dict[str, Any]) -> str:
    if "levels" in found:
        return ", ".join(found["levels"])
    low, high = found["from"], found["to"]
    if low is None or high is None:
        return f"< {high}" if low is None and high is not None else f"≥ {low}" if low is not None else "…"
    return f"{low} ≤ … < {high}"


def _preparer(fingerprint: str, words: str) -> list[str]:
    return [text("cli.data.preparer", fingerprint=fingerprint), "  " + text("cli.data.in_words", words=words)]


def _secrets(key_file: Path | None, passphrase_file: Path | None) -> SecretStore:
    from app.core.crypto.passphrase import check_new, passphrase_from_file, passphrase_from_text  # noqa: PLC0415
    from app.core.crypto.vault import PassphraseFile, open_keyring  # noqa: PLC0415

    if key_file is None and passphrase_file is None:
        return open_keyring()
    if key_file is None:
        private_directory(preparer_key().parent)
        key_file = preparer_key()
    if passphrase_file is not None:
        passphrase = passphrase_from_file(passphrase_file)
    else:
        again = text("cli.keys.ask_again") if not key_file.exists() else False
        asked = typer.prompt(text("cli.data.ask_passphrase"), hide_input=True, confirmation_prompt=again, err=True)
        passphrase = passphrase_from_text(asked)
    return PassphraseFile(key_file, passphrase if key_file.exists() else check_new(passphrase))


def _list_problems(refused: RowsRefused, as_json: bool) -> None:
    """Say what is wrong with the rows before the command fails: all that is known as JSON, the first as text."""
    if as_json:
        told = explain(refused)
        body = {"code": refused.code, "what": told.what, "safe": told.safe, "next": told.next, "params": refused.params}
        typer.echo(json.dumps({"error": {**body, "problems": _problems(refused.problems)}}, ensure_ascii=False))
        raise typer.Exit(1)
    for problem in refused.problems[:PROBLEMS_SHOWN]:
        typer.echo(explain(problem).what, err=True)
    if len(refused.problems) > PROBLEMS_SHOWN:
        typer.echo(text("cli.data.more_problems", count=len(refused.problems) - PROBLEMS_SHOWN), err=True)


def _problems(problems: tuple[ConsiliumError, ...]) -> list[dict[str, object]]:
    return [{"code": each.code, "what": explain(each).what, **each.params} for each in problems]


def _header(header: Header) -> dict[str, object]:
    return {
        "dataset": header.dataset.hex(),
        "federation": header.federation.hex(),
        "parameters": header.parameters,
        "residues": header.residues,
        "blocks": header.blocks,
        "columns": len(header.columns),
        "created": header.created,
    }


def _inspection(path: Path, found: Inspection) -> dict[str, object]:
    return {
        **_header(found.header),
        "package": str(path),
        "bytes": found.size,
        "preparer": found.preparer,
        "preparer_words": found.preparer_words,
        "transcript": found.header.transcript.hex(),
        "catalogue": found.header.catalogue.hex(),
        "manifest_sha256": found.manifest_hash.hex(),
        "report_bytes": found.report_size,
        "variables": [{"code": code, "columns": columns} for code, columns in found.variables],
    }


def _description(found: Inspection) -> list[str]:
    header = found.header
    return [
        text("cli.data.dataset", dataset=header.dataset.hex(), time=_local(header.created)),
        text("cli.data.federation", federation=header.federation.hex()[:16], parameters=header.parameters),
        text("cli.data.size", megabytes=round(found.size / 1e6, 1), blocks=header.blocks, residues=header.residues),
        text("cli.data.manifest", hash=found.manifest_hash.hex()),
        *_preparer(found.preparer, found.preparer_words),
        *(text("cli.data.variable", code=code, columns=columns) for code, columns in found.variables),
    ]


def _local(time: int) -> str:
    return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M %Z").strip()
