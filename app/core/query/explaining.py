"""What a query will be: its normal form, what is read and computed, and how sure the answer is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.catalogue.model import Catalogue
from app.core.crypto.parameters import ParameterSet
from app.core.query.analyses import to_plain as analysis_to_plain
from app.core.query.canonical import canonical_query, query_hash
from app.core.query.cells import cells_of
from app.core.query.cost import Costs
from app.core.query.model import Query
from app.core.query.plan import PRESENT, DatasetShape, Plan
from app.core.query.planner import Openers, make_plan
from app.core.query.text import format_query


@dataclass(frozen=True)
class Explanation:
    """A query and the plan for it. ``hash`` is what equal questions share."""

    query: Query
    catalogue: Catalogue
    hash: bytes
    dataset: DatasetShape
    openers: Openers
    plan: Plan

    def to_plain(self) -> dict[str, object]:
        """Return a stable structure for programs: text, equal form, and the plan in numbers.

        ``cells`` are the numbers of the analysis; ``results`` how many are opened, empty places among them.
        """
        plan = self.plan
        asked = canonical_query(self.query, self.catalogue)
        finals = Counter((final.level, final.relinearization_level, final.formula.degree) for final in plan.finals)
        return {
            "version": 2,
            "text": format_query(self.query, self.catalogue),
            "canonical": format_query(asked, self.catalogue),
            "analysis": analysis_to_plain(self.query.analysis),
            "per_site": self.query.per_site,
            "cells": len(cells_of(asked, self.catalogue).cells),
            "hash": self.hash.hex(),
            "sites": self.openers.sites,
            "quorum": self.openers.quorum,
            "parameters": plan.parameters.name,
            "residues_stored": plan.stored,
            "blocks": plan.blocks,
            "plan": {
                "columns": [
                    {"variable": column.code, "part": column.part, "residues": column.residues}
                    for column in plan.columns
                ],
                "residues": plan.residues,
                "levels": plan.levels,
                "products": plan.products,
                "stages": [
                    {"level": stage.level, "degree": stage.formula.degree, "outputs": list(stage.outputs)}
                    for stage in plan.stages
                ],
                "finals": [
                    {"level": level, "relinearization_level": relinearization, "degree": degree, "count": count}
                    for (level, relinearization, degree), count in sorted(finals.items())
                ],
                "release_level": plan.release_level,
                "results": plan.results,
                "noise_bits": round(plan.noise_bits, 1),
                "flooding_bits": plan.flooding_bits,
                "seconds": round(plan.seconds, 4),
            },
        }


def explain(
    query: Query, catalogue: Catalogue, dataset: DatasetShape, openers: Openers, costs: Costs | None = None
) -> Explanation:
    """Plan ``query`` without running anything. Raises UserError as :func:`app.core.query.planner.make_plan`."""
    plan = make_plan(query, catalogue, dataset, openers, costs)
    return Explanation(query, catalogue, query_hash(query, catalogue), dataset, openers, plan)


def supposed_dataset(
    catalogue: Catalogue, parameters: ParameterSet, residues: int, blocks: int = 1, held: Iterable[str] | None = None
) -> DatasetShape:
    """Return a dataset with every variable, or those ``held``, for planning where there is none yet."""
    variables = list(catalogue if held is None else map(catalogue.variable, held))
    columns = [(column.variable, column.part) for variable in variables for column in variable.columns]
    meanings = {variable.code: catalogue.meaning(variable.code) for variable in variables}
    return DatasetShape(parameters, residues, blocks, (PRESENT, *columns), meanings)
