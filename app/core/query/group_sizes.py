"""Which numbers of an analysis say how many patients another of its numbers is about.

Where small counts are withheld, each number is tested by one count: of its own, or of the group that it describes.

    count, funnel, breakdown, histogram, table    every number is a count, and tested itself
    summary                                       those who have the variable: all between its cut points together
    compare                                       those of the group who have the variable
    correlate, regress                            the complete cases
    survival                                      those of the group who are followed: all of its numbers together

A group that is too small has all its numbers withheld. Within a large enough one the small numbers of events, of those
between two cut points, and so on are told: they describe the group, and the analysis is nothing without them.
"""

from __future__ import annotations

from app.core.query.analyses import Compare, Correlate, Regress, Summary, Survival
from app.core.query.cells import Cells
from app.core.query.model import Query


def group_sizes(query: Query, cells: Cells) -> tuple[tuple[int, ...], ...]:
    """Return for each cell of a query the cells whose sum is how many patients it is about."""
    labels = [cell.label for cell in cells.cells]

    def those(*start: str) -> tuple[int, ...]:
        return tuple(place for place, label in enumerate(labels) if label[: len(start)] == start)

    match query.analysis:
        case Summary():
            return tuple(those(label[0], "between") for label in labels)
        case Compare():
            return tuple(those(label[0], "n") for label in labels)
        case Correlate() | Regress():
            return (those("n"),) * len(labels)
        case Survival():
            return tuple(those(label[0]) for label in labels)
        case _:
            return tuple((place,) for place in range(len(labels)))
