"""What a question would be, before it is asked: whether it fits, how it is computed, and which sites cannot answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.federation.contributing import openers_of
from app.core.preparation.depth import DEFAULT_RESIDUES
from app.core.query import explaining
from app.core.query.explaining import Explanation, supposed_dataset
from app.core.query.model import Query
from app.core.query.plan import DatasetShape
from app.core.services import cohorts
from app.core.services.member import Member

_LACKING = ("query.variable_not_in_dataset", "query.variable_differs", "query.dataset_too_old")


def explain(member: Member, text: str, *, per_site: bool = False) -> dict[str, Any]:
    """Return what ``text`` asks, as it travels; ``per_site``: each site's numbers are to be told.

    ``problem`` is why it cannot be asked, with the place of a mistake in the text, or None. ``explained`` is the plan
    in numbers (see :meth:`Explanation.to_plain`), None if there is a problem; ``supposed`` is whether that is for a
    dataset as sites usually have it, because our own lacks something. ``query`` and ``catalogue`` (its part that the
    query uses) are bytes, for a sentence. ``by_site`` says of each site what it lacks.
    """
    catalogue, query, found, problem = member.site.catalogue, None, None, None
    supposed = False
    try:
        query = replace(cohorts.read_query(member.site.profile, catalogue, text), per_site=per_site)
        found, supposed = _planned(member, query)
    except UserError as error:
        problem = {"code": error.code, "params": dict(error.params)}
    return {
        "fits": found is not None,
        "problem": problem,
        "supposed": supposed,
        "explained": None if found is None else found.to_plain(),
        "query": b"" if query is None else query.to_cbor(),
        "catalogue": b"" if query is None else part_of(catalogue, query).to_cbor(),
        "by_site": [] if query is None else _by_site(member, query),
    }


def _planned(member: Member, query: Query) -> tuple[Explanation, bool]:
    """Return the plan on our own dataset, or on a supposed one if ours cannot answer for what it lacks."""
    site, own = member.site, member.dataset.find()
    if own is not None:
        try:
            return explaining.explain(query, site.catalogue, own.shape, openers_of(site)), False
        except UserError as error:
            if error.code not in _LACKING:
                raise
    shape = _supposed(member, query, None if own is None else own.shape)
    return explaining.explain(query, site.catalogue, shape, openers_of(site)), True


def _supposed(member: Member, query: Query, own: DatasetShape | None) -> DatasetShape:
    residues, blocks = (DEFAULT_RESIDUES, 1) if own is None else (own.residues, own.blocks)
    site = member.site
    supposed = supposed_dataset(site.catalogue, site.roster.parameters, residues, blocks, query.codes)
    return supposed if own is None else replace(supposed, columns_per_ciphertext=own.columns_per_ciphertext)


def part_of(catalogue: Catalogue, query: Query) -> Catalogue:
    """Return the part of ``catalogue`` that a query uses, so that it can be said in a sentence elsewhere.

    Without what it does not have: the query of another site may be about a version that has not come yet.
    """
    found = map(catalogue.find, query.codes)
    used = tuple(variable for variable in found if variable is not None)
    alone = tuple(replace(variable, parents=()) for variable in used)
    return Catalogue(catalogue.name, catalogue.version, alone) if used else catalogue


def _by_site(member: Member, query: Query) -> list[dict[str, Any]]:
    used = query.codes
    return [
        {
            "site": each.site,
            "own": each.own,
            "known": each.known,
            "dataset": each.has_dataset,
            "lacks": each.lacks(used),
        }
        for each in member.coverage.sites()
    ]
