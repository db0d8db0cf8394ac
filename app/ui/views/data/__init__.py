"""Data: the site's datasets, and importing packages."""

from app.ui.views.data.screen import DataView

__all__ = ["DataView"]
