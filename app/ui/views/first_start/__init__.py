"""The first start: language, help, and the three ways to begin."""

from __future__ import annotations

from app.ui.views.first_start.start import FirstStart

__all__ = ["FirstStart"]
