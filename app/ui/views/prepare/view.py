"""The wizard as a screen of the main window."""

from __future__ import annotations

from typing import ClassVar

from app.core import paths
from app.ui.context import Context
from app.ui.models.preparing_draft import Drawer
from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.wizard import Surroundings, Wizard
from app.ui.views.view import View


class PrepareView(View):
    """Prepare a dataset."""

    name: ClassVar[str] = "prepare"
    rail: ClassVar[str] = "data"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.page.addWidget(self.banners)
        self.wizard: Wizard | None = None
        context.standing.changed.connect(self._stand)

    def refresh(self) -> None:
        """Make the wizard when it is first seen, with what was left of an earlier one."""
        if self.wizard is None:
            self.use(Preparation(Drawer(paths.preparing_place()), self.context.jobs))

    def use(self, preparation: Preparation) -> Wizard:
        """Show this preparation."""
        context = self.context
        around = Surroundings(
            leave=lambda: context.navigate("data"),
            explain=lambda: context.navigate("help", "prepare"),
            import_package=lambda path: context.navigate("data", path),
            own_federation=self._own_federation,
        )
        self.wizard = Wizard(around, preparation, context.preferences)
        self.page.addWidget(self.wizard)
        self._stand()
        return self.wizard

    def _stand(self) -> None:
        overview = self.context.standing.overview
        if self.wizard is not None:
            self.wizard.offer_own(overview.federation if overview.ready else "", overview.site)

    def _own_federation(self) -> None:
        """Write the public file of this computer's federation into the drawer, and take it from there."""
        if self.wizard is None:
            return
        preparation = self.wizard.preparation
        path = str(preparation.drawer.make().federation.absolute())
        self.context.bridge.call(
            "federation.export_public",
            {"path": path},
            of=self,
            done=lambda found: preparation.choose_federation(str(found["path"]), own=True),
            failed=self.fail,
        )
