"""Checking a catalogue file: every mistake with its line, and what is possible but probably not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from app.core.catalogue import units, vocabularies
from app.core.catalogue.assembling import MOST, Finding, assemble, mistake, placed
from app.core.catalogue.file import read_catalogue_bytes, read_toml
from app.core.catalogue.lines import Lines
from app.core.catalogue.model import Catalogue, Group, Kind, Label, Variable
from app.core.catalogue.numbers import decimal_text
from app.core.errors import ConsiliumError, UserError
from app.core.jobs.job import Job

_AT_LINE = re.compile(r"\(at line ([0-9]+), column [0-9]+\)")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a catalogue file; the catalogue is None if there are errors."""

    catalogue: Catalogue | None
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def check_file(path: Path, job: Job | None = None) -> Checked:
    """Check a catalogue file. Raises EnvironmentProblem ``file.*`` only."""
    data, name = read_catalogue_bytes(path), path.name
    try:
        plain = read_toml(data, name)
    except UserError as error:
        return Checked(None, (Finding(error, _line_of(error, data)),))
    lines = Lines(data.decode("utf-8"))
    found = assemble(plain, name, lines.locate)
    if found.catalogue is None:
        return Checked(None, found.errors)
    places = {each.code: ("variable", place) for place, each in enumerate(found.catalogue)}
    places |= {each.code: ("group", place) for place, each in enumerate(found.catalogue.groups)}
    warnings = []
    for each in warnings_of(found.catalogue, job or Job()):
        kind, place = places.get(str(each.params["variable"]), ("", 0))
        warnings.append(Finding(placed(each, name), lines.locate(kind, place, str(each.params["field"]))))
    return Checked(found.catalogue, (), tuple(warnings[:MOST]))


def _line_of(error: UserError, data: bytes) -> int | None:
    """Return the line at which a file is no TOML."""
    if isinstance(position := error.params.get("position"), int):
        return data.count(b"\n", 0, position) + 1
    found = _AT_LINE.search(str(error.params.get("reason", "")))
    return int(found[1]) if found else None


def warnings_of(catalogue: Catalogue, job: Job) -> Iterator[UserError]:
    """Yield what is possible and probably not meant, as errors that nobody raises."""
    yield from _untranslated(catalogue)
    for variable in catalogue:
        yield from _out_of_range(variable)
        if variable.unit is not None and not units.known(variable.unit):
            yield mistake("unit_not_ucum", variable.code, "unit", found=variable.unit)
    yield from _out_of_reach(catalogue)
    yield from _unknown_codes(catalogue, job)


def _untranslated(catalogue: Catalogue) -> Iterator[UserError]:
    """Yield labels that lack a language which others have: the first of each variable or group."""
    nodes: tuple[Group | Variable, ...] = (*catalogue.groups, *catalogue.variables)
    labels = [(node.code, list(_labels(node))) for node in nodes]
    spoken = {language for _, found in labels for _, label in found for language in label.parts()}
    for code, found in labels:
        lacking = [(field, sorted(spoken - label.parts().keys())) for field, label in found]
        if missing := [(field, languages) for field, languages in lacking if languages]:
            field, languages = missing[0]
            count = len(missing)
            yield mistake("not_translated", code, field, languages=", ".join(languages), count=count)


def _labels(node: Group | Variable) -> Iterator[tuple[str, Label]]:
    yield "label", node.label
    if isinstance(node, Variable):
        if node.description is not None:
            yield "description", node.description
        if node.unit_label is not None:
            yield "unit_label", node.unit_label
        for position, level in enumerate(node.levels, start=1):
            yield f"levels[{position}].label", level.label


def _out_of_range(variable: Variable) -> Iterator[UserError]:
    """Yield a cut point that every value or none reaches."""
    low, high = variable.minimum, variable.maximum
    for cut in variable.cut_points:
        if (low is not None and cut <= low) or (high is not None and cut > high):
            yield mistake("cut_out_of_range", variable.code, "cut_points", found=decimal_text(cut))


def _out_of_reach(catalogue: Catalogue) -> Iterator[UserError]:
    """Yield groups and roll-ups with nothing below them, and variables beside all trees where there are trees."""
    for group in catalogue.groups:
        if not catalogue.children(group.code):
            yield mistake("empty_group", group.code, "code")
    roots = [each for each in catalogue if not each.parents and not catalogue.children(each.code)]
    if catalogue.groups and roots:
        yield mistake("beside_the_trees", roots[0].code, "code", count=len(roots))
    for variable in catalogue:
        if variable.rollup and not catalogue.rolled_up(variable.code):
            yield mistake("empty_rollup", variable.code, "rollup")
        elif variable.kind is Kind.FLAG and not variable.rollup and catalogue.rolled_up(variable.code):
            yield mistake("not_rolled_up", variable.code, "code")


def _unknown_codes(catalogue: Catalogue, job: Job) -> Iterator[UserError]:
    """Yield codes that their vocabularies do not have; of a vocabulary that is not here, say that once."""
    coded: dict[str, list[Variable]] = {}
    for variable in catalogue:
        if variable.system is not None and variable.system_code is not None:
            coded.setdefault(variable.system, []).append(variable)
    for system, variables in coded.items():
        with ExitStack() as stack:
            try:
                vocabulary = stack.enter_context(vocabularies.opened(system, job))
            except ConsiliumError as error:
                if not error.code.startswith("vocabularies."):
                    raise
                yield mistake("codes_not_checked", variables[0].code, "system", system=system)
                continue
            for variable in variables:
                if vocabulary.find(variable.system_code or "") is None:
                    found = variable.system_code
                    yield mistake("code_not_in_system", variable.code, "system_code", found=found, system=system)
