"""The report of an answer: a PDF that one attaches to a paper."""

from __future__ import annotations

import hashlib

from matplotlib.figure import Figure

from app import __version__
from app.core.analysis.results import CountResult, SurvivalResult
from app.core.services.exporting import Answered, moment, software
from app.core.services.runs import Run, RunAnswer
from app.plots.captions import untold_notes
from app.plots.counts import Count, draw_counts
from app.plots.figures import draw_shown, size_of
from app.plots.lettering import FIXED, Type
from app.plots.look import LIGHT, number, percent
from app.plots.options import Options, Shown
from app.plots.pages import Pages
from app.plots.printed import printed
from app.plots.saving import pdf
from app.plots.sheet import POINTS, Box, Sheet
from app.plots.twin import title
from app.plots.words import Words
from app.texts import explain_code, text

_TITLE = Type(18, LIGHT.text, bold=True)
_NUMBER = Type(34, LIGHT.text, bold=True)
_HEADING = Type(11, LIGHT.text, bold=True)
_STRONG = Type(9.5, LIGHT.text, bold=True)
_BODY = Type(9.5, LIGHT.text)
_SOFT = Type(9, LIGHT.text2)
_SMALL = Type(8, LIGHT.text2)
_TABLE_HEAD, _TABLE = Type(7.5, LIGHT.text2), Type(8, LIGHT.text)
_CODE = Type(8.5, LIGHT.text, family=FIXED)
_FIGURE, _BARE_FIGURE, _TALLEST = 210.0, 110.0, 560.0


def count_of(run: Run, name: str) -> Count:
    """Return a run's answer as what figures draw."""
    answer = _answer(run)
    sites = len(answer.contributors)
    return Count(name, answer.released, answer.half_width, answer.noise_scale, sites, answer.withheld)


def shown_of(found: Answered, language: str, title: str = "") -> list[Shown]:
    """Return the panels of an answer: all sites together, then each where that was asked for."""
    words, several = Words(found.catalogue, language, found.question), len(found.results) > 1
    count = len(found.answer.contributors)
    return [
        Shown(
            each.site or (title or words.say("all_sites") if several else ""),
            each.result,
            words,
            found.answer.noise_scale,
            1 if each.site else count,
        )
        for each in found.results
    ]


def _answer(run: Run) -> RunAnswer:
    assert run.answer is not None  # noqa: S101 - exporting.gather has seen to it
    return run.answer


def report(found: Answered, sentence: str, language: str, options: Options | None = None) -> bytes:
    """Return the report in ``language``; ``sentence`` is the question in words, ``options`` those of the figure."""
    writer = _Writer(found, sentence, language, options or Options())
    writer.head()
    writer.answer()
    writer.sites()
    writer.protection()
    writer.methods()
    writer.record()
    title = writer.say("title")
    left = f"Consilium {__version__}  ·  {found.run.id[:12]}"
    writer.pages.foot(left, lambda page, of: writer.say("page", page=page, of=of), _SMALL)
    return pdf(writer.pages.figures, title)


