"""``consilium data``: prepare, check and import datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import data_compare, preparing
from app.cli.data_words import description, inspection, local_time, preparer
from app.cli.options import Json, Profile, answer
from app.cli.progress import shown_progress
from app.core.services.connect import connect
from app.texts import text

data = typer.Typer(help="Prepare, check and import datasets.")
preparing.add_to(data)
data_compare.add_to(data)

Dataset = Annotated[
    str, typer.Argument(metavar="[DATASET]", show_default=False, help="The beginning of its id; else the active one.")
]
NamedDataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="The beginning of its id, as “data list” says it.")
]
Package = Annotated[Path, typer.Argument(metavar="PACKAGE", dir_okay=False, help="The package file.")]


@data.command()
def inspect(package: Package, profile: Profile, as_json: Json = False) -> None:
    """Show what a package says of itself: header, sizes, hashes, columns. Needs no key."""
    from app.core.services import data as service

    found = service.inspect(package)
    answer(inspection(str(package), found), as_json, *description(found))


@data.command()
def verify(
    profile: Profile,
    package: Annotated[
        Path | None, typer.Argument(metavar="[PACKAGE]", dir_okay=False, help="The package file.")
    ] = None,
    federation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also check that it is for this federation.")
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(metavar="ID", show_default=False, help="Without a package: this version, else the active one."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Check a package: signature, every hash, every residue, without a key. Or an imported dataset: every byte."""
    from app.core.services import data as service

    if package is None:
        _verify_imported(profile, dataset, as_json)
        return
    with shown_progress() as job:
        found = service.verify(package, federation_file=federation, job=job)
    body = {**inspection(str(package), found), "verified": True}
    answer(body, as_json, text("cli.data.verified", path=package), *description(found))


def _verify_imported(profile: Path, dataset: str, as_json: bool) -> None:
    with connect(profile) as site, shown_progress() as job:
        found = site.call("data.check", {"dataset": dataset}, job)
    size = round(found["bytes"] / 1e6, 1)
    answer(found, as_json, text("cli.data.checked", version=found["version"], megabytes=size))


@data.command("import")
def import_(
    package: Package,
    profile: Profile,
    signed_by: Annotated[
        str | None, typer.Option("--preparer", metavar="FINGERPRINT", help="Accept the package of this preparer only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a package and make it this site's active dataset."""
    with connect(profile) as site, shown_progress() as job:
        done = site.call("data.import", {"package": str(package.absolute()), "preparer": signed_by}, job)
    lines = [text("cli.data.already" if done["already"] else "cli.data.imported", version=done["version"])]
    if done["changes"] is not None and not done["already"]:
        lines += data_compare.changes(done["changes"])
    if done["unusable"]:
        lines.append(text("cli.catalogue.imported", variables=", ".join(done["unusable"])))
    if done["pinned"]:
        lines += [text("cli.data.pinned"), *preparer(done["preparer"], done["preparer_words"])]
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
    lines = [text("cli.data.report", dataset=found["dataset"][:8], time=local_time(found["created"]))]
    lines.append(text("cli.data.report_rows", rows=found["rows"], patients=found["patients"]))
    if found["refused_rows"]:
        lines.append(text("cli.data.skipped", rows=found["refused_rows"]))
    if found["left_out"]:
        lines.append(text("cli.data.left_out", variables=", ".join(found["left_out"])))
    answer(found, as_json, *lines, *(line for each in found["variables"] for line in _distribution(each)))


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
            time=local_time(found["imported"]),
            variables=found["variables"],
            megabytes=round(found["bytes"] / 1e6, 1),
        ),
        "  " + text("cli.data.prepared", time=local_time(found["created"]), fingerprint=found["preparer"]),
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
    missing = few if found["missing"] is None else found["missing"]
    if found["kind"] in ("flag", "event"):
        lines = [text("cli.data.has", code=found["code"], count=known)]
    else:
        lines = [text("cli.data.known", code=found["code"], known=known, missing=missing)]
    return [*lines, *(f"    {_bin(each)}: {each['count']}" for each in found["bins"])]


def _bin(found: dict[str, Any]) -> str:
    if "levels" in found:
        return ", ".join(found["levels"])
    low, high = found["from"], found["to"]
    if low is None or high is None:
        return f"< {high}" if low is None and high is not None else f"≥ {low}" if low is not None else "…"
    between = f"{low} ≤ … < {high}"
    if found.get("event") is None:
        return between
    return f"{text('cli.data.event') if found['event'] else text('cli.data.censored')}, {between}"
