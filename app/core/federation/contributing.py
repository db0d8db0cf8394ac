"""Answering a request from this site's active dataset: check it, plan it, compute it, add this site's own noise."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import get
from app.core.disclosure.noise import Noise
from app.core.errors import UserError
from app.core.federation import decisions
from app.core.federation.evaluations import Made, Work
from app.core.federation.local_site import LocalSite
from app.core.federation.query_messages import Request
from app.core.jobs.job import Job
from app.core.query.canonical import query_hash
from app.core.query.evaluator import evaluate
from app.core.query.plan import DatasetShape
from app.core.query.planner import Openers, make_plan
from app.core.store.documents import Header

COUNT_SENSITIVITY = 1
"""Adding or removing one patient changes a count by at most 1."""


def dataset_shape(header: Header) -> DatasetShape:
    """Return what the planner needs to know of a dataset."""
    return DatasetShape(
        parameters=get(header.parameters),
        residues=header.residues,
        blocks=header.blocks,
        columns=tuple((column.variable, column.part) for column in header.columns),
        meanings={column.variable: column.meaning for column in header.columns if column.variable},
    )


def openers_of(site: LocalSite) -> Openers:
    """Return who opens results in this site's federation."""
    return Openers(sites=len(site.roster.sites), quorum=site.roster.quorum)


class DatasetContributor:
    """Computes contributions from the active dataset of one site, as far as its policy allows."""

    def __init__(self, site: LocalSite) -> None:
        self._site = site

    def contribute(self, session: bytes, asker: int, request: Request) -> Work | None:
        """Return what computes this site's contribution, or None while a person has to decide.

        Raises UserError: ``policy.*`` or ``query.declined`` (a person said no); ``data.no_dataset``;
        ``query.variable_differs`` (the asker means another variable); or why the query cannot be planned on this
        dataset.
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
        plan = make_plan(request.query, catalogue, dataset_shape(Header.decode(active.header)), openers_of(site))
        dataset, noise = site.profile.dataset_path(active.id), self._noise(request, catalogue, active.id)

        def work(job: Job) -> Made:
            contribution = evaluate(plan, dataset, site.key_directory, site.executor, noise, job)
            return Made(contribution, math.ceil(plan.noise_bits))

        return work

    def _noise(self, request: Request, catalogue: Catalogue, dataset: bytes) -> tuple[int, ...]:
        """Return this site's own sticky noise for each released number; none for an exact release."""
        if request.epsilon is None:
            return ()
        noise = Noise(self._site.root.derive("noise key v1"))
        asked = query_hash(request.query, catalogue)
        return tuple(
            noise.laplace(asked, dataset, request.epsilon, COUNT_SENSITIVITY, position)
            for position in range(request.results)
        )


def _differing(meanings: Mapping[str, bytes], catalogue: Catalogue) -> str:
    """Return the code of the first variable that ``catalogue`` lacks or means otherwise, else that of any."""
    differing = (code for code in sorted(meanings) if not catalogue.means(code, meanings[code]))
    return next(differing, min(meanings))
