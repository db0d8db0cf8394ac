"""What the window calls sites, projects and variables of which it knows the number, the id or the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.texts import text


@dataclass(frozen=True)
class Names:
    """Names by roster position, id or code, in the order in which they are offered; ``people`` are (site, name)."""

    sites: Mapping[int, str] = field(default_factory=dict)
    people: tuple[tuple[int, str], ...] = ()
    projects: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def site(self, position: int) -> str:
        """Return what a site is called."""
        return self.sites.get(position) or text("ui.names.site", number=position)

    def person(self, site: int, name: str) -> str:
        """Return a person with the site."""
        return text("ui.names.person", person=name, site=self.site(site))

    def project(self, id: str) -> str:
        """Return what a project is called; one that is not known any more has an id only."""
        return self.projects.get(id) or text("ui.names.project", id=id[:8])

    def variable(self, code: str) -> str:
        """Return what a variable is called; its code where the catalogue does not have it."""
        return self.variables.get(code) or code
