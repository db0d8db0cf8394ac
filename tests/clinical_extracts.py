"""One invented cohort, written as OMOP, i2b2, FHIR and cBioPortal would have it: the same truth in every format.

``people(n, seed)`` draws the cohort; ``write_*`` write it. Both stream, so that extracts of any size can be made::

    write_i2b2(folder, people(1_000_000, labs=8))
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

DIAGNOSES = {  # ICD-10: OMOP concept, SNOMED CT code, name
    "C43": ("141232", "372244006", "Malignant melanoma"),
    "C50": ("4112853", "254837009", "Malignant neoplasm of breast"),
    "E11": ("201826", "44054006", "Type 2 diabetes mellitus"),
    "I10": ("320128", "59621000", "Essential hypertension"),
}
LABS = {  # LOINC: OMOP concept, name, unit, OMOP concept of the unit, mean
    "2160-0": ("3016723", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "8840", 1.1),
    "718-7": ("3000963", "Hemoglobin [Mass/volume] in Blood", "g/dL", "8713", 13.5),
}
DRUGS = {  # ATC: OMOP concept, RxNorm code, name
    "A10BA02": ("1503297", "6809", "metformin"),
    "L01FF02": ("45775965", "1547545", "pembrolizumab"),
}
_FIRST = date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist: what was found, given and measured on which day."""

    number: int
    sex: str
    born: date
    died: date | None
    diagnoses: tuple[tuple[str, date], ...]
    drugs: tuple[tuple[str, date], ...]
    labs: tuple[tuple[str, date, str], ...]


def people(count: int, seed: int = 1, labs: int = 3) -> Iterator[Person]:
    """Draw ``count`` people with up to twice ``labs`` measurements each."""
    source = random.Random(seed)
    for number in range(1, count + 1):
        yield Person(
            number,
            source.choice(("female", "male")),
            date(1930, 1, 1) + timedelta(days=source.randrange(25_000)),
            _day(source) + timedelta(days=3_000) if source.random() < 0.1 else None,
            tuple((code, _day(source)) for code in DIAGNOSES if source.random() < 0.3),
            tuple((code, _day(source)) for code in DRUGS for _ in range(source.randrange(3))),
            tuple(
                (code, _day(source), f"{max(source.gauss(LABS[code][4], 0.3), 0.1):.2f}")
                for code in source.choices(tuple(LABS), k=source.randrange(2 * labs + 1))
            ),
        )


def _day(source: random.Random) -> date:
    return _FIRST + timedelta(days=source.randrange(2_500))


