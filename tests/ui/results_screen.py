"""What the tests of the Results screen share: the owner's runs, the screen, and what is seen of it."""

from __future__ import annotations

import copy
from typing import Any

from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.ui.context import Context
from app.ui.views.results import ResultsView
from app.ui.widgets.dialogs import Dialog
from app.ui.widgets.feedback import Banner
from tests.ui import examples_results as runs
from tests.ui.fakes import FakeBridge


def owned_by(fake_bridge: FakeBridge, found: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Give the owner these runs, or the typical ones; changing them changes what it answers."""
    made = copy.deepcopy(runs.TYPICAL if found is None else found)
    fake_bridge.answers.update(runs.answers(made))
    return made


def shown(context: Context, qtbot: QtBot) -> ResultsView:
    """Show the screen."""
    made = ResultsView(context)
    qtbot.addWidget(made)
    made.resize(1196, 720)
    made.show()
    return made


def choose(view: ResultsView, id: str) -> None:
    """Open a run of the list."""
    view.list.setCurrentIndex(view.list.entries.index(view.list.entries.place_of(id)))


def titles(view: ResultsView) -> list[str]:
    """What stands in the list."""
    return [each.title for each in view.list.entries.entries]


def banner(view: ResultsView) -> str:
    """What the banners say."""
    QGuiApplication.processEvents()  # a layout shows what is added to it in the next round
    shown = [each for each in view.banners.findChildren(Banner) if not each.isHidden()]
    return " ".join(each.accessibleName() for each in shown)


def answer_dialog(view: ResultsView) -> Dialog:
    """Say yes to the question that was asked last."""
    assert view.doing.dialog is not None
    view.doing.dialog.answer()
    return view.doing.dialog
