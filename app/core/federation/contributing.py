"""Answering a request from this site's active dataset: check it, plan it, compute it, add this site's own noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import ParameterSet, get
from app.core.disclosure.noise import Noise
from app.core.disclosure.sensitivity import sensitivities
from app.core.errors import UserError
from app.core.federation import charging, decisions, holdings, sets_of_sites
from app.core.federation.evaluations import Made, Work
from app.core.federation.local_site import LocalSite
from app.core.federation.mailroom import Mailroom
from app.core.federation.query_messages import Request
from app.core.jobs.job import Job
from app.core.query.canonical import canonical_query, query_hash
from app.core.query.cells import Cells, cells_of
from app.core.query.evaluator import evaluate
from app.core.query.keys import EARLY_FILE
from app.core.query.model import Query
from app.core.query.placing import Placing, placed
from app.core.query.plan import DatasetShape
from app.core.query.planner import Openers, make_plan
from app.core.store.documents import Header


def dataset_shape(header: Header) -> DatasetShape:
    """Return what the planner needs to know of a dataset."""
    return DatasetShape(
        parameters=get(header.parameters),
        residues=header.residues,
        blocks=header.blocks,
        columns_per_ciphertext=header.columns_per_ciphertext,
        columns=tuple((column.variable, column.part) for column in header.columns),
        meanings={column.variable: column.meaning for column in header.columns if column.variable},
    )


def openers_of(site: LocalSite) -> Openers:
    """Return who opens results in this site's federation."""
    early = (site.key_directory / EARLY_FILE).is_file()
    return Openers(sites=len(site.roster.sites), quorum=site.roster.quorum, early=early)


class DatasetContributor:
    """Computes contributions from the active dataset of one site, as far as its policy allows."""

    def __init__(self, site: LocalSite, mailroom: Mailroom) -> None:
        self._site = site
        self._mailroom = mailroom

    def contribute(self, session: bytes, asker: int, request: Request) -> Work | None:
        """Return what computes this site's contribution, or None while a person has to decide.

        Raises UserError: ``policy.*`` or ``query.declined`` (a person said no); ``data.no_dataset``;
        ``query.variable_differs`` (the asker means another variable); ``query.blocks_differ``, ``policy.parts`` (see
        :func:`check_parts`); ``budget.*`` (nothing left, or too similar a set of sites); or why the query cannot be
        planned on this dataset.
        """
        site = self._site
        active = site.profile.datasets.active()
        if active is None:
            raise UserError("data.no_dataset")
        catalogue = site.catalogues.with_meanings(request.meanings)
        if catalogue is None:
            raise UserError("query.variable_differs", variable=_differing(request.meanings, site.catalogue))
        if not decisions.allows(site, session, asker, request):
            return None
        shape, contributor = dataset_shape(Header.decode(active.header)), request.contributors.index(site.position)
        if request.blocks and shape.blocks > request.blocks[contributor]:
            raise UserError("query.dataset_larger", blocks=shape.blocks, told=request.blocks[contributor])
        cells = asked_cells(request.query, catalogue)
        told = request.blocks or blocks_of_count(shape, len(request.contributors), contributor)
        placing = placing_of(replace(request, blocks=told), cells, site.roster.parameters)
        if request.blocks:
            check_blocks(site, self._mailroom, placing, request.contributors, exact=request.epsilon is None)
        sets_of_sites.check_asked(
            site, self._mailroom, asker, request.query, catalogue, request.contributors, request.minimum
        )
        plan = make_plan(
            request.query,
            catalogue,
            shape,
            openers_of(site),
            placing=placing,
            contributor=contributor,
        )
        ranges = [placing.ranges(contributor, cell, shape.blocks) for cell in range(len(cells.cells))]
        price = charging.priced(site, charging.Asked.of(request), catalogue, active, ranges)
        charging.check(site, asker, request, price)
        noise = self._noise(request, catalogue, active.id, cells, placing, ranges)
        dataset = site.profile.dataset_path(active.id)

        def work(job: Job) -> Made:
            contribution = evaluate(plan, dataset, site.key_directory, site.executor, noise, job)
            return Made(contribution, math.ceil(plan.noise_bits), price)

        return work

    def _noise(  # noqa: PLR0917 - what it is drawn for, and where it goes
        self,
        request: Request,
        catalogue: Catalogue,
        dataset: bytes,
        cells: Cells,
        placing: Placing,
        ranges: Sequence[Sequence[tuple[int, int, int]]],
    ) -> tuple[int, ...]:
        """Return this site's own sticky noise for every place that it uses; none for an exact release.

        ``ranges`` are :meth:`.Placing.ranges` of each cell: who asks sees every place, so each has noise of its own,
        drawn for just these blocks. A patient is in one of them, so that the scale is that of the whole. A site's
        numbers get the same noise whether they are told by themselves or in a total: asking both ways tells nothing
        more of its patients.
        """
        if request.epsilon is None:
            return ()
        noise = Noise(self._site.root.derive("noise key v1"))
        asked = query_hash(replace(request.query, per_site=False), catalogue)
        places = [0] * placing.results
        for cell, sensitivity in enumerate(sensitivities(cells)):
            for place, first, end in ranges[cell]:
                part = (first, end) if len(ranges[cell]) > 1 else None
                places[place] = noise.laplace(asked, dataset, request.epsilon, sensitivity, cell, part)
        return tuple(places)


