"""What to find out, of whom, how exactly, and what it costs; and the button that asks."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QFrame, QGridLayout, QRadioButton, QVBoxLayout

from app.core.errors import UserError
from app.texts import explain, text
from app.ui.locale import moment, number
from app.ui.models.analysing import PICTURES, begin
from app.ui.models.asking import LEAST, AskedSite, Check, Obstacle
from app.ui.models.board import Board
from app.ui.models.budget import Budget
from app.ui.models.naming import Names
from app.ui.models.paying import short
from app.ui.models.requests import Preview
from app.ui.models.wish import Wish
from app.ui.theme import set_role
from app.ui.tokens import PANE, Style
from app.ui.views.budget.price import PriceCard
from app.ui.views.explore.analysis_settings import AnalysisSettings
from app.ui.views.explore.analysis_tiles import Tiles
from app.ui.views.explore.in_name_of import InNameOf
from app.ui.views.explore.variable_picker import Find
from app.ui.views.explore.wording import label, wide_enough
from app.ui.views.requests.findings import refusal
from app.ui.views.requests.wording import closed
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.feedback import Icon
from app.ui.widgets.fields import Choice, Field, line_edit
from app.ui.widgets.layout import card, clear, column, line, row, scrolling
from app.ui.widgets.text import Label

STRENGTHS = ("1", "1/2", "1/4")
HOURS = (0, 1, 8, 24, 72, 168)
_MOST_PURPOSE = 500


class AnalysisPane(QFrame):
    """The pane. ``ask`` comes when the button is pressed, ``changed`` when the check has to be made again."""

    ask = Signal()
    changed = Signal()

    def __init__(self, board: Board, find: Find) -> None:
        super().__init__()
        set_role(self, role="pane", side="right")
        self.board = board
        self.tiles = Tiles()
        self.tiles.chosen.connect(self._choose_analysis)
        self.options = AnalysisSettings(board, find)
        self.per_site = QCheckBox(text("ui.explore.per_site"))
        self.per_site.clicked.connect(self._answer_changed)
        self.sites: tuple[AskedSite, ...] = ()
        self.check = Check()
        self.preview: Preview | None = None
        """What this site's own policy says, and what it costs us; None while it is not known, or we are not asked."""
        self.budget: Budget | None = None
        self.busy = False
        self.mistake = False
        """Whether the text form has a mistake, so that the cards are not what it says."""
        self._known: object = None
        self._left_out: set[str] = set()
        self._boxes: dict[str, QCheckBox] = {}
        self._least_wanted = 0
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.show_state)
        self._make_answer()
        self.in_name_of = InNameOf()
        self.in_name_of.changed.connect(self._answer_changed)
        self.purpose = line_edit(changed=self._purpose_changed)
        self.purpose.setMaxLength(_MOST_PURPOSE)
        self.purpose.setText(text("ui.explore.usual_purpose"))
        self._site_list = QVBoxLayout()
        self._site_list.setSpacing(0)
        self._count = Label("", Style.CAPTION, "text2")
        self.least = Choice(text("ui.explore.at_least_sites"), [])
        self.least.chosen.connect(self._least_chosen)
        hours = [(str(each), text(f"ui.explore.within.{each}")) for each in HOURS]
        self.within = Choice(text("ui.explore.deadline"), hours)
        self.within.chosen.connect(lambda _value: self.changed.emit())
        wide_enough(self.within)
        self._make_price()
        self._layout()
        board.changed.connect(self._show_analysis)
        board.surroundings_changed.connect(self._show_analysis)
        self._show_analysis()
        self.show_state()

    def _make_answer(self) -> None:
        self.exact = QRadioButton(text("ui.explore.exact"))
        self.noised = QRadioButton(text("ui.explore.noised"))
        group = QButtonGroup(self)
        for button in (self.exact, self.noised):
            group.addButton(button)
            button.clicked.connect(self._answer_changed)
        self.exact.setChecked(True)
        strengths = [(each, text(f"ui.explore.noise.{each.replace('/', '_')}")) for each in STRENGTHS]
        self.strength = Choice(text("ui.explore.noise"), strengths)
        self.strength.set_value("1/2")
        wide_enough(self.strength)
        self.strength.chosen.connect(lambda _value: self._answer_changed())
        self._answer_words = Label("", Style.CAPTION, "text2", wrap=True)

    def _make_price(self) -> None:
        self._fit_icon = Icon("check-circle", 16, "pos")
        self._fit = Label("", Style.STRONG, wrap=True)
        self._time = Label("", Style.SMALL, "text2", wrap=True)
        self._cost = Label("", Style.SMALL, "text2", wrap=True)
        self._closed = Label("", Style.CAPTION, "text2", wrap=True)
        self.price = PriceCard(compact=True)
        self.button = Button("", PRIMARY, size="large", pressed=self.ask.emit)
        self._reason = Label("", Style.CAPTION, "cau", wrap=True)

    def _layout(self) -> None:
        what = Label(text("ui.explore.find_out"), Style.STRONG)
        strength = row(24, self.strength, None, gap=0)
        answer = column(self.exact, self.noised, strength, self._answer_words, gap=2)
        sites = row(Label(text("ui.explore.sites"), Style.STRONG), None, self._count)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        for place, (words, choice) in enumerate(
            ((text("ui.explore.at_least_word"), self.least), (text("ui.explore.within_word"), self.within))
        ):
            grid.addWidget(Label(words, ink="text2"), place, 0)
            grid.addWidget(choice, place, 1)
        grid.setColumnStretch(2, 1)
        content = column(
            what,
            self.tiles,
            self.options,
            line(),
            answer,
            self.per_site,
            Label(text("ui.explore.per_site_words"), Style.CAPTION, "text2", wrap=True),
            line(),
            sites,
            self._site_list,
            grid,
            line(),
            self.in_name_of,
            Field(text("ui.explore.purpose"), self.purpose, text("ui.explore.purpose_hint")),
            None,
            gap=8,
            margins=(PANE, 14, PANE, 12),
        )
        fit = row(self._fit_icon, self._fit, gap=8)
        fit.setStretchFactor(self._fit, 1)
        fit.setAlignment(self._fit_icon, Qt.AlignmentFlag.AlignTop)
        price = card(fit, self._time, self._cost, gap=4, tone="sunken")
        foot = column(price, self.price, self._closed, self.button, self._reason, gap=8, margins=(PANE, 8, PANE, 14))
        whole = column(scrolling(content), foot, gap=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)
        self.setMinimumWidth(260)

    # --- what is chosen -------------------------------------------------------------------------------------------

    @property
    def epsilon(self) -> str:
        """The strength of the noise; empty for an exact number."""
        return self.strength.value if self.noised.isChecked() else ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the sites that are asked."""
        return tuple(each.name for each in self.sites if each.able and each.name not in self._left_out)

    @property
    def minimum(self) -> int:
        """How many must answer at the least."""
        return int(self.least.value) if self.least.count() else 0

    def settings(self) -> dict[str, object]:
        """Return what is kept with the draft."""
        return {
            "epsilon": self.epsilon,
            "left out": sorted(self._left_out),
            "least": self._least_wanted,
            "within": int(self.within.value),
            "purpose": self.purpose.text()[:_MOST_PURPOSE],
            "per site": self.per_site.isChecked(),
            "person": self.in_name_of.person,
            "project": self.in_name_of.project,
        }

    def restore(self, settings: dict[str, object]) -> None:
        """Show what was kept; what does not make sense is left as it is."""
        epsilon, purpose, within = settings.get("epsilon"), settings.get("purpose"), settings.get("within")
        if epsilon in STRENGTHS:
            self.strength.set_value(str(epsilon))
        self.noised.setChecked(epsilon in STRENGTHS)
        self.exact.setChecked(epsilon not in STRENGTHS)
        self.per_site.setChecked(settings.get("per site") is True)
        if isinstance(purpose, str) and purpose:
            self.purpose.setText(purpose)
        if isinstance(within, int) and within in HOURS:
            self.within.set_value(str(within))
        person, project = settings.get("person"), settings.get("project")
        self.in_name_of.want(str(person or ""), str(project or ""))
        least, left_out = settings.get("least"), settings.get("left out")
        self._least_wanted = least if isinstance(least, int) else 0
        self._left_out = {str(each) for each in left_out} if isinstance(left_out, list) else set()
        self._make_sites()
        self.show_state()

    def show_wish(self, wish: Wish) -> None:
        """Show how a question was asked before that is to be asked anew."""
        self.per_site.setChecked(wish.per_site)
        self.in_name_of.want(wish.person, wish.project)
        self.show_state()

    def _answer_changed(self) -> None:
        self.changed.emit()
        self.show_state()

    def _purpose_changed(self) -> None:
        self.changed.emit()
        self._later.start()

    def _least_chosen(self, value: str) -> None:
        self._least_wanted = int(value)
        self.changed.emit()
        self.show_state()

    def _choose(self, name: str, wanted: bool) -> None:
        (self._left_out.discard if wanted else self._left_out.add)(name)
        self.changed.emit()
        self.show_state()

    def _choose_analysis(self, name: str) -> None:
        """Take the analysis of a tile, with variables that fit: those in use first."""
        board = self.board
        made = begin(name, board.kinds, board.holding, board.analysis)
        if made is not None:
            board.analyse(lambda _before: made)

    def _show_analysis(self) -> None:
        """Show which analysis is chosen, and which ones have no variable that fits."""
        board = self.board
        if self._known is not board.kinds:  # another catalogue
            self._known = board.kinds
            for name in PICTURES:
                possible = begin(name, board.kinds, board.holding) is not None
                self.tiles.show_obstacle(name, "" if possible else text(f"ui.explore.lacking.{name}"))
        self.tiles.show_obstacle("attrition", "" if board.criteria.cards else text("ui.explore.lacking.attrition"))
        self.tiles.show_chosen(board.analysis.name)

    # --- showing --------------------------------------------------------------------------------------------------

    def set_sites(self, sites: tuple[AskedSite, ...]) -> None:
        """Show the sites of the federation."""
        if sites != self.sites:
            self.sites = sites
            self._make_sites()
        self.show_state()

    def set_check(self, check: Check) -> None:
        """Show what the planner says."""
        self.check = check
        self.show_state()

    def set_preview(self, preview: Preview | None, budget: Budget | None) -> None:
        """Show what our own policy and budget say."""
        self.preview, self.budget = preview, budget
        self.show_state()

    def _make_sites(self) -> None:
        clear(self._site_list)
        self._boxes = {}
        for site in self.sites:
            box = QCheckBox(site.name.replace("&", "&&"))
            box.setChecked(site.able and site.name not in self._left_out)
            box.setEnabled(site.able)
            state, why = self._words_of(site)
            box.setAccessibleName(", ".join(filter(None, (site.name, state, why))))
            box.clicked.connect(lambda checked, name=site.name: self._choose(name, checked))
            self._boxes[site.name] = box
            side = Label(state, Style.CAPTION, "text2")
            items = row(box, None, *([Icon("offline", 14, "text3")] if site.reachable is False else []), side, gap=6)
            self._site_list.addLayout(items)
            if why:
                said = Label(why, Style.CAPTION, "text2", wrap=True)
                said.setContentsMargins(28, 0, 0, 4)
                self._site_list.addWidget(said)

    def _words_of(self, site: AskedSite) -> tuple[str, str]:
        """Return how a site is reached, and what stands in the way, or what to know."""
        reach = {True: "reachable", False: "away", None: "unknown"}[site.reachable]
        state = text("ui.explore.reach.own") if site.own else text(f"ui.explore.reach.{reach}")
        if site.obstacle is Obstacle.DATASET:
            return state, text("ui.explore.site.no_dataset")
        if site.obstacle is Obstacle.LACKS:
            names = []
            for code in site.lacks:
                variable = self.board.variable(code)
                names.append(code if variable is None else label(variable))
            return state, text("ui.explore.site.lacks", variables=", ".join(names))
        if site.reachable is False and not site.own:
            if site.last_seen:
                return state, text("ui.explore.site.away_since", when=moment(site.last_seen))
            return state, text("ui.explore.site.away_words")
        return state, ""

    def show_state(self) -> None:
        """Show the numbers that depend on what is chosen, and whether it can be asked."""
        self.strength.setVisible(self.noised.isChecked())
        chosen = len(self.chosen)
        self._count.setText(text("ui.explore.will_answer", chosen=number(chosen), sites=number(len(self.sites))))
        self._show_least(chosen)
        if not self.epsilon:
            self._answer_words.setText(text("ui.explore.exact_words"))
        elif self.check.half_width:
            self._answer_words.setText(text("ui.explore.noised_width", width=number(self.check.half_width)))
        else:
            self._answer_words.setText(text("ui.explore.noised_words"))
        self._show_price()
        words = text("ui.explore.ask_one") if chosen == 1 else text("ui.explore.ask_sites", count=number(chosen))
        self.button.setText(text("ui.explore.asking") if self.busy else words)
        reason = self.obstacle()
        self.button.forbid(reason or (text("ui.explore.asking") if self.busy else ""))
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))

    def _show_least(self, chosen: int) -> None:
        if [self.least.itemData(n) for n in range(self.least.count())] != [str(n + 1) for n in range(chosen)]:
            self.least.clear()
            for count in range(1, chosen + 1):
                words = text("ui.explore.one_site") if count == 1 else text("ui.explore.n_sites", count=number(count))
                self.least.addItem(words, str(count))
            wide_enough(self.least)
        wanted = self._least_wanted or LEAST
        self.least.set_value(str(max(1, min(wanted, chosen))))
        self.least.setEnabled(chosen > 0)

    def _show_price(self) -> None:
        problem = self.check.problem
        if self.check.fits:
            self._fit_icon.set("check-circle", "pos")
            self._fit.setText(text("ui.explore.fits"))
            self._time.setText(text("ui.explore.seconds", seconds=_seconds(self.check.seconds)))
        elif problem is not None:
            told = explain(UserError(problem[0], **{**problem[1], "excerpt": ""}))
            self._fit_icon.set("warning", "cau")
            self._fit.setText(told.what.strip())
            self._time.setText(told.next)
        else:
            self._fit_icon.set("clock", "text3")
            self._fit.setText(text("ui.explore.checking"))
            self._time.setText("")
        self._time.setVisible(bool(self._time.text()))
        cost = None if self.preview is None or problem is not None else self.preview.price
        self.price.show_price(cost, self.budget)
        counts = None if self.preview is None or problem is not None else self.preview.closed_counts
        self._closed.setVisible(counts is not None)
        self._closed.setText("" if counts is None else closed(counts))
        self._cost.setVisible(problem is None and self.price.isHidden())
        self._cost.setText(text("ui.explore.cost_noised" if self.epsilon else "ui.explore.cost_exact"))

    def obstacle(self) -> str:
        """Return why the question cannot be asked now; empty if it can."""
        obstacles = (
            (not self.sites, "ui.explore.cannot.federation"),
            (self.mistake, "ui.explore.cannot.mistake"),
            (self.check.problem is not None, "ui.explore.cannot.problem"),
            (not self.check.fits, "ui.explore.checking"),
            (not self.chosen, "ui.explore.cannot.sites"),
            (not self.purpose.text().strip(), "ui.explore.cannot.purpose"),
        )
        return next((text(key) for stands, key in obstacles if stands), "") or self._forbidden()

    def _forbidden(self) -> str:
        """Return why the person's role, our own policy or our budget does not allow it; empty if all do."""
        weak = self.in_name_of.too_weak(exact=not self.epsilon, per_site=self.per_site.isChecked())
        if weak or self.preview is None:
            return weak
        variables = {each.code: label(each) for kind in self.board.kinds.values() for each in kind}
        declined = refusal(self.preview, Names(variables=variables))
        if declined:
            return text("ui.explore.cannot.policy", why=declined)
        return "" if self.preview.price is None else short(self.preview.price, self.budget)


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return text("ui.explore.under_a_second")
    return text("ui.explore.n_seconds", count=number(seconds))
