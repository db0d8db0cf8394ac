"""Into which groups a number is cut: its cut points as a check list, with the groups that they make."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from PySide6.QtWidgets import QCheckBox, QWidget

from app.core.catalogue.model import Variable
from app.core.query.analyses import Grouping
from app.texts import preferred_language, text
from app.ui.models.analysing import Slot
from app.ui.models.catalogue import unit_of
from app.ui.models.scales import number_text
from app.ui.theme import set_role
from app.ui.tokens import Style
from app.ui.views.explore.wording import label
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.layout import Flow
from app.ui.widgets.text import Label


class CutsDialog(Dialog):
    """Asks for cut points; ``chosen`` gets the grouping."""

    def __init__(
        self,
        parent: QWidget,
        slot: Slot,
        variable: Variable,
        cuts: tuple[Decimal, ...],
        chosen: Callable[[Grouping], object],
    ) -> None:
        self._slot, self._variable, self._taken = slot, variable, chosen
        boxes, flow = QWidget(), Flow(gap=8)
        set_role(boxes, role="clear")
        self.boxes = []
        for cut in variable.cut_points:
            box = QCheckBox(number_text(cut))
            box.setAccessibleName(text("ui.explore.cut_at", cut=number_text(cut)))
            box.setChecked(cut in (cuts or variable.cut_points))
            box.clicked.connect(self._show)
            self.boxes.append(box)
            flow.addWidget(box)
        boxes.setLayout(flow)
        self._groups = Label("", Style.BODY, wrap=True)
        self._why = Label("", Style.CAPTION, "dan", wrap=True)
        title = text("ui.explore.cuts_of", name=label(variable))
        super().__init__(
            parent.window(), title, text("ui.explore.cuts_words"), boxes, self._groups, self._why, None,
            answer=text("ui.explore.choose"),
        )  # fmt: skip
        self.answered = self._take
        self._show()

    @property
    def cuts(self) -> tuple[Decimal, ...]:
        """The cut points that are chosen."""
        return tuple(cut for box, cut in zip(self.boxes, self._variable.cut_points, strict=True) if box.isChecked())

    def obstacle(self) -> str:
        """Return why these groups cannot be; empty if they can."""
        count, most = len(self.cuts) + 1, self._slot.most_groups
        if count < 2:
            return text("ui.explore.cut_needed")
        if most == 2 and count != 2:
            return text("ui.explore.one_cut")
        return text("ui.explore.too_many_groups", count=count, most=most) if most and count > most else ""

    def _show(self) -> None:
        self._groups.setText(" · ".join(group_words(self._variable, self.cuts)))
        why = self.obstacle()
        self._why.setText(why)
        self._why.setVisible(bool(why))
        self.answer_button.forbid(why)

    def _take(self) -> None:
        whole = self.cuts == self._variable.cut_points
        self.accept()
        self._taken(Grouping(self._variable.code, () if whole else self.cuts))


def group_words(variable: Variable, cuts: tuple[Decimal, ...]) -> list[str]:
    """Return the groups between cut points in words."""
    shown = [number_text(cut) for cut in (cuts or ())]
    unit = unit_of(variable, preferred_language())
    if not shown:
        return [text("ui.explore.any_value")]
    between = [
        text("ui.explore.between", low=a, high=b, unit="").rstrip() for a, b in zip(shown, shown[1:], strict=False)
    ]
    first = text("ui.explore.under", high=shown[0], unit="").rstrip()
    return [first, *between, text("ui.explore.at_least", low=shown[-1], unit=unit).replace("  ", " ").rstrip()]
