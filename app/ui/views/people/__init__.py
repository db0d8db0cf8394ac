"""People and projects: who speaks for this site, who may ask in its name, and for what."""

from app.ui.views.people.screen import PeopleView

__all__ = ["PeopleView"]
