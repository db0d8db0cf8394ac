"""Budget: what this site's patients may lose in all, who has spent what of it, and what is left."""

from app.ui.views.budget.screen import BudgetView

__all__ = ["BudgetView"]
