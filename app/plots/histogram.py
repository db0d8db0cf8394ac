"""A histogram over the catalogue's intervals: areas are patients, open ends are hatched, the unknown stand apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from app.core.analysis.results import Estimate, GroupCount, GroupsResult, VariableSummary
from app.core.catalogue.model import Kind
from app.core.query.cells import UNKNOWN
from app.plots.counts import WITHHELD
from app.plots.options import Options, Shown
from app.plots.sheet import SMALL_SIZE, Box, Sheet, axis_label, counts_axis, estimate_words, uncertain
from app.plots.words import Words, ends_of

HEIGHT = 3.1
_FOOT, _HEAD = 0.55, 0.3
_APART = 0.6
"""How far the bar of the unknown stands from the others, in bars."""
_DAY, _MONTH, _YEAR = 10, 7, 4  # how long beginnings are as texts
OPEN_HATCH = "//////"
_STUB = 0.04
"""How high the bar of a number that is withheld is, of the axis."""


@dataclass(frozen=True)
class Bin:
    """A bar from ``left`` to ``right`` in the unit of the axis; ``open`` is an end that is not known."""

    key: str
    left: float
    right: float
    open: bool
    count: Estimate
    share: float | None

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.right - self.left


def bins_of(groups: Sequence[GroupCount], words: Words, code: str) -> list[Bin]:
    """Return the bars of intervals in order, without the unknown. Dates have one place a beginning, numbers their
    own; an open end is as wide as its neighbour."""
    variable = words.catalogue.find(code)
    inside = [(group, ends) for group in groups if (ends := ends_of(group.key)) is not None]
    if variable is not None and variable.kind is Kind.DATE:
        return [
            Bin(group.key, float(place), place + 1.0, not all(ends), group.count, group.share)
            for place, (group, ends) in enumerate(inside)
        ]
    cuts = sorted({float(end) for _, ends in inside for end in ends if end})
    first = cuts[1] - cuts[0] if len(cuts) > 1 else 1.0
    last = cuts[-1] - cuts[-2] if len(cuts) > 1 else 1.0
    found = []
    for group, (low, high) in inside:
        left = float(low) if low else (float(high) - first if high else 0.0)
        right = float(high) if high else (float(low) + last if low else 1.0)
        found.append(Bin(group.key, left, right, not (low and high), group.count, group.share))
    return found


def even(bins: Sequence[Bin]) -> bool:
    """Return whether all bars are equally wide: then their heights are counts."""
    widths = [each.width for each in bins]
    return not widths or max(widths) - min(widths) <= 1e-9 * max(widths)


def tallest(bins: Sequence[Bin], unit: float, value: str = "high") -> float:
    """Return the largest height, in patients per ``unit`` of width."""
    return max(
        [(getattr(each.count, value) or each.count.value or 0.0) * unit / each.width for each in bins], default=0
    )


def height(shown: Shown, options: Options, width: float) -> float:
    """Return the natural height of a panel, in inches."""
    del shown, options
    return min(HEIGHT, max(2.4, width * 0.6))


def _parts(shown: Shown, options: Options) -> tuple[list[Bin], GroupCount | None]:
    result = shown.result
    if not isinstance(result, GroupsResult):
        return [], None
    groups = [group for group in result.groups if group.key not in options.hidden]
    unknown = next((group for group in groups if group.key == UNKNOWN), None)
    if unknown is not None and unknown.count.value == 0 and not uncertain(unknown.count):
        unknown = None  # nobody: no bar to look for
    return bins_of(groups, shown.words, result.code), unknown


def draw(sheet: Sheet, box: Box, shown: Shown, peers: Sequence[Shown], options: Options) -> None:
    """Draw the histogram of a panel; ``peers`` share the scale."""
    result, words = shown.result, shown.words
    if not isinstance(result, GroupsResult):
        return
    bins, unknown = _parts(shown, options)
    unit = min((each.width for each in bins), default=1.0)
    scale = _scale(result, shares=options.shares)
    top = max((_peak(each, options, unit) for each in peers), default=0.0) or 1.0
    inside = box.cut(left=_left(sheet, words, top, shares=options.shares), bottom=_FOOT, top=_HEAD, right=0.08)
    axes = sheet.axes(inside, grid="y")
    if not bins and unknown is None:
        sheet.write(inside.left + 0.1, inside.top - 0.2, words.say("nothing_shown"), sheet.soft)
    start = bins[0].left if bins else 0.0
    end = bins[-1].right if bins else 0.0
    size = (end - start) / max(len(bins), 1) or 1.0
    label = sheet.width(words.say("unknown"), sheet.soft) + 0.1
    apart_size = max(size, label * (end - start + _APART * size) / max(inside.width - label, 0.5))
    far = end + _APART * size + apart_size if unknown is not None else end
    axes.set_xlim(start - 0.04 * size, max(far, start + size) + 0.04 * size)
    axes.set_ylim(0, top * 1.06)
    counts_axis(axes, words, shares=options.shares, along="y", ticks=5)
    axes.tick_params(axis="y", length=0)
    for each in bins:
        share = None if each.count.value is None else each.share
        _bar(sheet, axes, each, scale * unit / each.width, sheet.look.series[0])
        said = _said(words.group(result.code, each.key), each.count, share, words)
        sheet.spot_between(axes, (each.left, each.right), (0, top * 1.06), said)
    if unknown is not None:
        apart = Bin(UNKNOWN, end + _APART * size, far, False, unknown.count, unknown.share)
        _bar(sheet, axes, apart, scale * unit / apart_size, sheet.look.axis)
        said = _said(words.say("unknown"), unknown.count, unknown.share, words)
        sheet.spot_between(axes, (apart.left, apart.right), (0, top * 1.06), said)
    marks = [] if unknown is None else [((end + _APART * size + far) / 2, words.say("unknown"))]
    ticks(sheet, axes, inside, bins, words, result.code, marks)
    axis_label(sheet, axes, words.measured(result.code), box)
    sheet.write(inside.left, box.top - 0.1, _heights(words, result.code, bins, unit, options), sheet.soft)


def _scale(result: GroupsResult, *, shares: bool) -> float:
    if not shares:
        return 1.0
    return 1.0 / result.total.value if result.total.value else 0.0


def _peak(shown: Shown, options: Options, unit: float) -> float:
    if not isinstance(shown.result, GroupsResult):
        return 0.0
    bins, unknown = _parts(shown, options)
    size = (bins[-1].right - bins[0].left) / len(bins) if bins else unit
    apart = 0.0 if unknown is None else max(unknown.count.high or 0.0, unknown.count.value or 0.0) * unit / size
    return max(tallest(bins, unit), apart) * _scale(shown.result, shares=options.shares)


def _left(sheet: Sheet, words: Words, top: float, *, shares: bool) -> float:
    return sheet.width(words.percent(top) if shares else words.number(top), sheet.soft) + 0.16


def _said(name: str, count: Estimate, share: float | None, words: Words) -> str:
    said = f"{name}: {estimate_words(count, words)}"
    return said if share is None else f"{said} · {words.percent(share, 1)}"


def _bar(sheet: Sheet, axes: Axes, each: Bin, scale: float, colour: str) -> None:
    value, look = each.count.value, sheet.look
    middle = (each.left + each.right) / 2
    if value is None:
        stub = axes.get_ylim()[1] * _STUB
        axes.bar(middle, stub, width=each.width, color=look.paper, edgecolor=look.axis, hatch=WITHHELD, zorder=2)
        return
    drawn = axes.bar(middle, value * scale, width=each.width, linewidth=0.8, zorder=2)
    for patch in drawn:
        patch.set_facecolor(look.paper if each.open else colour)
        patch.set_edgecolor(colour if each.open else look.paper)
        if each.open:
            patch.set_hatch(OPEN_HATCH)
    if uncertain(each.count) and each.count.low is not None and each.count.high is not None:
        low, high, cap = each.count.low * scale, each.count.high * scale, each.width * 0.14
        axes.plot([middle, middle], [low, high], color=look.text, linewidth=1.2, zorder=3)
        for end in (low, high):
            axes.plot([middle - cap, middle + cap], [end, end], color=look.text, linewidth=1.2, zorder=3)


def ticks(
    sheet: Sheet,
    axes: Axes,
    inside: Box,
    bins: Sequence[Bin],
    words: Words,
    code: str,
    marks: Sequence[tuple[float, str]] = (),
) -> None:
    """Set ticks at the ends of bars, as many as have room; ``marks`` are words at further places."""
    variable = words.catalogue.find(code)
    if variable is not None and variable.kind is Kind.DATE:
        choices = _dates(bins)
    else:
        ends = sorted({end for each in bins for end in _closed(each)})
        found = [(end, words.exact(f"{end:.10f}".rstrip("0").rstrip("."))) for end in ends]
        choices = [found[::every] for every in range(1, len(found) + 1)]
    low, high = axes.get_xlim()
    inches = inside.width / (high - low)
    kept = list(marks)
    for chosen in choices:
        rooms = [sheet.width(label, sheet.soft) + 0.1 for _, label in [*chosen, *marks]]
        places = [x * inches for x, _ in [*chosen, *marks]]
        tight = any(
            b - a < (one + other) / 2 for a, b, one, other in zip(places, places[1:], rooms, rooms[1:], strict=False)
        )
        if not tight:
            kept = [*chosen, *marks]
            break
    axes.set_xticks([x for x, _ in kept], [label for _, label in kept], fontsize=SMALL_SIZE)


def _dates(bins: Sequence[Bin]) -> list[list[tuple[float, str]]]:
    """Return ever fewer beginnings of days, months and years with their places, those first that say more."""
    starts = [(each.left, low) for each in bins if (low := (ends_of(each.key) or ("", ""))[0])]
    if not starts:
        return []
    finest = len(starts[0][1])
    choices = [starts] if finest == _DAY else []
    if finest >= _MONTH:
        months = [(x, low[:_MONTH]) for x, low in starts if finest == _MONTH or low.endswith("-01")]
        choices += [[each for each in months if (int(each[1][5:]) - 1) % every == 0] for every in (1, 2, 3, 6)]
    beginnings = ("", "-01", "-01-01")[(finest - _YEAR) // 3]
    years = [(x, low[:_YEAR]) for x, low in starts if low.endswith(beginnings)]
    choices += [[each for each in years if int(each[1]) % every == 0] for every in (1, 2, 5, 10, 20, 50)]
    return [each for each in choices if each]


def _closed(each: Bin) -> list[float]:
    """Return the ends of a bar that are cut points."""
    low, high = ends_of(each.key) or ("", "")
    return [end for end, said in ((each.left, low), (each.right, high)) if said]


def _heights(words: Words, code: str, bins: Sequence[Bin], unit: float, options: Options) -> str:
    """Say what the heights are."""
    what = words.say("share_of_patients" if options.shares else "patients")
    if even(bins):
        return what
    size = f"{words.exact(f'{unit:.10f}'.rstrip('0').rstrip('.'))} {words.unit(code)}".strip()
    return words.say("per_width", what=what, width=size)


def summary_bins(variable: VariableSummary, words: Words) -> list[Bin]:
    """Return the bars of a summary's counts between the cut points."""
    return bins_of([group for group in variable.between if group.key != UNKNOWN], words, variable.code)
