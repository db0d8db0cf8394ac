"""How much noise each released number needs: what one patient can change, over everything that is released together.

A query opens a vector of cells (:mod:`app.core.query.cells`), in parts. Adding or removing one patient changes the
cells of one part by at most its sensitivity Δ in all (sum of absolute changes). With k parts, each cell of a part gets
a discrete Laplace draw of scale k·Δ/ε: each part is ε/k-differentially private, and all of them together are
ε-differentially private by sequential composition (Dwork, Roth 2014, theorem 3.16).

========== ============================================================ ===========================================
analysis   parts                                                        Δ of a part
========== ============================================================ ===========================================
count      the number                                                   1
attrition  all steps, n criteria and everyone                           n + 1: who meets all is in every one
breakdown  all levels, and without a value                              1: everyone is in one of them
histogram  all ranges, and without a value                              1
table      all pairs of groups                                          1: groups of one variable exclude one another
survival   (event or censored) × interval, and beyond, of all groups    1: everyone is in one of them
summary    per variable: all ranges;                                    1
           each base-32 digit of the sum, and of the sum of squares     the digit's bound, at most 31
compare    numbers of both groups; each digit of sums and squares       1; the digit's bound
correlate  complete cases; each digit of sums and squares;              1; the digit's bound;
           each product of two digits, taken from their middles         the product's bound, at most 256
regress    as correlate, over outcome and predictors                    as correlate
========== ============================================================ ===========================================

What is worked out from these numbers (numbers at risk, means, margins, intervals) costs nothing more. Where a number is
opened in several places, each over some blocks of a site's patients, every place has the noise of the whole: a patient
is in one of them.
"""

from __future__ import annotations

from app.core.query.cells import Cells


def sensitivities(cells: Cells) -> tuple[int, ...]:
    """Return for each cell the number k·Δ that its noise is scaled by: the scale is that over ε."""
    found = [0] * len(cells.cells)
    for part in cells.parts:
        for cell in part.cells:
            found[cell] = len(cells.parts) * part.sensitivity
    return tuple(found)
