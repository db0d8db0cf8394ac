"""Policy: what this site answers by itself, what waits for a person, and what never leaves."""

from app.ui.views.policy.screen import PolicyView

__all__ = ["PolicyView"]