def write_omop(folder: Path, cohort: Iterable[Person], *, concepts: bool = True) -> None:
    """Write the folder of an OMOP CDM v5.4 extract; without ``concepts`` as of a site without Athena's vocabularies."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "PERSON": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,"
        "race_concept_id,ethnicity_concept_id,person_source_value",
        "OBSERVATION_PERIOD": "observation_period_id,person_id,observation_period_start_date,"
        "observation_period_end_date,period_type_concept_id",
        "VISIT_OCCURRENCE": "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,"
        "visit_end_date,visit_end_datetime,visit_type_concept_id",
        "CONDITION_OCCURRENCE": "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,"
        "condition_start_datetime,condition_end_date,condition_type_concept_id,condition_source_value,"
        "condition_source_concept_id",
        "DRUG_EXPOSURE": "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,drug_exposure_end_date,"
        "drug_type_concept_id,quantity,drug_source_value",
        "MEASUREMENT": "measurement_id,person_id,measurement_concept_id,measurement_date,operator_concept_id,"
        "value_as_number,value_as_concept_id,unit_concept_id,unit_source_value,measurement_source_value",
        "DEATH": "person_id,death_date,death_type_concept_id,cause_concept_id",
    }
    with _Tables(folder, tables, ".csv") as files:
        for person in cohort:
            _write_omop_person(files, person)
    if concepts:
        with open(folder / "CONCEPT.csv", "w", encoding="utf-8", newline="") as file:  # as Athena writes it
            file.write(
                "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\n"
            )
            for row in _omop_concepts():
                file.write("\t".join(row) + "\n")


def _write_omop_person(files: _Tables, person: Person) -> None:
    number, born = person.number, person.born
    sex = "8532" if person.sex == "female" else "8507"
    files.write("PERSON", number, sex, born.year, born.month, born.day, "", 0, 0, f"MRN{number:08}")
    days = sorted(each[1] for each in (*person.diagnoses, *person.drugs, *person.labs))
    if days:
        files.write("OBSERVATION_PERIOD", number, number, days[0], days[-1], 44814724)
        files.write(
            "VISIT_OCCURRENCE",
            number,
            number,
            9202,
            days[0],
            f"{days[0]} 08:30:00",
            days[0],
            f"{days[0]} 09:00:00",
            44818518,
        )
    for code, day in person.diagnoses:
        concept = DIAGNOSES[code][0]
        files.write("CONDITION_OCCURRENCE", files.next(), number, concept, day, f"{day} 00:00:00", "", 32817, code, 0)
    for code, day in person.drugs:
        files.write(
            "DRUG_EXPOSURE", files.next(), number, DRUGS[code][0], day, day + timedelta(days=30), 32817, 30, code
        )
    for code, day, value in person.labs:
        concept, _, unit, unit_concept, _ = LABS[code]
        files.write("MEASUREMENT", files.next(), number, concept, day, 4172703, value, "", unit_concept, unit, code)
    if person.died:
        files.write("DEATH", number, person.died, 32817, 0)


def _omop_concepts() -> Iterator[tuple[str, ...]]:
    for concept, code, name in DIAGNOSES.values():
        yield concept, name, "Condition", "SNOMED", "Disorder", "S", code
    for concept, code, name in DRUGS.values():
        yield concept, name, "Drug", "RxNorm", "Ingredient", "S", code
    for loinc, (concept, name, unit, unit_concept, _) in LABS.items():
        yield concept, name, "Measurement", "LOINC", "Lab Test", "S", loinc
        yield unit_concept, unit, "Unit", "UCUM", "Unit", "S", unit
    yield "9202", "Outpatient Visit", "Visit", "Visit", "Visit", "S", "OP"
    yield "32817", 'Said "EHR"', "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976890"


def write_i2b2(folder: Path, cohort: Iterable[Person]) -> None:
    """Write an i2b2 star schema as quoted CSV with ``\\N`` for NULL."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "patient_dimension": "patient_num,vital_status_cd,birth_date,death_date,sex_cd,age_in_years_num,race_cd,zip_cd",
        "visit_dimension": "encounter_num,patient_num,active_status_cd,start_date,end_date,inout_cd",
        "observation_fact": "encounter_num,patient_num,concept_cd,provider_id,start_date,modifier_cd,instance_num,"
        "valtype_cd,tval_char,nval_num,valueflag_cd,quantity_num,units_cd,end_date,location_cd,confidence_num",
        "concept_dimension": "concept_path,concept_cd,name_char",
        "modifier_dimension": "modifier_path,modifier_cd,name_char",
    }
    with _Tables(folder, tables, ".csv", quoted=True) as files:
        for path, code, name in i2b2_concepts():
            files.write("concept_dimension", path, code, name)
        files.write("modifier_dimension", "\\Modifiers\\Dose\\", "DOSE", "Dose")
        for person in cohort:
            _write_i2b2_person(files, person)


def i2b2_concepts() -> Iterator[tuple[str, str, str]]:
    """The ontology: path, code, name."""
    for code, (_, _, name) in DIAGNOSES.items():
        chapter = {"C": "Neoplasms", "E": "Endocrine", "I": "Circulatory"}[code[0]]
        yield f"\\i2b2\\Diagnoses\\{chapter}\\{code}\\", f"ICD10:{code}", name
    yield "\\i2b2\\Favourites\\Melanoma\\", "ICD10:C43", "Malignant melanoma"
    for code, (_, _, name) in DRUGS.items():
        yield f"\\i2b2\\Medications\\{code[0]}\\{code}\\", f"ATC:{code}", name
    for code, (_, name, _, _, _) in LABS.items():
        yield f"\\i2b2\\Labs\\{code}\\", f"LOINC:{code}", name


