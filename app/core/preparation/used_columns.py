"""Which columns of the staged tables a mapping takes values from, and which name the patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.catalogue.model import Catalogue
from app.core.preparation.identifiers import TableColumn
from app.core.preparation.mapping import Mapping as MappingFile
from app.core.preparation.mapping import VariableMapping
from app.core.preparation.sources.source import Staged, Table, table_reference


def tables_by_name(sources: Sequence[Staged]) -> dict[str, Table]:
    """Return the staged tables by the names that mappings give them."""
    return {table_reference(source, table): table for source in sources for table in source.tables}


def used_columns(mapping: MappingFile, catalogue: Catalogue, sources: Sequence[Staged]) -> set[TableColumn]:
    """Return the columns that values, codes, times and units are taken from."""
    tables = tables_by_name(sources)
    found = set()
    for code, variable in (*mapping.variables.items(), *_unsaid(mapping, catalogue), *_index(mapping)):
        name = variable.table or mapping.patients
        if name is not None and name in tables:
            found |= {(name, column) for column in _columns(variable, code, tables[name])}
            event = variable.event_table or name
            found |= {(event, column) for column in (variable.event_column, variable.event_date_column) if column}
    there = {(name, column.name) for name, table in tables.items() for column in table.columns}
    return found & there


def patient_columns(mapping: MappingFile, sources: Sequence[Staged]) -> set[TableColumn]:
    """Return the columns that say whom a row is about."""
    said = {name: source.patient for name, source in mapping.sources.items()}
    return {
        (name, patient)
        for name, table in tables_by_name(sources).items()
        if (patient := table.patient or said.get(table.source)) is not None
    }


def code_columns(mapping: MappingFile, sources: Sequence[Staged]) -> set[TableColumn]:
    """Return the columns that hold codes: those that a format or the mapping says to."""
    tables = tables_by_name(sources)
    formats = {(name, table.long.code) for name, table in tables.items() if table.long is not None}
    said = {
        (variable.table or mapping.patients or "", variable.code_column)
        for variable in mapping.variables.values()
        if variable.code_column is not None
    }
    return formats | said


def _unsaid(mapping: MappingFile, catalogue: Catalogue) -> Iterator[tuple[str, VariableMapping]]:
    """Yield the variables that take the column which bears their code."""
    for variable in catalogue:
        if variable.code not in mapping.variables and variable.code not in mapping.leave_out:
            yield variable.code, VariableMapping()


def _index(mapping: MappingFile) -> Iterator[tuple[str, VariableMapping]]:
    if mapping.index is not None:
        yield "", mapping.index


def _columns(variable: VariableMapping, code: str, table: Table) -> Iterator[str]:
    yield from variable.only
    if not variable.of_rows:
        if variable.column is not None or variable.end_column is None:
            yield variable.column or code
        yield from filter(None, (variable.end_column, variable.unit_column))
        return
    long = table.long
    said = (variable.code_column, variable.value_column, variable.time_column, variable.unit_column)
    of_format = (None,) * 4 if long is None else (long.code, long.value, long.time, long.unit)
    yield from (column for pair in zip(said, of_format, strict=True) if (column := pair[0] or pair[1]) is not None)


def units_assumed(mapping: MappingFile, catalogue: Catalogue, sources: Sequence[Staged]) -> set[str]:
    """Return the numbers in a unit of the catalogue of which neither the mapping nor the data says the unit."""
    tables = tables_by_name(sources)
    found = set()
    for variable in catalogue:
        how = mapping.variables.get(variable.code, VariableMapping())
        table = tables.get(how.table or mapping.patients or "")
        if variable.unit in (None, "1") or table is None or how.unit or how.factor or how.unit_column:
            continue
        if how.of_rows and table.long is not None and table.long.unit is not None:
            continue
        if not any(column.unit for column in table.columns if column.name == (how.column or variable.code)):
            found.add(variable.code)
    return found
