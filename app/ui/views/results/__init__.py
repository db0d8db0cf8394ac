"""Results: what this site has asked, where each question stands, and the answers."""

from app.ui.views.results.screen import ResultsView

__all__ = ["ResultsView"]
