"""Staged tables as they are read: with a number for every row, and their columns as SQL."""

from __future__ import annotations

from collections.abc import Iterable

from app.core.preparation.engine import Engine
from app.core.preparation.plan import Place
from app.core.preparation.sql import literal, quoted
from app.core.preparation.values import BLANKS

SCHEMA = "consilium"
ID = '"consilium row"'
"""The column that tells the rows of a table apart, and says which comes first."""


def staged(place: Place) -> str:
    """Return the SQL name of a staged table whose rows have an :data:`ID`; :func:`identify_rows` makes it."""
    return f"{SCHEMA}.{quoted(f'{place.table.source}.{place.table.name}')}"


def identify_rows(engine: Engine, places: Iterable[Place]) -> None:
    """Give the rows of staged tables an :data:`ID`: their place; in a view ``_row``, which is unique there."""
    engine.execute(f"CREATE SCHEMA {SCHEMA}")
    for place in places:
        view = "SELECT count(*) FROM duckdb_views() WHERE schema_name = $1 AND view_name = $2"
        identity = "_row" if engine.one(view, list(place.key))[0] else "rowid"
        table = quoted(place.table.source, place.table.name)
        engine.execute(f"CREATE VIEW {staged(place)} AS SELECT {identity} AS {ID}, * FROM {table}")


def trimmed(column: str) -> str:
    """Return SQL for a text column of the staged table ``t`` without the blanks around it."""
    return f"trim(t.{quoted(column)}, '{BLANKS}')"


def named(place: Place) -> str:
    """Return SQL for the patient that a row of the staged table ``t`` names, NULL if it names none."""
    missing = ", ".join(map(literal, sorted(place.settings.missing | {""})))
    text = trimmed(place.patient)
    return f"CASE WHEN {text} NOT IN ({missing}) THEN {text} END"
