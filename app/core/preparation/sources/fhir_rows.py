"""What a FHIR resource says about a patient, as rows: one for each coding of what was observed, done or given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from app.core.preparation.sources.fhir_elements import (
    LITERAL,
    Coding,
    Element,
    Note,
    Time,
    Value,
    WrongShape,
    coding,
    codings,
    quantity_of,
    target,
    value_of,
    when,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a resource type says what, when, about whom and on which visit; ``medication`` stands for medication[x]."""

    code: str
    times: tuple[str, ...]
    ends: tuple[str, ...] = ()
    subject: str = "subject"
    encounter: str = "encounter"


def _choices(name: str, *more: str) -> tuple[str, ...]:
    kinds = ("DateTime", "Period", "Instant", "Timing", "Age", "String")
    return (*(name + kind for kind in kinds), *more)


KINDS: Mapping[str, Kind] = {
    "AllergyIntolerance": Kind("code", _choices("onset", "recordedDate"), subject="patient"),
    "Condition": Kind("code", _choices("onset", "recordedDate"), _choices("abatement")),
    "DiagnosticReport": Kind("code", _choices("effective", "issued")),
    "Encounter": Kind("type", ("period",), encounter="partOf"),
    "Immunization": Kind("vaccineCode", _choices("occurrence", "recorded"), subject="patient"),
    "MedicationAdministration": Kind("medication", _choices("effective"), encounter="context"),
    "MedicationDispense": Kind("medication", ("whenHandedOver", "whenPrepared"), encounter="context"),
    "MedicationRequest": Kind("medication", ("authoredOn",)),
    "MedicationStatement": Kind("medication", _choices("effective", "dateAsserted"), encounter="context"),
    "Observation": Kind("code", _choices("effective", "issued")),
    "Procedure": Kind("code", _choices("performed")),
}
"""The resource types that are read, besides Patient and Medication."""
DID_NOT_HAPPEN = frozenset(
    {"cancelled", "declined", "draft", "intended", "not-done", "not-taken", "planned", "preparation", "refuted"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table ``observations``, before references are followed."""

    patient: str | None
    """The reference, as :func:`target` makes it."""
    coding: Coding
    medication: str | None
    """A reference to a Medication whose codes stand for this row's."""
    time: Time
    value: Value
    encounter: str | None
    kind: str
    category: str | None
    status: str | None
    interpretation: str | None = None
    absent: str | None = None
    panel: str | None = None


def left_out(element: Element) -> str | None:
    """Return the key of the reason for which a resource says nothing about its patient, None if it does."""
    if "modifierExtension" in element or "implicitRules" in element:
        return "clinical.modified_meaning"
    states = {element.text("status")} if element.path != "Patient" else set()
    if isinstance(element.get("verificationStatus"), dict):
        states |= {each.code for each in codings(element.at("verificationStatus"))}
    if "entered-in-error" in states:
        return "clinical.entered_in_error"
    if states & DID_NOT_HAPPEN or element.text("doNotPerform") == "true":
        return "clinical.did_not_happen"
    return None


def rows(element: Element, note: Note, about: str | None = None) -> Iterator[Row]:
    """Yield the rows of a resource of one of :data:`KINDS`; ``about`` is the patient of the resource it is inside of.

    Raises WrongShape.
    """
    kind = KINDS[element.path]
    patient = target(element.at(kind.subject).text("reference")) or about
    if patient is None or patient.startswith("#") or (LITERAL.fullmatch(patient) and patient[:8] != "Patient/"):
        note("clinical.no_patient", f"{element.path}.{kind.subject}", patient)
        return
    concepts, medication = _concepts(element, kind)
    found = [each for concept in concepts for each in codings(concept)]
    if element.path == "Encounter" and (encounter_class := element.at("class")):
        found.append(coding(encounter_class))
    if not found and medication is None:
        note("clinical.no_code", f"{element.path}.{kind.code}", None)
        return
    states = [element.text("status"), *(each.code for each in _codes(element, "clinicalStatus"))]
    row = Row(
        patient=patient,
        coding=Coding(None),
        medication=medication,
        time=_time(element, kind, note),
        value=_value(element, note),
        encounter=target(element.at(kind.encounter).text("reference")),
        kind=element.path,
        category=_joined(_codes(element, "category")),
        status=next(filter(None, states), None),
        interpretation=_joined(_codes(element, "interpretation")),
        absent=_joined(_codes(element, "dataAbsentReason")),
    )
    if row.time.time is None and row.time.time_written is not None:
        note("clinical.inexact_date", f"{element.path}.{kind.times[0]}", row.time.time_written)
    if row.value.operator is not None:
        note("clinical.bound", f"{element.path}.valueQuantity", row.value.value_text)
    for each in found or [Coding(None)]:
        yield replace(row, coding=each)
    for component in element.all("component"):
        yield from _component(component, row, found[0].code if found else None, note)


def _component(component: Element, row: Row, panel: str | None, note: Note) -> Iterator[Row]:
    found = codings(component.at("code"))
    if not found:
        note("clinical.no_code", f"{component.path}.code", None)
    value, absent = _value(component, note), _joined(_codes(component, "dataAbsentReason"))
    interpretation = _joined(_codes(component, "interpretation"))
    if value.operator is not None:
        note("clinical.bound", f"{component.path}.valueQuantity", value.value_text)
    for each in found:
        yield replace(row, coding=each, value=value, interpretation=interpretation, absent=absent, panel=panel)


def _concepts(element: Element, kind: Kind) -> tuple[list[Element], str | None]:
    """Return the CodeableConcepts that say what this is, or a reference to the Medication that has them."""
    if kind.code != "medication":
        return element.either(kind.code), None
    if concept := element.at("medicationCodeableConcept"):
        return [concept], None
    reference = element.at("medicationReference").text("reference")
    if reference is None or not reference.startswith("#"):
        return [], target(reference)
    return [each.at("code") for each in element.all("contained") if each.text("id") == reference[1:]], None


def _time(element: Element, kind: Kind, note: Note) -> Time:
    try:
        found = when(element, kind.times)
        return found if found.end or not kind.ends else replace(found, end=when(element, kind.ends).time)
    except WrongShape as error:
        note("clinical.wrong_value", error.path, error.found)
        return Time()


def _value(element: Element, note: Note) -> Value:
    try:
        if element.path == "MedicationAdministration":
            return quantity_of(element.at("dosage").at("dose"))
        return value_of(element, note)
    except WrongShape as error:
        note("clinical.wrong_value", error.path, error.found)
        return Value()


def _codes(element: Element, name: str) -> list[Coding]:
    return [each for concept in element.either(name) for each in codings(concept)]


def _joined(found: list[Coding]) -> str | None:
    return " ".join(dict.fromkeys(each.code for each in found if each.code)) or None
