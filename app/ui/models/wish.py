"""A question that Explore is to open with: one that was asked before, to be changed and asked anew."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """The text form, whether each site's numbers were wanted, and in whose name and under which project it was asked.

    ``project`` is a title or an id; ``person`` empty is the site itself.
    """

    text: str
    per_site: bool = False
    person: str = ""
    project: str = ""
