"""The command about the site's budget; see :mod:`app.core.services.commands` for what a command is."""

from __future__ import annotations

from app.core.services import budget
from app.core.services.commands import Context, Result, Values, command


@command("budget.show", passive=True)
def show(context: Context, values: Values) -> Result:
    """Return what this site's patients may lose, what is left of it, and what was charged, newest first."""
    values.done()
    return budget.show(context.owner.member)
