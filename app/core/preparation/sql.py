"""Names and texts in SQL statements, whatever they hold."""

from __future__ import annotations


def quoted(*names: str) -> str:
    """Return an SQL identifier: the name of a column, or of a schema and a table in it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
