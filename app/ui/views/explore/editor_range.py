"""A number as a range between its cut points."""

from __future__ import annotations

from app.core.catalogue.model import Variable
from app.texts import text
from app.ui.models.distribution import Distribution
from app.ui.models.scales import NumberScale
from app.ui.views.explore.editor import ScaleEditor
from app.ui.views.explore.wording import label
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.layout import column
from app.ui.widgets.text import Label


class RangeEditor(ScaleEditor):
    """Two typed bounds over a slider on the own site's bins; without bounds, any known value."""

    def __init__(self, variable: Variable, shown: Distribution | None) -> None:
        scale = NumberScale(variable)
        super().__init__(scale, label(variable), shown)
        if scale.unit:
            self.flow.addWidget(Label(scale.unit, ink="text2"))
        self.any = Button(
            text("ui.explore.any_value"), LINK, size="small", pressed=lambda: self.take(0, self.scale.last)
        )
        self.flow.addWidget(self.any)
        self.setLayout(column(self.range, gap=0))
