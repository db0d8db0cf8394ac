"""A mapping, a catalogue and the tables that were staged, put together: what is read from which column for whom."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as TableOf
from dataclasses import replace
from difflib import get_close_matches
from itertools import count

from app.core.catalogue.model import Catalogue, Kind, Variable
from app.core.errors import UserError
from app.core.preparation.mapping import BadValues, Mapping, Rule, VariableMapping
from app.core.preparation.mapping_fields import refuse
from app.core.preparation.plan import INDEX, Conversion, Place, Plan, Use, conversion_between
from app.core.preparation.sources.source import Staged, Table, table_reference
from app.core.preparation.values import FLAGS, Reads, Words, words_of

_RULES: TableOf[Kind, tuple[Rule | None, ...]] = {
    Kind.FLAG: (Rule.EVER, Rule.FIRST, Rule.LAST),
    Kind.CATEGORY: (Rule.FIRST, Rule.LAST),
    Kind.NUMBER: (Rule.FIRST, Rule.LAST, Rule.COUNT, Rule.MIN, Rule.MAX, Rule.MEAN),
    Kind.DATE: (Rule.FIRST, Rule.LAST),
    Kind.EVENT: (None,),
    Kind.SURVIVAL: (),
}


def resolve(mapping: Mapping, catalogue: Catalogue, staged: TableOf[str, Staged]) -> Plan:
    """Put a mapping and what was staged together.

    Raises UserError ``mapping.*`` for what does not fit: a variable, level, table, column, rule or unit.
    """
    return _Resolving(mapping, catalogue, staged).plan()


class _Resolving:
    def __init__(self, mapping: Mapping, catalogue: Catalogue, staged: TableOf[str, Staged]) -> None:
        self._mapping, self._catalogue, self._staged = mapping, catalogue, staged
        self._uses: list[Use] = []
        self._numbers = count()
        self._places: dict[tuple[str, str], Place] = {}
        self._used: dict[tuple[str, str], set[str]] = {}

    def plan(self) -> Plan:
        mapping = self._mapping
        for code in (*mapping.variables, *mapping.leave_out):
            if self._catalogue.find(code) is None:
                self._unknown_variable(code)
        patients = None if mapping.patients is None else self._place(mapping.patients, "patients")
        index = None if mapping.index is None else self._index(mapping.index)
        for variable in self._catalogue:
            if (found := mapping.variables.get(variable.code)) is not None:
                self._check(variable, found)
                self._uses += self._uses_of(variable, found)
            elif (
                patients is not None
                and variable.code in _names(patients.table)
                and variable.kind is not Kind.SURVIVAL
                and variable.code not in mapping.leave_out
            ):
                self._uses += self._uses_of(variable, VariableMapping())
        read = {use.code for use in self._uses}
        sealed = [
            v.code
            for v in self._catalogue
            if v.code in read or (v.rollup and read & set(self._catalogue.rolled_up(v.code)))
            if v.code not in mapping.leave_out
        ]
        if not sealed:
            raise UserError(
                "mapping.nothing_mapped", file=", ".join(t.file for s in self._staged.values() for t in s.tables)[:200]
            )
        return Plan(
            mapping=mapping,
            catalogue=self._catalogue,
            patients=patients,
            places=tuple(self._places.values()),
            index=index,
            uses=tuple(self._uses),
            variables=tuple(sealed),
            left_out=tuple(v.code for v in self._catalogue if v.code not in set(sealed)),
            unused_columns=tuple(self._unused()),
        )

    # --- tables and columns

    def _place(self, reference: str | None, field: str) -> Place:
        if reference is None and (reference := self._mapping.patients) is None:
            refuse("missing_field", self._mapping.file, field=field)
        name, _, table_name = reference.partition(".")
        staged = self._staged[name]
        tables = {table.name: table for table in staged.tables}
        if not table_name and len(tables) == 1:
            (table_name,) = tables
        if table_name not in tables:
            known = ", ".join(f"{name}.{each}" for each in tables)
            refuse("unknown_table", self._mapping.file, field=field, found=reference[:80], known=known[:400])
        table = tables[table_name]
        key = table.source, table.name
        if key not in self._places:
            patient = self._mapping.sources[name].patient or table.patient
            if patient is None:
                refuse("missing_field", self._mapping.file, field=f"sources.{name}.patient")
            self._column(table, patient)
            self._places[key] = Place(table, staged.settings, patient)
        return self._places[key]

    def _column(self, table: Table, column: str) -> str:
        names = _names(table)
        if column not in names:
            near = get_close_matches(column, names, 1)
            params = {"file": table.file, "column": column[:80], "mapping": self._mapping.file}
            if near:
                raise UserError("mapping.no_column_near", **params, near=near[0])
            raise UserError("csv.missing_column", **params)
        self._used.setdefault((table.source, table.name), set()).add(column)
        return column

    def _unused(self) -> Iterator[str]:
        several = sum(len(each.tables) for each in self._staged.values()) > 1
        for staged in self._staged.values():
            for table in staged.tables:
                used = self._used.get((table.source, table.name), set())
                for column in _names(table):
                    if column not in used:
                        yield f"{table_reference(staged, table)}.{column}" if several else column

    # --- uses

    def _index(self, mapping: VariableMapping) -> Use:
        place = self._place(mapping.table, "index.table")
        if mapping.of_rows:
            if mapping.rule not in (Rule.FIRST, Rule.LAST):
                refuse("no_such_rule", self._mapping.file, field="index.rule", allowed="first, last", kind="date")
            return self._rows(None, mapping, place, Reads.DAY, "index")
        if mapping.column is None:
            refuse("missing_field", self._mapping.file, field="index.column")
        self._column(place.table, mapping.column)
        return self._use(None, mapping, place, Reads.DAY, column=mapping.column)

    def _use(
        self, variable: Variable | None, mapping: VariableMapping, place: Place, reads: Reads, **more: object
    ) -> Use:
        return Use(
            number=next(self._numbers),
            code=INDEX if variable is None else variable.code,
            variable=variable,
            mapping=mapping,
            place=place,
            reads=reads,
            strict=self._mapping.bad_values is BadValues.REFUSE,
            **more,  # type: ignore[arg-type]
        )

    def _uses_of(self, variable: Variable, mapping: VariableMapping) -> Iterator[Use]:
        field = f"variables.{variable.code}"
        place = self._place(mapping.table, f"{field}.table")
        if variable.kind in (Kind.EVENT, Kind.SURVIVAL) and self._mapping.index is None and mapping.column is None:
            refuse("missing_field", self._mapping.file, field="index")
        if variable.kind is Kind.SURVIVAL:
            yield from self._survival(variable, mapping, place)
        elif mapping.of_rows:
            yield self._rows(variable, mapping, place, _reads_of_rows(variable, mapping), field)
        else:
            column = self._column(place.table, mapping.column or variable.code)
            reads = _READS[variable.kind]
            if variable.kind is Kind.EVENT and mapping.unit is not None:
                reads = Reads.NUMBER
            if mapping.unit_column is not None:
                self._column(place.table, mapping.unit_column)
            yield self._use(
                variable,
                mapping,
                place,
                reads,
                column=column,
                words=words_of(variable, mapping.values) if reads is Reads.WORD else Words(),
                conversion=self._conversion(variable, mapping),
                since_index=variable.kind is Kind.EVENT,
            )

    def _rows(self, variable: Variable | None, mapping: VariableMapping, place: Place, reads: Reads, field: str) -> Use:
        long = place.table.long
        known = {} if long is None else {"code": long.code, "value": long.value, "time": long.time, "unit": long.unit}
        columns = {
            f"{name}_column": getattr(mapping, f"{name}_column") or known.get(name)
            for name in ("code", "value", "time", "unit")
        }
        every = "*" in mapping.codes and mapping.system is None  # whatever their codes, even if there is none
        full = replace(mapping, **columns, codes=() if every else mapping.codes)  # type: ignore[arg-type]
        needed = {
            "code_column": bool(full.codes),
            "value_column": reads in (Reads.WORD, Reads.NUMBER),
            "time_column": reads is Reads.DAY or mapping.rule in (Rule.FIRST, Rule.LAST) or mapping.window is not None,
        }
        for name, need in needed.items():
            if need and getattr(full, name) is None:
                refuse("missing_field", self._mapping.file, field=f"{field}.{name}")
        for name in (*columns, *mapping.only):
            if (column := name if name in mapping.only else columns[name]) is not None:
                self._column(place.table, column)
        if mapping.window is not None and self._mapping.index is None:
            refuse("missing_field", self._mapping.file, field="index")
        return self._use(
            variable,
            full,
            place,
            reads,
            words=words_of(variable, mapping.values) if variable is not None and reads is Reads.WORD else Words(),
            conversion=self._conversion(variable, mapping),
            since_index=variable is not None and variable.kind is Kind.EVENT,
        )

    def _survival(self, variable: Variable, mapping: VariableMapping, place: Place) -> Iterator[Use]:
        field = f"variables.{variable.code}"
        event_place = place if mapping.event_table is None else self._place(mapping.event_table, f"{field}.event_table")
        if (mapping.column is None) == (mapping.end_column is None):
            refuse("missing_field", self._mapping.file, field=f"{field}.column")
        if mapping.event_column is None and mapping.event_date_column is None:
            refuse("missing_field", self._mapping.file, field=f"{field}.event_column")
        uses: list[tuple[Place, Reads, str | None, str]] = [
            (place, Reads.NUMBER, mapping.column, "days"),
            (place, Reads.DAY, mapping.end_column, "end"),
            (event_place, Reads.WORD, mapping.event_column, "event"),
            (event_place, Reads.DAY, mapping.event_date_column, "event_date"),
        ]
        for where, reads, column, part in uses:
            if column is not None:
                self._column(where.table, column)
                words = _event_words(mapping) if reads is Reads.WORD else Words()
                conversion = self._conversion(variable, mapping) if part == "days" else Conversion()
                if part in ("end", "event_date") and self._mapping.index is None:
                    refuse("missing_field", self._mapping.file, field="index")
                yield self._use(
                    variable,
                    mapping,
                    where,
                    reads,
                    column=column,
                    part=part,
                    words=words,
                    conversion=conversion,
                    since_index=reads is Reads.DAY,
                )

    # --- checks

    def _unknown_variable(self, code: str) -> None:
        near = get_close_matches(code, [each.code for each in self._catalogue], 1)
        if near:
            raise UserError("mapping.unknown_variable_near", file=self._mapping.file, variable=code[:100], near=near[0])
        raise UserError("mapping.unknown_variable", file=self._mapping.file, variable=code[:100])

    def _check(self, variable: Variable, mapping: VariableMapping) -> None:
        file, kind = self._mapping.file, variable.kind.value
        levels = [level.code for level in variable.levels]
        for level in mapping.values.values():
            if variable.kind is Kind.CATEGORY and level not in levels:
                near = get_close_matches(level, levels, 1)
                if near:
                    refuse("unknown_level_near", file, variable=variable.code, value=level[:40], near=near[0])
                refuse("unknown_level", file, variable=variable.code, value=level[:40])
            if variable.kind is not Kind.CATEGORY and (variable.kind is not Kind.FLAG or level.lower() not in FLAGS):
                refuse("not_for_kind", file, variable=variable.code, field="values", kind=kind)
        allowed = _RULES[variable.kind]
        if mapping.of_rows and mapping.rule not in allowed:
            names = ", ".join(each.value for each in allowed if each is not None) or "–"
            refuse("no_such_rule", file, field=f"variables.{variable.code}.rule", allowed=names, kind=kind)
        if variable.kind is not Kind.SURVIVAL:
            for name in ("end_column", "event_table", "event_column", "event_date_column"):
                if getattr(mapping, name) is not None:
                    refuse("not_for_kind", file, variable=variable.code, field=name, kind=kind)

    def _conversion(self, variable: Variable | None, mapping: VariableMapping) -> Conversion:
        if mapping.factor is not None:
            return Conversion(float(mapping.factor))
        target = None if variable is None else variable.unit
        if variable is not None and variable.kind in (Kind.EVENT, Kind.SURVIVAL):
            target = "d"
        if mapping.unit is None or variable is None:
            return Conversion()
        if target is None:
            refuse("no_unit", self._mapping.file, field=f"variables.{variable.code}.unit", variable=variable.code)
        try:
            return conversion_between(mapping.unit, target)
        except UserError as error:
            refuse(
                "bad_unit",
                self._mapping.file,
                field=f"variables.{variable.code}.unit",
                found=mapping.unit[:40],
                unit=target,
                reason=error.code,
            )


_READS = {
    Kind.FLAG: Reads.WORD,
    Kind.CATEGORY: Reads.WORD,
    Kind.NUMBER: Reads.NUMBER,
    Kind.DATE: Reads.DAY,
    Kind.EVENT: Reads.DAY,
}
_EVENT_WORDS = Words(
    {word: float(value) for word, value in FLAGS.items()},
    {word: (float(value), word) for word, value in FLAGS.items()},
)


def _event_words(mapping: VariableMapping) -> Words:
    return Words(dict.fromkeys(mapping.event_values, 1.0)) if mapping.event_values else _EVENT_WORDS


def _reads_of_rows(variable: Variable, mapping: VariableMapping) -> Reads:
    if mapping.rule is Rule.COUNT or (mapping.rule is Rule.EVER and not mapping.values):
        return Reads.PRESENCE
    return _READS[variable.kind]


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]
