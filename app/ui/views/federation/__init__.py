"""Federation: coming together, setting up, who is in it, the key share, the relay."""

from __future__ import annotations

from app.ui.views.federation.view import FederationView

__all__ = ["FederationView"]
