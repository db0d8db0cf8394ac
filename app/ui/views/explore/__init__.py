"""Explore: find variables, build criteria, ask."""

from app.ui.views.explore.screen import ExploreView as ExploreView  # noqa: PLC0414 - this is where the window looks
