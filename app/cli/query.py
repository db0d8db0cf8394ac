"""``consilium query``: what a question would be, before it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Json, Profile, answer
from app.core.errors import UserError
from app.texts import preferred_language, text

if TYPE_CHECKING:
    from app.core.catalogue.model import Catalogue
    from app.core.query.explaining import Explanation
    from app.core.query.plan import DatasetShape
    from app.core.query.planner import Openers

query = typer.Typer(help="Ask questions.")


@query.callback()
def _queries() -> None:
    """Keep ``explain`` a word of its own while it is the only command."""


@query.command()
def explain(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="The query, for example: smoker and age >= 50")],
    *,
    federation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A federation's public file; needs no profile.")
    ] = None,
    residues: Annotated[int, typer.Option(min=3, max=8, help="With --federation: residues that datasets keep.")] = 5,
    blocks: Annotated[int, typer.Option(min=1, help="With --federation: blocks of a dataset.")] = 1,
    profile: Profile,
    as_json: Json = False,
) -> None:
    """Say what TEXT asks, and whether and how it can be computed. Nothing is sent."""
    from app.core.query import explaining  # noqa: PLC0415
    from app.core.query.model import Query  # noqa: PLC0415
    from app.core.query.text import parse  # noqa: PLC0415

    if federation is None:
        catalogue, dataset, openers = _of_profile(profile)
    else:
        catalogue, dataset, openers = _of_file(federation, residues, blocks)
    found = explaining.explain(Query(parse(question, catalogue)), catalogue, dataset, openers)
    answer(found.to_plain(), as_json, *_lines(found))


def _of_file(path: Path, residues: int, blocks: int) -> tuple[Catalogue, DatasetShape, Openers]:
    from app.core.federation.public_file import load_public_file  # noqa: PLC0415
    from app.core.query.explaining import supposed_dataset  # noqa: PLC0415
    from app.core.query.planner import Openers  # noqa: PLC0415

    federation = load_public_file(path)
    dataset = supposed_dataset(federation.catalogue, federation.parameters, residues, blocks)
    return federation.catalogue, dataset, Openers(len(federation.sites), federation.quorum)


def _of_profile(directory: Path) -> tuple[Catalogue, DatasetShape, Openers]:
    from app.core.federation.contributing import dataset_shape  # noqa: PLC0415
    from app.core.query.planner import Openers  # noqa: PLC0415
    from app.core.services.profile import open_profile  # noqa: PLC0415
    from app.core.store.documents import Header  # noqa: PLC0415

    with open_profile(directory) as site:
        federation = site.federation
        if federation is None:
            raise UserError("profile.no_federation", path=str(directory))
        active = site.store.datasets.active()
        if active is None:
            raise UserError("data.no_dataset")
        shape = dataset_shape(Header.decode(active.header))
        return federation.catalogue, shape, Openers(len(federation.sites), federation.quorum)


def _lines(found: Explanation) -> list[str]:
    from app.core.query.sentence import sentence  # noqa: PLC0415
    from app.core.query.text import format as format_cohort  # noqa: PLC0415

    plan = found.plan
    return [
        sentence(found.query, found.catalogue, preferred_language(), text),
        format_cohort(found.query.cohort, found.catalogue),
        text("cli.query.reads", columns=len(plan.columns), residues=plan.residues, stored=plan.stored),
        text("cli.query.computes", products=plan.products, levels=plan.levels, blocks=plan.blocks),
        text("cli.query.takes", seconds=f"{plan.seconds:.2f}"),
        text("cli.query.fits", sites=found.openers.sites, quorum=found.openers.quorum),
    ]
