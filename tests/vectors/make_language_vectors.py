"""The vectors of the query language's version 2, in ``language/queries-2.json``, and how they were made.

``python -m tests.vectors.make_language_vectors`` writes them once. It refuses to replace any: a released vector must
keep loading, and a new version of the format gets vectors of its own beside it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from app.core.catalogue.model import Catalogue
from app.core.query.canonical import canonical_query, query_hash
from app.core.query.text import format_query, parse_query

DIRECTORY = Path(__file__).parent / "language"
FILE = "queries-2.json"

TEXTS = (
    "diagnosis >= 2015-06 or not diagnosis < 2015-02",
    "admission in [2024-02-28, 2024-03-01) and birth < 1950",
    "diagnosis known and not os known",
    "relapse occurs and not relapse at least 3 times",
    "first relapse < 12 months or last relapse >= 1 year",
    "not first relapse in [0, 3) months and last relapse < 0 days",
    "first relapse before last relapse by at least 2 months and at most 6 months",
    "not last relapse within 1 month of first relapse",
    "last relapse after first relapse and sex = female",
    "breakdown sex where age >= 40",
    "histogram diagnosis where ICD10:C43",
    "table sex x age at 65 where ICD10:C50 or relapse occurs",
    "summary lab:ldh, age where not sex = male",
    "compare lab:ldh by sex",
    "correlate lab:ldh, ICD10:C43, ICD10:C50",
    "regress lab:ldh on ICD10:C50, ICD10:C43 where age known",
    "survival os by age at 40, 65 over 720 days in steps of 60 days where ICD10:C00-C97",
    "survival os over 1800 days",
    "attrition where ICD10:C43 and sex = female and not age < 40",
)
"""Queries over ``catalogue-2.cbor``; each is kept for all sites together and for each site."""


def made(catalogue: Catalogue) -> list[dict[str, object]]:
    """Return the text, bytes, canonical text and hash of every query."""
    kept: list[dict[str, object]] = []
    for text in TEXTS:
        for per_site in (False, True):
            query = replace(parse_query(text, catalogue), per_site=per_site)
            kept.append(
                {
                    "text": text,
                    "per_site": per_site,
                    "bytes": query.to_cbor().hex(),
                    "canonical": format_query(canonical_query(query, catalogue), catalogue),
                    "hash": query_hash(query, catalogue).hex(),
                }
            )
    return kept


def main() -> None:
    """Write the file, if there is none."""
    path = DIRECTORY / FILE
    if path.exists():
        sys.exit(f"{FILE} is there already: a released vector is never replaced")
    catalogue = Catalogue.from_cbor((DIRECTORY / "catalogue-2.cbor").read_bytes())
    path.write_text(json.dumps(made(catalogue), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
