"""cBioPortal: headers of five lines, samples followed to patients, alternatives as the MAF format says."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.preparation.sources.source import Format
from tests.clinical_extracts import GENES, people, write_cbioportal
from tests.clinical_staging import staging

MAF = (
    "Hugo_Symbol\tChromosome\tStart_Position\tEnd_Position\tVariant_Classification\tReference_Allele\t"
    "Tumor_Seq_Allele1\tTumor_Seq_Allele2\tTumor_Sample_Barcode\tHGVSc\tHGVSp_Short\tMutation_Status"
)
SAMPLES = "SAMPLE_ID\tPATIENT_ID\nS1\tP1\nS2\tP1\n"
PATIENTS = (
    "#Patient\tMonths\n#\t\n#STRING\tNUMBER\n#1\t1\nPATIENT_ID\tOS_MONTHS\nP1\t10.5\nP2\t[Not Available]\nP2\t3\n"
)


def study(tmp_path: Path, *mutations: str, **files: str) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    texts = {"data_clinical_sample": SAMPLES, "data_clinical_patient": PATIENTS, **files}
    if mutations:
        texts["data_mutations"] = "#version 2.4\n" + "\n".join((MAF, *mutations)) + "\n"
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return folder


def test_counts_are_those_of_the_files(tmp_path: Path) -> None:
    cohort = list(people(100))
    write_cbioportal(tmp_path / "study", cohort)
    maf = (tmp_path / "study" / "data_mutations.txt").read_text("utf-8").splitlines()[2:]
    with staging(Format.CBIOPORTAL, tmp_path / "study") as look:
        assert look.tables["patients"].rows == 100
        assert look.tables["patients"].patient == look.tables["samples"].patient == "PATIENT_ID"
        melanoma = [person for person in cohort if any(code == "C43" for code, _ in person.diagnoses)]
        assert look.tables["samples"].rows == len(melanoma)
        for gene, (chromosome, place, before, after, coding, protein) in GENES.items():
            having = {line.split("\t")[9].replace("S-", "P-") for line in maf if line.startswith(gene)}
            codes = (
                gene,
                f"ENST00000288602.6:{coding}",
                f"{gene}:{protein}",
                f"{chromosome}:g.{place}{before}>{after}",
            )
            for code in codes:
                found = look.engine.execute("SELECT patient FROM src.observations WHERE code = ?", [code]).fetchall()
                assert {row[0] for row in found} == having
                assert len(found) == len(having)
        dead = look.one("SELECT count(*) FROM src.patients WHERE OS_STATUS = '1:DECEASED'")
        assert dead == sum(person.died is not None for person in cohort)
        labels = {column.name: column.label for column in look.tables["patients"].columns}
        assert labels["OS_MONTHS"] == "Overall Survival (Months)"
        assert look.problems() == {}


def test_alternatives(tmp_path: Path) -> None:
    folder = study(
        tmp_path,
        "G1\t1\t10\t10\tMissense_Mutation\tA\tA\tT\tS1\tc.1A>T\tp.K1N\t",
        "G2\t1\t20\t20\tMissense_Mutation\tA\tC\tT\tS1\t\t\t",
        "G3\t1\t30\t30\tMissense_Mutation\tA\tT\tT\tS1\t\t\t",
        "G4\t1\t40\t42\tFrame_Shift_Del\tACG\tACG\t-\tS1\t\t\t",
        "G5\t1\t50\t51\tFrame_Shift_Ins\t-\t-\tAC\tS1\t\t\t",
        "G6\t1\t60\t61\tMissense_Mutation\tAC\tAC\tGT\tS2\t\t\t",
        "G7\t1\t70\t70\tSilent\tA\tA\tA\tS1\t\t\t",
        "G8\t1\t80\t80\tSilent\tA\tC\tA\tS1\t\t\t",
        "G9\t1\t90\t90\tMissense_Mutation\tA\tA\tC\tS1\t\t\tWildtype",
        "G10\t1\t90\t90\tMissense_Mutation\tA\tA\tC\tS9\t\t\t",
        "G11\t1\t95\t95\tMissense_Mutation\tA\tA\t\tS1\t\t\tSomatic",
    )
    with staging(Format.CBIOPORTAL, folder) as look:
        rows = look.rows("SELECT _row, code, system, patient FROM src.observations ORDER BY _row, type, code")
        assert rows == [
            (3, "G1:c.1A>T", "HGVS", "P1"),
            (3, "G1", "HGNC", "P1"),
            (3, "1:g.10A>T", "HGVS", "P1"),
            (3, "G1:p.K1N", "HGVS", "P1"),
            (4, "G2", "HGNC", "P1"),
            (4, "1:g.20A>C", "HGVS", "P1"),
            (4, "1:g.20A>T", "HGVS", "P1"),
            (5, "G3", "HGNC", "P1"),
            (5, "1:g.30A>T", "HGVS", "P1"),
            (6, "G4", "HGNC", "P1"),
            (6, "1:g.40_42del", "HGVS", "P1"),
            (7, "G5", "HGNC", "P1"),
            (7, "1:g.50_51insAC", "HGVS", "P1"),
            (8, "G6", "HGNC", "P1"),
            (8, "1:g.60_61delinsGT", "HGVS", "P1"),
            (10, "G8", "HGNC", "P1"),
            (10, "1:g.80A>C", "HGVS", "P1"),
            (13, "G11", "HGNC", "P1"),
        ]
        assert look.rows("SELECT _row, PATIENT_ID, OS_MONTHS FROM src.patients") == [(6, "P1", "10.5"), (7, "P2", None)]
        assert look.problems() == {"no_alternative": 1, "no_mutation": 1, "unknown_sample": 1, "patient_again": 1}


def test_quotation_marks_are_text_and_rows_are_those_of_the_file(tmp_path: Path) -> None:
    text = '#a\tb\n#\t\n#\t\n#\t\nPATIENT_ID\tNOTE\nP1\tthe "old" one\nP2\ta\tb\nP3\t"\n'
    with staging(Format.CBIOPORTAL, study(tmp_path, data_clinical_patient=text)) as look:
        assert look.rows("SELECT _row, * EXCLUDE (_row, _file) FROM src.patients") == [
            (6, "P1", 'the "old" one'),
            (8, "P3", '"'),
        ]
        assert [(each.code, each.file, each.row) for each in look.engine.problems] == [
            ("sources.ragged_row", "data_clinical_patient.txt", 7)
        ]


def test_meta_files_say_what_files_are_and_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("PATIENT_ID\tX\nSECRET\t1\n", "utf-8")
    maf = f"{MAF}\nG1\t1\t10\t10\tX\tA\tA\tT\tS1\t\t\t\n"
    folder = study(tmp_path, calls=maf, data_cna="x\ty\n")
    (folder / "meta_calls.txt").write_text(
        "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: calls.txt\n", "utf-8"
    )
    (folder / "meta_evil.txt").write_text(
        "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: ../outside.txt\n", "utf-8"
    )
    with staging(Format.CBIOPORTAL, folder) as look:
        assert look.one("SELECT count(*) FROM src.observations") == 2
        assert [each.file for each in look.engine.problems if each.code == "clinical.file_not_read"] == ["data_cna.txt"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"data_clinical_patient": "#a\n#b\n"}, "sources.empty_file"),
        ({"data_clinical_patient": "ID\tX\n1\t2\n"}, "clinical.missing_column"),
        ({"data_clinical_sample": "SAMPLE_ID\tX\n1\t2\n"}, "clinical.missing_column"),
        ({"data_mutations": "Hugo_Symbol\tX\n1\t2\n"}, "clinical.missing_column"),
    ],
)
def test_a_study_that_is_none_is_refused(tmp_path: Path, files: dict[str, str], code: str) -> None:
    with pytest.raises(UserError) as caught, staging(Format.CBIOPORTAL, study(tmp_path, **files)):
        pass
    assert caught.value.code == code
    assert caught.value.params["file"] in {f"{name}.txt" for name in files}
