"""Audit: what was asked, given and refused here; searched, verified, handed on."""

from app.ui.views.audit.screen import AuditView

__all__ = ["AuditView"]
