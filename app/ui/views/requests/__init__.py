"""Requests: what other sites ask of this one, and what this site answers."""

from app.ui.views.requests.screen import RequestsView

__all__ = ["RequestsView"]
