"""Chooses how a query is computed on a dataset, and proves that it fits before anything runs.

What fits the residues that the dataset stores is compared by its seconds; the cheapest is the plan. Sites whose
datasets differ plan differently, but put the same numbers in the same places (:mod:`app.core.query.placing`).
"""

from __future__ import annotations

from collections.abc import Sequence

from app.core.catalogue.model import Catalogue
from app.core.errors import UserError
from app.core.query.candidates import Asked, Candidates, Openers
from app.core.query.canonical import canonical, canonical_query
from app.core.query.cells import Cell, cells_of
from app.core.query.cost import Costs
from app.core.query.criteria import And, Complement, Criteria, Criterion, Literal, Relation
from app.core.query.model import Query, codes_of
from app.core.query.placing import Placing, placed
from app.core.query.plan import PRESENT, DatasetShape, Plan

__all__ = ["Openers", "make_plan", "ways"]


def make_plan(
    query: Query,
    catalogue: Catalogue,
    dataset: DatasetShape,
    openers: Openers,
    costs: Costs | None = None,
    *,
    blocks: tuple[int, ...] | None = None,
    placing: Placing | None = None,
    contributor: int = 0,
) -> Plan:
    """Return the cheapest plan that fits.

    ``blocks`` are those of the contributing sites' datasets, in order, at the most; None: as many as here at every
    site. ``placing`` says so as well, where it is made of them already: the places of this query's canonical form.
    ``contributor`` says which of the sites this dataset is of.

    Raises UserError: those of :func:`app.core.query.check.check_query`, :func:`app.core.query.cells.cells_of` and
    :func:`app.core.query.placing.placed`; ``query.variable_not_in_dataset``, ``query.variable_differs``,
    ``query.dataset_too_old``; ``query.needs_more_residues``; ``query.does_not_fit``.
    """
    candidates = ways(
        query, catalogue, dataset, openers, costs, blocks=blocks, placing=placing, contributor=contributor
    )
    best: Plan | None = None
    needed: int | None = None
    for plan in candidates:
        if plan.residues <= dataset.residues:
            best = plan if best is None or plan.seconds < best.seconds else best
        else:
            needed = plan.residues if needed is None else min(plan.residues, needed)
    if best is None and needed is None:
        raise UserError("query.does_not_fit", terms=candidates.terms)
    if best is None:
        raise UserError("query.needs_more_residues", terms=candidates.terms, needed=needed, stored=dataset.residues)
    return best


def ways(
    query: Query,
    catalogue: Catalogue,
    dataset: DatasetShape,
    openers: Openers,
    costs: Costs | None = None,
    *,
    blocks: tuple[int, ...] | None = None,
    placing: Placing | None = None,
    contributor: int = 0,
) -> Candidates:
    """Return every plan that could be opened, whatever residues it needs; arguments and errors as :func:`make_plan`."""
    if placing is None:
        cells = cells_of(canonical_query(query, catalogue), catalogue).cells
        sites = blocks or (dataset.blocks,) * openers.sites
        placing = placed(cells, dataset.parameters, sites, per_site=query.per_site)
    criteria = Criteria(catalogue)
    asked = _asked(placing.cells, catalogue, criteria)
    _check_variables(asked, catalogue, dataset)
    return Candidates(asked, placing, contributor, criteria, dataset, openers, costs or Costs())


def _asked(cells: Sequence[Cell], catalogue: Catalogue, criteria: Criteria) -> list[Asked]:
    masks = {mask: criteria.normalise(canonical(mask, catalogue)) for mask in {cell.mask for cell in cells}}
    return [Asked(masks[cell.mask], cell.factors) for cell in cells]


def _check_variables(asked: Sequence[Asked], catalogue: Catalogue, dataset: DatasetShape) -> None:
    """Refuse a variable that the dataset lacks or means otherwise."""
    names = set(dataset.columns)
    if PRESENT not in names:
        raise UserError("query.dataset_too_old")
    used = set[str]().union(*(_codes(mask) for mask in {cell.mask for cell in asked}))
    used |= {column.variable for cell in asked for factor in cell.factors for column, _ in factor.weights}
    for code in sorted(used - {PRESENT[0]}):
        variable = catalogue.variable(code)
        if dataset.meanings.get(code) not in (None, catalogue.meaning(code)):
            raise UserError("query.variable_differs", variable=code)
        if any((column.variable, column.part) not in names for column in variable.columns):
            raise UserError("query.variable_not_in_dataset", variable=code)


def _codes(criterion: Criterion) -> set[str]:
    match criterion:
        case Literal():
            return {criterion.code}
        case Relation(term):
            return set(codes_of(term))
        case And(children):
            return set().union(*map(_codes, children))
        case Complement(inner):
            return _codes(inner)
        case _:
            return set()
