"""Data → Prepare a dataset: from a hospital's own files to a sealed package, without any network."""

from app.ui.views.prepare.preparation import Preparation
from app.ui.views.prepare.view import PrepareView
from app.ui.views.prepare.wizard import Surroundings, Wizard

__all__ = ["Preparation", "PrepareView", "Surroundings", "Wizard"]