def _write_i2b2_person(files: _Tables, person: Person) -> None:
    number, died = person.number, person.died
    born = f"{person.born} 00:00:00"
    death = f"{died} 00:00:00" if died else None
    files.write("patient_dimension", number, "Y" if died else "N", born, death, person.sex[0].upper(), None, None, None)
    for code, day in person.diagnoses:
        visit = files.next()
        files.write("visit_dimension", visit, number, "A", f"{day} 00:00:00", f"{day} 00:00:00", "O")
        _fact(files, visit, number, f"ICD10:{code}", day, "@")
    for code, day in person.drugs:
        visit = files.next()
        _fact(files, visit, number, f"ATC:{code}", day, "@")
        _fact(files, visit, number, f"ATC:{code}", day, "DOSE", "N", "E", "500.00000", "mg")
    for code, day, value in person.labs:
        _fact(files, files.next(), number, f"LOINC:{code}", day, "@", "N", "E", value, LABS[code][2])


def _fact(files: _Tables, visit: int, number: int, code: str, day: date, modifier: str, *value: str) -> None:
    kind, operator, amount, unit = value or ("@", None, None, None)
    moment = f"{day} 00:00:00"
    files.write(
        *("observation_fact", visit, number, code, "@", moment, modifier, 1, kind, operator, amount),
        *("@", None, unit, moment, "@", None),
    )


class _Tables:
    """CSV files that are open side by side, and a number that never comes twice."""

    def __init__(self, folder: Path, headers: dict[str, str], suffix: str, *, quoted: bool = False) -> None:
        self._quoted, self._number = quoted, 0
        self._files = {name: open(folder / f"{name}{suffix}", "w", encoding="utf-8", newline="") for name in headers}  # noqa: SIM115
        quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
        self._writers = {
            name: csv.writer(file, quoting=quoting, lineterminator="\n") for name, file in self._files.items()
        }
        for name, header in headers.items():
            self._writers[name].writerow(header.split(","))

    def write(self, table: str, *values: object) -> None:
        """Write a row; None is NULL."""
        self._writers[table].writerow(["\\N" if value is None else value for value in values])

    def next(self) -> int:
        """Return the next number."""
        self._number += 1
        return self._number

    def __enter__(self) -> _Tables:
        return self

    def __exit__(self, *_exception: object) -> None:
        for file in self._files.values():
            file.close()


