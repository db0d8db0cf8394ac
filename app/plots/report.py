"""The report of an answer: a PDF that one attaches to a paper."""

from __future__ import annotations

import hashlib

from app import __version__
from app.core.services.exporting import Answered, moment
from app.core.services.runs import Run, RunAnswer
from app.plots.counts import Count, draw_counts
from app.plots.look import LIGHT, number
from app.plots.pages import FIXED, Pages, Type
from app.plots.saving import pdf
from app.texts import explain_code, text

_TITLE = Type(18, LIGHT.text, bold=True)
_NUMBER = Type(34, LIGHT.text, bold=True)
_HEADING = Type(11, LIGHT.text, bold=True)
_STRONG = Type(9.5, LIGHT.text, bold=True)
_BODY = Type(9.5, LIGHT.text)
_SOFT = Type(9, LIGHT.text2)
_SMALL = Type(8, LIGHT.text2)
_CODE = Type(8.5, LIGHT.text, family=FIXED)
_FIGURE, _BARE_FIGURE = 210.0, 110.0


def count_of(run: Run, name: str) -> Count:
    """Return a run's answer as what figures draw."""
    answer = _answer(run)
    return Count(name, answer.released, answer.half_width, answer.noise_scale, len(answer.contributors))


def _answer(run: Run) -> RunAnswer:
    assert run.answer is not None  # noqa: S101 - exporting.gather has seen to it
    return run.answer


def report(found: Answered, sentence: str, language: str) -> bytes:
    """Return the report in ``language``; ``sentence`` is the question in words."""
    writer = _Writer(found, sentence, language)
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
    def __init__(self, found: Answered, sentence: str, language: str) -> None:
        self.found, self.sentence, self.language = found, sentence, language
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
        answer, pages = _answer(self.found.run), self.pages
        pages.heading(self.say("answer"), _HEADING)
        pages.space(4)
        lines = [(self.say("patients"), _STRONG), (self._certainty(answer), _SOFT)]
        pages.side_by_side((number(answer.count, self.language), _NUMBER), lines)
        if answer.released < 0:
            pages.space(4)
            pages.paragraph(self.say("below_zero"), _SOFT)
        pages.space(12)
        count = count_of(self.found.run, self.sentence)
        height = _BARE_FIGURE if answer.exact else _FIGURE
        pages.drawing(height, lambda figure, place: draw_counts(figure, place, [count], LIGHT, self.language))

    def _certainty(self, answer: RunAnswer) -> str:
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
                said = f"{said}. {explain_code(site.code, self.language)}"
            rows.append((site.name, self.say("site_out", state=said)))
        self.pages.rows(rows, _STRONG, _BODY)

    def protection(self) -> None:
        run, pages = self.found.run, self.pages
        pages.heading(self.say("protection"), _HEADING)
        for words in (
            self.say("opened", quorum=run.quorum, of=run.of, sites=", ".join(run.openers)),
            self._noise(run),
            self.say("least", count=run.minimum),
            self.say("no_sites"),
        ):
            pages.paragraph(words, _BODY, mark="•")
            pages.space(2)

    def _noise(self, run: Run) -> str:
        answer = _answer(run)
        if answer.exact:
            return self.say("no_noise")
        return self.say("noise", epsilon=run.epsilon, width=number(answer.half_width, self.language))

    def methods(self) -> None:
        run, answer = self.found.run, _answer(self.found.run)
        self.pages.heading(self.say("methods"), _HEADING)
        words = self.say(
            "methods_text",
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
        else:
            scale = f"{answer.noise_scale:.4g}"
            words += " " + self.say("methods_noise", scale=scale, epsilon=run.epsilon, minimum=run.minimum)
        self.pages.paragraph(words, _BODY)
        self.pages.space(4)
        self.pages.paragraph(self.say("limits"), _SOFT)

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
