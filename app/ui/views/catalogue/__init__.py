"""The catalogue editor."""

from app.ui.views.catalogue.screen import CatalogueView

__all__ = ["CatalogueView"]