def fhir_resources(cohort: Iterable[Person]) -> Iterator[dict[str, Any]]:
    """The cohort as FHIR resources, each patient's after the patient, with names that must never be staged."""
    for person in cohort:
        patient = f"p{person.number}"
        about = {"subject": {"reference": f"Patient/{patient}"}}
        died = {"deceasedDateTime": person.died.isoformat()} if person.died else {}
        yield {
            "resourceType": "Patient",
            "id": patient,
            "name": [{"family": "Muster", "given": ["Erika"]}],
            "identifier": [{"system": "urn:oid:2.16.756.5.32", "value": "756.9217.0769.85"}],
            "gender": person.sex,
            "birthDate": person.born.isoformat(),
            **died,
        }
        number = 0
        for code, day in person.diagnoses:
            number += 1
            _, snomed, name = DIAGNOSES[code]
            both = [
                {"system": "http://hl7.org/fhir/sid/icd-10", "code": code, "display": name},
                {"system": "http://snomed.info/sct", "code": snomed, "display": name},
            ]
            yield {
                "resourceType": "Condition",
                "id": f"{patient}-c{number}",
                "verificationStatus": {"coding": [{"code": "confirmed"}]},
                "code": {"coding": both},
                **about,
                "onsetDateTime": day.isoformat(),
            }
        for code, day in person.drugs:
            number += 1
            concept = {"coding": [{"system": "http://www.whocc.no/atc", "code": code, "display": DRUGS[code][2]}]}
            yield {
                "resourceType": "MedicationRequest",
                "id": f"{patient}-m{number}",
                "status": "active",
                "intent": "order",
                "medicationCodeableConcept": concept,
                **about,
                "authoredOn": day.isoformat(),
            }
        for code, day, value in person.labs:
            number += 1
            _, name, unit, _, _ = LABS[code]
            quantity = {"value": float(value), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
            yield {
                "resourceType": "Observation",
                "id": f"{patient}-o{number}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}]},
                **about,
                "effectiveDateTime": f"{day}T08:15:00+01:00",
                "valueQuantity": quantity,
            }


def write_bundle(path: Path, cohort: Iterable[Person], *, urns: bool = False) -> None:
    """Write the cohort as one Bundle; with ``urns`` patients are referred to as urn:uuid and have no id."""
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"resourceType": "Bundle", "type": "collection", "entry": [')
        for number, resource in enumerate(fhir_resources(cohort)):
            entry: dict[str, Any] = {"fullUrl": f"http://fhir.example/r4/{resource['resourceType']}/{resource['id']}"}
            if urns and resource["resourceType"] == "Patient":
                entry["fullUrl"] = f"urn:uuid:{resource.pop('id')}"
            elif urns:
                patient = resource["subject"]["reference"].removeprefix("Patient/")
                resource["subject"] = {"reference": f"urn:uuid:{patient}"}
            entry["resource"] = resource
            file.write((",\n" if number else "\n") + json.dumps(entry))
        file.write("]}\n")


def write_bulk(folder: Path, cohort: Iterable[Person]) -> None:
    """Write the cohort as a bulk export: one NDJSON file a resource type."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("Patient", "Condition", "MedicationRequest", "Observation")
    files = {kind: open(folder / f"{kind}.ndjson", "w", encoding="utf-8") for kind in kinds}  # noqa: SIM115
    for resource in fhir_resources(cohort):
        files[resource["resourceType"]].write(json.dumps(resource) + "\n")
    for file in files.values():
        file.close()


GENES = {
    "BRAF": ("7", "140453136", "A", "T", "c.1799T>A", "p.V600E"),
    "NRAS": ("1", "115256529", "T", "C", "c.182A>G", "p.Q61R"),
}


def write_cbioportal(folder: Path, cohort: Sequence[Person]) -> None:
    """Write a cBioPortal study: every diagnosis of C43 has a sample, every second sample a mutation."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = {
        "meta_study.txt": "cancer_study_identifier: mel_test\nname: Melanoma (test)\n",
        "meta_clinical_patient.txt": "genetic_alteration_type: CLINICAL\ndatatype: PATIENT_ATTRIBUTES\n"
        "data_filename: data_clinical_patient.txt\n",
        "meta_clinical_sample.txt": "genetic_alteration_type: CLINICAL\ndatatype: SAMPLE_ATTRIBUTES\n"
        "data_filename: data_clinical_sample.txt\n",
        "meta_mutations.txt": "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\n"
        "data_filename: data_mutations.txt\n",
    }
    for name, text in meta.items():
        (folder / name).write_text(
            f"cancer_study_identifier: mel_test\n{text}" if "study" not in name else text, "utf-8"
        )
    patients = [
        "#Patient Identifier\tSex\tDiagnosis Age\tOverall Survival (Months)\tOverall Survival Status",
        "#Identifier of the patient\tSex\tAge at diagnosis\tMonths\tStatus",
        "#STRING\tSTRING\tNUMBER\tNUMBER\tSTRING",
        "#1\t1\t1\t1\t1",
        "PATIENT_ID\tSEX\tAGE\tOS_MONTHS\tOS_STATUS",
    ]
    samples = [
        "#Sample Identifier\tPatient Identifier\tCancer Type",
        "#Sample\tPatient\tType",
        "#STRING\tSTRING\tSTRING",
        "#1\t1\t1",
        "SAMPLE_ID\tPATIENT_ID\tCANCER_TYPE",
    ]
    mutations = [
        "#version 2.4",
        "Hugo_Symbol\tEntrez_Gene_Id\tChromosome\tStart_Position\tEnd_Position\tVariant_Classification\tReference_Allele\t"
        "Tumor_Seq_Allele1\tTumor_Seq_Allele2\tTumor_Sample_Barcode\tHGVSc\tHGVSp_Short",
    ]
    for person in cohort:
        status = "1:DECEASED" if person.died else "0:LIVING"
        patients.append(
            f"P-{person.number}\t{person.sex.title()}\t{2020 - person.born.year}\t{person.number % 60}.5\t{status}"
        )
        if any(code == "C43" for code, _ in person.diagnoses):
            samples.append(f"S-{person.number}\tP-{person.number}\tMelanoma")
            gene = ("BRAF", "NRAS")[person.number % 2]
            chromosome, place, before, after, coding, protein = GENES[gene]
            mutations.append(
                f"{gene}\t673\t{chromosome}\t{place}\t{place}\tMissense_Mutation\t{before}\t{before}\t{after}\t"
                f"S-{person.number}\tENST00000288602.6:{coding}\t{protein}"
            )
    for name, lines in (("clinical_patient", patients), ("clinical_sample", samples), ("mutations", mutations)):
        (folder / f"data_{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
