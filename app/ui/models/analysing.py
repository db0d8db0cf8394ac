"""What can be found out: each analysis with what it needs, which variables fit, and how its settings change.

An analysis in the window is always whole: choosing one takes the first variables that fit, and changing it never
leaves a gap. So what stands at the right can always be asked, or the planner says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.query.analyses import (
    MOST_GROUPS,
    MOST_VARIABLES,
    Analysis,
    Attrition,
    Breakdown,
    Compare,
    Correlate,
    Count,
    Grouping,
    Histogram,
    Regress,
    Summary,
    Survival,
    Table,
)
from app.texts import text
from app.ui.models.catalogue import Holding

PICTURES = (
    "count", "breakdown", "histogram", "table", "summary", "survival", "compare", "correlate", "regress", "attrition",
)  # fmt: skip
"""The analyses in the order in which they are shown."""
COUNT = Count()
GROUPED = (Kind.CATEGORY, Kind.FLAG, Kind.NUMBER, Kind.DATE)
_SOME_CUTS = 3
_MANY_CUTS = 9
"""So many cut points of a number make groups of their own in a table, unless others are chosen."""


@dataclass(frozen=True)
class Slot:
    """What an analysis needs: from ``least`` to ``most`` variables of these ``kinds``.

    ``exact``: numbers need exact sums. ``groups``: they make groups, of which there may be ``most_groups`` (0: any
    number), and there must be at least two.
    """

    name: str
    kinds: tuple[Kind, ...]
    least: int = 1
    most: int = 1
    exact: bool = False
    groups: bool = False
    most_groups: int = 0


SLOTS: dict[str, tuple[Slot, ...]] = {
    "count": (),
    "breakdown": (Slot("variable", (Kind.CATEGORY, Kind.FLAG)),),
    "histogram": (Slot("variable", (Kind.NUMBER, Kind.DATE)),),
    "table": (Slot("rows", GROUPED, groups=True), Slot("columns", GROUPED, groups=True)),
    "summary": (Slot("variables", (Kind.NUMBER,), most=MOST_VARIABLES),),
    "compare": (Slot("variable", (Kind.NUMBER,), exact=True), Slot("by", GROUPED, groups=True, most_groups=2)),
    "correlate": (Slot("variables", (Kind.NUMBER, Kind.FLAG), least=2, most=MOST_VARIABLES, exact=True),),
    "regress": (
        Slot("outcome", (Kind.NUMBER,), exact=True),
        Slot("predictors", (Kind.NUMBER, Kind.FLAG), most=MOST_VARIABLES - 1, exact=True),
    ),
    "survival": (
        Slot("variable", (Kind.SURVIVAL,)),
        Slot("by", GROUPED, least=0, groups=True, most_groups=MOST_GROUPS),
    ),
    "attrition": (),
}


def chosen(analysis: Analysis, slot: Slot) -> tuple[Grouping, ...]:
    """Return what stands in a slot, as groupings; of what makes no groups without cut points."""
    match analysis, slot.name:
        case Table(rows, columns), name:
            return (rows if name == "rows" else columns,)
        case ((Compare() | Survival()), "by"):
            return () if analysis.by is None else (analysis.by,)
        case Regress(), "predictors":
            codes = analysis.predictors
        case _, "variables":
            codes = analysis.codes
        case _:
            codes = analysis.codes[:1]
    return tuple(map(Grouping, codes))


def with_chosen(  # noqa: PLR0911 - one return a kind of analysis
    analysis: Analysis, slot: Slot, found: Sequence[Grouping]
) -> Analysis:
    """Return the analysis with these variables in a slot. Raises UserError ``query.same_variable`` and others, as the
    values do."""
    codes = tuple(each.code for each in found)
    match analysis:
        case Breakdown() | Histogram():
            return replace(analysis, code=codes[0])
        case Table():
            return replace(analysis, rows=found[0]) if slot.name == "rows" else replace(analysis, columns=found[0])
        case Summary() | Correlate():
            return replace(analysis, variables=codes)
        case Compare():
            return replace(analysis, by=found[0]) if slot.name == "by" else replace(analysis, code=codes[0])
        case Survival() if slot.name == "by":
            return replace(analysis, by=found[0] if found else None)
        case Survival():  # another variable has other periods
            return Survival(codes[0], analysis.by)
        case Regress() if slot.name == "outcome":
            others = tuple(each for each in analysis.predictors if each != codes[0])
            return Regress(codes[0], others or analysis.predictors)
        case Regress():
            return replace(analysis, predictors=codes)
        case _:
            return analysis


def problem(slot: Slot, variable: Variable) -> str:
    """Return what keeps a variable from a slot: ``kind``, ``exact`` or ``groups``; empty if it fits."""
    if variable.kind not in slot.kinds:
        return "kind"
    if slot.exact and variable.kind is Kind.NUMBER and variable.digits is None:
        return "exact"
    return "groups" if slot.most_groups and _fixed_groups(variable) > slot.most_groups else ""


def refusal(slot: Slot, variable: Variable) -> str:
    """Return why a variable does not fit into a slot, in words; empty if it does."""
    match problem(slot, variable):
        case "kind":
            kinds = text("ui.explore.or").join(text(f"ui.explore.kind.{kind.value}s") for kind in slot.kinds)
            return text("ui.explore.slot.kind", kinds=kinds)
        case "exact":
            return text("ui.explore.slot.exact")
        case "groups":
            return text("ui.explore.slot.groups", most=slot.most_groups)
        case _:
            return ""


def _fixed_groups(variable: Variable) -> int:
    """Return how many groups a variable always makes; those of a number can be chosen."""
    match variable.kind:
        case Kind.CATEGORY:
            return len(variable.levels)
        case Kind.DATE:
            return 1 if variable.calendar is None else variable.calendar.count + 1
        case _:
            return 2


def groups_of(grouping: Grouping, variable: Variable) -> int:
    """Return how many groups a grouping makes."""
    if variable.kind is Kind.NUMBER:
        return len(grouping.cuts or variable.cut_points) + 1
    return _fixed_groups(variable)


def grouping_of(slot: Slot, variable: Variable) -> Grouping:
    """Return how a variable first makes groups in a slot: a number of many cut points by some of them."""
    cuts = variable.cut_points
    if not slot.groups or variable.kind is not Kind.NUMBER:
        return Grouping(variable.code)
    wanted = 1 if slot.most_groups == 2 else _SOME_CUTS
    limit = slot.most_groups - 1 if slot.most_groups else _MANY_CUTS
    if len(cuts) <= limit:
        return Grouping(variable.code)
    return Grouping(variable.code, tuple(cuts[len(cuts) * (n + 1) // (wanted + 1)] for n in range(wanted)))


Kinds = Mapping[Kind, Sequence[Variable]]
"""The variables of the catalogue by kind."""


def kinds_of(catalogue: Catalogue) -> Kinds:
    """Return the variables of a catalogue by kind, in its order."""
    found: dict[Kind, list[Variable]] = {kind: [] for kind in Kind}
    for variable in catalogue:
        found[variable.kind].append(variable)
    return found


def begin(name: str, kinds: Kinds, holding: Holding, before: Analysis = COUNT) -> Analysis | None:
    """Return the analysis ``name`` with variables that fit, those of ``before`` first; None if there are too few."""
    slots, taken = SLOTS[name], set[str]()
    found: list[tuple[Grouping, ...]] = []
    for slot in slots:
        fitting = (each for each in _offered(slot, kinds, holding, before) if not problem(slot, each))
        free = _first((each for each in fitting if each.code not in taken), slot.least)
        if len(free) < slot.least:
            return None
        taken |= {each.code for each in free}
        found.append(tuple(grouping_of(slot, each) for each in free))
    codes = [tuple(each.code for each in some) for some in found]
    made: dict[str, Callable[[], Analysis]] = {
        "count": Count,
        "attrition": Attrition,
        "breakdown": lambda: Breakdown(codes[0][0]),
        "histogram": lambda: Histogram(codes[0][0]),
        "table": lambda: Table(found[0][0], found[1][0]),
        "summary": lambda: Summary(codes[0]),
        "compare": lambda: Compare(codes[0][0], found[1][0]),
        "correlate": lambda: Correlate(codes[0]),
        "regress": lambda: Regress(codes[0][0], codes[1]),
        "survival": lambda: Survival(codes[0][0]),
    }
    return made[name]()


def _offered(slot: Slot, kinds: Kinds, holding: Holding, before: Analysis) -> Iterator[Variable]:
    """Yield variables in the order in which they are taken: those in use, those that most sites have, the others."""
    used, most = set(before.codes), max(holding.held.values(), default=0)
    tests: tuple[Callable[[str], bool] | None, ...] = (
        used.__contains__ if used else None,
        (lambda code: holding.held.get(code, 0) == most) if most else None,
        lambda _code: True,
    )
    for test in filter(None, tests):
        for kind in slot.kinds:
            yield from (each for each in kinds[kind] if test(each.code))


def _first(variables: Iterator[Variable], count: int) -> list[Variable]:
    found: dict[str, Variable] = {}
    while len(found) < count and (each := next(variables, None)) is not None:
        found.setdefault(each.code, each)
    return list(found.values())
