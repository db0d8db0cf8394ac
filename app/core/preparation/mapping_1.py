"""Mapping files of version 1: one CSV with one row a patient. Read into the values of version 2.

::

    format = "consilium-mapping"
    version = 1
    site = "Lausanne"
    patient = "patient_id"            # the column that says which patient a row is about

    [file]                            # may be left out, as may each of its keys
    encoding = "utf-8"                # utf-8 (default), windows-1252, iso-8859-1, iso-8859-15, utf-16
    delimiter = ";"                   # , ; or tab; found out from the first line if it is not said
    decimal = ","                     # the decimal sign, "." unless it is said
    missing = ["", "NA"]              # what stands for "no value"; [""] unless it is said

    [variables.sex]                   # column, values and missing, as in version 2
    column = "gender"
    values = { "1" = "male", "2" = "female" }
    missing = ["9"]

The CSV itself is not named: it is given with the command, as the source :data:`SOURCE`. Any value that cannot be
understood refuses its row.
"""

from __future__ import annotations

from app.core.preparation.mapping import BadValues, Mapping, Source, VariableMapping
from app.core.preparation.mapping_fields import Fields
from app.core.preparation.sources.source import Format

SOURCE = "patients"
_ENCODINGS = ("utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16")
_DELIMITERS = (",", ";", "\t")


def read(top: Fields, name: str) -> Mapping:
    """Read what follows ``version`` in a file of version 1. Raises UserError ``mapping.*``."""
    site, patient = top.take("site", str), top.take("patient", str)
    about, variables = Fields(top.take("file", dict, {}), name, "file"), top.take("variables", dict, {})
    top.done()
    source = Source(
        format=Format.CSV,
        patient=patient,
        encoding=about.choice("encoding", "utf-8", _ENCODINGS),
        delimiter=about.choice("delimiter", None, _DELIMITERS, optional=True),
        decimal=about.choice("decimal", ".", (".", ",")),
        missing=about.texts("missing", ("",)),
    )
    about.done()
    return Mapping(
        file=name,
        site=site,
        sources={SOURCE: source},
        variables={code: _variable(each, name, code) for code, each in variables.items()},
        patients=SOURCE,
        bad_values=BadValues.REFUSE,
    )


def _variable(plain: object, file: str, code: str) -> VariableMapping:
    table = Fields(plain, file, f"variables.{code}")
    column, values = table.optional("column", str), table.named_texts("values")
    missing = table.texts("missing")
    table.done()
    return VariableMapping(column=column, values=values, missing=missing)