def check_blocks(
    site: LocalSite, mailroom: Mailroom, placing: Placing, contributors: Sequence[int], *, exact: bool
) -> None:
    """Hold what a question says of how large the datasets are against what the sites have told; :func:`check_parts`."""
    told = holdings.heard(site, mailroom)
    known = {position: each.blocks for position, each in told.items() if each.blocks}
    blocks = [known.get(position, said) for position, said in zip(contributors, placing.blocks, strict=True)]
    check_parts(placing, blocks, exact=exact, allowed=decisions.policy_of(site).per_site)


def check_parts(placing: Placing, known: Sequence[int], *, exact: bool, allowed: bool) -> None:
    """Refuse numbers in finer parts than need be, and exact ones in parts at all unless the policy tells each site's.

    A number that could pass the plaintext modulus is opened in parts, each over some blocks of some sites: who sees
    them sees more than the total. ``known`` is how many blocks each contributor's dataset has as far as is known here;
    an asker that says more of the others than that would get finer parts. With noise each part has noise of its own.
    Raises UserError ``query.blocks_differ``, ``policy.parts``.
    """
    needed = placed(placing.cells, placing.parameters, known, per_site=placing.per_site)
    largest = min(max(known), max(placing.blocks))
    sides = ((placing.spans, needed.spans, largest), (placing.sharers, needed.sharers, len(known)))
    for found, least, whole in sides:
        if any(have < min(need, whole) for have, need in zip(found, least, strict=True)):
            raise UserError("query.blocks_differ")
        if exact and not allowed and min(found) < whole:
            raise UserError("policy.parts")


def asked_cells(query: Query, catalogue: Catalogue) -> Cells:
    """Return the cells of a question in the order of its canonical form, in which its numbers travel."""
    return cells_of(canonical_query(query, catalogue), catalogue)


def blocks_of_count(shape: DatasetShape, contributors: int, contributor: int) -> tuple[int, ...]:
    """Return the blocks to plan a bare count with, whose request says none: this site's own.

    Raises UserError ``query.too_many_patients`` where a count over as large datasets everywhere could pass t/2.
    """
    slots, limit = shape.blocks * contributors * shape.parameters.slots, shape.parameters.plain_modulus // 2
    if slots >= limit:
        raise UserError("query.too_many_patients", slots=slots, limit=limit)
    return tuple(shape.blocks if place == contributor else 1 for place in range(contributors))


def placing_of(request: Request, cells: Cells, parameters: ParameterSet) -> Placing:
    """Return where a request's numbers lie.

    Raises UserError ``query.wrong_places`` if it has room for another number of them than its query says.
    """
    blocks = request.blocks or (1,) * len(request.contributors)
    placing = placed(cells.cells, parameters, blocks, per_site=request.query.per_site)
    if placing.results != request.results:
        raise UserError("query.wrong_places", results=request.results, needed=placing.results)
    return placing


def _differing(meanings: Mapping[str, bytes], catalogue: Catalogue) -> str:
    """Return the code of the first variable that ``catalogue`` lacks or means otherwise, else that of any."""
    differing = (code for code in sorted(meanings) if not catalogue.means(code, meanings[code]))
    return next(differing, min(meanings))