class _Writer:
    def __init__(self, found: Answered, sentence: str, language: str, options: Options) -> None:
        self.found, self.sentence, self.language, self.options = found, sentence, language, options
        self.counted = isinstance(found.results[0].result, CountResult)
        self.pages = Pages(LIGHT)

    def say(self, name: str, **params: object) -> str:
        return text(f"export.report.{name}", self.language, **params)

    def head(self) -> None:
        run, pages = self.found.run, self.pages
        pages.paragraph(self.say("title"), _TITLE)
        pages.space(4)
        pages.paragraph(f"{self.found.federation}  ·  {_when(run.ended or run.asked)}", _SOFT)
        if self.found.pretend:
            pages.space(6)
            pages.paragraph(self.say("pretend"), _STRONG)
        pages.space(10)
        pages.line()
        pages.heading(self.say("question"), _HEADING)
        pages.paragraph(self.sentence, _BODY)
        pages.space(5)
        pages.paragraph(run.text, _CODE)

    def answer(self) -> None:
        if self.counted:
            self._count()
        else:
            self._result()
        shown = shown_of(self.found, self.language)
        if len(shown) > 1:
            self._draw(shown[1:], self.say("by_site"))
            if not self.counted:
                self.pages.paragraph(self.say("site_tables"), _SOFT)

    def _result(self) -> None:
        """Set the figure of all sites together, its notes and its tables."""
        pages, shown = self.pages, shown_of(self.found, self.language)[0]
        shown = Shown("", shown.result, shown.words, shown.noise_scale, shown.sites)
        pages.heading(self.say("answer"), _HEADING)
        pages.paragraph(self._certainty_of_all(), _SOFT)
        pages.space(6)
        self._draw([shown])
        for note in untold_notes(shown.result):
            pages.paragraph(shown.words.note(note), _SMALL, mark="•")
        tables = printed(shown.result, shown.words)
        for name, (twin, every) in tables.items():
            pages.heading(title(name, shown.words), _STRONG)
            if every > 1:
                pages.paragraph(self.say("thinned", every=every), _SMALL)
            pages.table(twin.columns, twin.rows, twin.numeric, _TABLE_HEAD, _TABLE)

    def _draw(self, shown: list[Shown], heading: str = "") -> None:
        """Draw panels across the page, below a heading that stays with them."""
        width = self.pages.room / POINTS
        height = min(size_of(shown, self.options, width)[1] * POINTS, _TALLEST)
        if heading:
            self.pages.need(height + 3 * _HEADING.size)
            self.pages.heading(heading, _HEADING)

        def draw(figure: Figure, place: tuple[float, float, float, float]) -> None:
            across, up = figure.get_size_inches()
            left, bottom, wide, high = place
            box = Box(left * across, bottom * up, wide * across, high * up)
            draw_shown(Sheet(figure, LIGHT), box, shown, self.options)

        self.pages.drawing(height, draw)

    def _certainty_of_all(self) -> str:
        answer = _answer(self.found.run)
        if answer.exact:
            return self.say("exact_all")
        return self.say("noised_all")

    def _count(self) -> None:
        answer, pages = _answer(self.found.run), self.pages
        pages.heading(self.say("answer"), _HEADING)
        pages.space(4)
        lines = [(self.say("patients"), _STRONG), (self._certainty(answer), _SOFT)]
        shown = number(answer.count, self.language)
        if answer.withheld is not None:
            shown = Words(self.found.catalogue, self.language).withheld(answer.withheld)
        pages.side_by_side((shown, _NUMBER), lines)
        if answer.released < 0:
            pages.space(4)
            pages.paragraph(self.say("below_zero"), _SOFT)
        pages.space(12)
        count = count_of(self.found.run, self.sentence)
        height = _BARE_FIGURE if answer.exact or answer.withheld is not None else _FIGURE
        pages.drawing(height, lambda figure, place: draw_counts(figure, place, [count], LIGHT, self.language))

    def _certainty(self, answer: RunAnswer) -> str:
        if answer.withheld is not None:
            return self.say("withheld", least=answer.withheld.least)
        if answer.exact:
            return self.say("exact")
        low, high = number(answer.low, self.language), number(answer.high, self.language)
        return self.say("interval", low=low, high=high)

    def sites(self) -> None:
        self.pages.heading(self.say("sites"), _HEADING)
        inside = _answer(self.found.run).contributors
        rows = []
        for site in self.found.run.sites:
            if site.name in inside:
                rows.append((site.name, self.say("site_in")))
                continue
            name = site.state.replace(" ", "_")
            said = text(f"cli.query.site_state.{name}", self.language, percent=site.percent or 0)
            if site.code:
                said = f"{said}. {explain_code(site.code, self.language, site.reason)}"
            rows.append((site.name, self.say("site_out", state=said)))
        self.pages.rows(rows, _STRONG, _BODY)

    def protection(self) -> None:
        run, pages = self.found.run, self.pages
        pages.heading(self.say("protection"), _HEADING)
        for words in (
            self.say("opened", quorum=run.quorum, of=run.of, sites=", ".join(run.openers)),
            self._noise(run),
            self.say("least", count=run.minimum),
            self.say("told_sites") if self.found.question.per_site else self.say("no_sites"),
        ):
            pages.paragraph(words, _BODY, mark="•")
            pages.space(2)

    def _noise(self, run: Run) -> str:
        answer = _answer(run)
        if answer.exact:
            return self.say("no_noise")
        if not self.counted:
            return self.say("noise_all", epsilon=run.epsilon)
        return self.say("noise", epsilon=run.epsilon, width=number(answer.half_width, self.language))

    def methods(self) -> None:
        run, answer = self.found.run, _answer(self.found.run)
        self.pages.heading(self.say("methods"), _HEADING)
        per_site = self.found.question.per_site
        words = self.say(
            "methods_sites" if per_site else "methods_text",
            version=__version__,
            federation=self.found.federation,
            date=_when(run.ended or run.asked)[:10],
            sites=len(answer.contributors),
            quorum=run.quorum,
            of=run.of,
            catalogue=self.found.catalogue_version,
        )
        if answer.exact:
            words += " " + self.say("methods_exact", minimum=run.minimum)
        elif not self.counted:
            scale = f"{answer.noise_scale:.4g}"
            words += " " + self.say("methods_noise_all", scale=scale, epsilon=run.epsilon, minimum=run.minimum)
        else:
            scale = f"{answer.noise_scale:.4g}"
            words += " " + self.say("methods_noise", scale=scale, epsilon=run.epsilon, minimum=run.minimum)
        self.pages.paragraph(words, _BODY)
        self.pages.space(4)
        if not self.counted:
            self.pages.paragraph(self._statistics(), _BODY)
            self.pages.space(4)
        self.pages.paragraph(self.say("limits") if self.counted else self.say("limits_all"), _SOFT)

    def _statistics(self) -> str:
        """Return by which methods the numbers became what is shown, and by which software."""
        result, name = self.found.results[0].result, self.found.question.analysis.name
        confidence = percent(result.confidence, self.language)
        said = [text(f"export.method.{name}", self.language, confidence=confidence)]
        if isinstance(result, SurvivalResult) and result.by_code is not None:
            said.append(self.say("method_groups", confidence=confidence))
        if not _answer(self.found.run).exact:
            said.append(self.say("method_noised", confidence=confidence))
        used = software()
        said.append(self.say("software", **used))
        return " ".join(said)

    def record(self) -> None:
        run = self.found.run
        self.pages.heading(self.say("record"), _HEADING)
        rows = [
            (self.say("row.query"), run.id),
            (self.say("row.hash"), _grouped(hashlib.sha256(self.found.query).hexdigest())),
            (self.say("row.asker"), self.found.site),
            (self.say("row.purpose"), run.purpose),
            (self.say("row.asked"), _when(run.asked)),
            (self.say("row.closed"), _when(run.closed)),
            (self.say("row.released"), _when(run.ended)),
            (self.say("row.catalogue"), self.found.catalogue_version),
            (self.say("row.program"), f"Consilium {__version__}"),
        ]
        self.pages.rows([row for row in rows if row[1]], _SOFT, _BODY)


def _grouped(digits: str) -> str:
    """Return hexadecimal digits in two halves, so that they fit below each other."""
    half = len(digits) // 2
    return f"{digits[:half]} {digits[half:]}"


def _when(milliseconds: int) -> str:
    said = moment(milliseconds)
    return f"{said[:10]} {said[11:16]} UTC" if said else ""
