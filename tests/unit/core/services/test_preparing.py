"""Preparing as a service: cancelled at any step it leaves nothing in the clear; it goes on, or begins anew."""

import shutil
from pathlib import Path

import pytest

from app.core.catalogue.file import load_catalogue
from app.core.crypto.passphrase import Argon2Cost, passphrase_from_text
from app.core.crypto.vault import PassphraseFile
from app.core.errors import EnvironmentProblem, UserError
from app.core.federation.public_file import save_public_file
from app.core.jobs.job import Cancelled, Job, Progress
from app.core.paths import preparation_place, resource
from app.core.preparation.mapping_changes import seen_path
from app.core.services.drafting import draft
from app.core.services.preparing import Prepared, check, prepare
from tests.federations import two_sites


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    place = tmp_path / "hospital"
    shutil.copytree(resource("examples"), place)
    federation, profiles = two_sites(tmp_path, load_catalogue(place / "catalogue.toml"), names=("Riverside", "B"))
    for profile in profiles:
        profile.close()
    save_public_file(federation, place / "federation.public")
    return place


def sealed(place: Path, *, restart: bool = False, job: Job | None = None) -> Prepared:
    key = PassphraseFile(place / "key", passphrase_from_text("a test" * 3), Argon2Cost(64, 1, 1))
    return prepare(
        place / "federation.public",
        place / "mapping.toml",
        place / "a.consilium",
        secrets=lambda: key,
        restart=restart,
        workers=1,
        job=job,
    )


def stopping_at(step: str) -> Job:
    """A job that is cancelled when a step begins."""

    def report(progress: Progress) -> None:
        if progress.step == step:
            job.cancel.cancel()

    job = Job(report)
    return job


def left_in_the_clear() -> list[Path]:
    place = preparation_place()
    return list(place.iterdir()) if place.exists() else []


def test_what_was_sealed_serves_again_unless_the_input_changed_or_a_restart_is_wanted(hospital: Path) -> None:
    before = left_in_the_clear()
    with pytest.raises(Cancelled):
        sealed(hospital, job=stopping_at("data.step.sealing"))
    assert not (hospital / "a.consilium").exists()
    assert left_in_the_clear() == before
    text = (hospital / "mapping.toml").read_text("utf-8").replace('m = "male"', 'm = "female"')
    (hospital / "mapping.toml").write_text(text, "utf-8")
    with pytest.raises(UserError, match="prepare.input_changed"):
        sealed(hospital)
    done = sealed(hospital, restart=True)
    assert done.checked.table.patients == 160
    assert {path.name for path in hospital.iterdir() if path.name.startswith(".")} == set()
    assert seen_path(hospital / "mapping.toml").exists()


def test_sealing_that_is_cancelled_in_the_middle_ends_and_goes_on_later(hospital: Path) -> None:
    fractions: list[float] = []

    def report(progress: Progress) -> None:
        if progress.step == "data.step.sealing":
            fractions.append(progress.fraction)
            if 0 < progress.fraction < 1:
                job.cancel.cancel()

    job = Job(report)
    with pytest.raises(Cancelled):
        sealed(hospital, job=job)
    assert 0 < fractions[-1] < 1
    fractions.clear()
    sealed(hospital, job=Job(report))
    assert fractions[0] > 0


@pytest.mark.parametrize("step", ["preparing.step.identifiers", "reading.step.columns", "reading.step.values"])
def test_a_dry_run_that_is_cancelled_leaves_nothing(hospital: Path, step: str) -> None:
    before = left_in_the_clear()
    catalogue = load_catalogue(hospital / "catalogue.toml")
    with pytest.raises(Cancelled):
        check(hospital / "mapping.toml", catalogue, job=stopping_at(step))
    assert left_in_the_clear() == before


def test_a_draft_that_is_cancelled_writes_nothing(hospital: Path) -> None:
    catalogue = load_catalogue(hospital / "catalogue.toml")
    files = {"patients": (hospital / "patients.csv",)}
    with pytest.raises(Cancelled):
        draft(files, catalogue, output=hospital / "draft.toml", job=stopping_at("preparing.step.identifiers"))
    assert not (hospital / "draft.toml").exists()


def test_what_was_left_out_stays_so_next_time(hospital: Path) -> None:
    path = hospital / "mapping.toml"
    kept = path.read_text("utf-8").replace('[variables.weight]\ncolumn = "Gewicht (kg)"\nunit = "kg"\n', "")
    path.write_text(kept.replace('patients = "patients"', 'patients = "patients"\nleave_out = ["weight"]', 1), "utf-8")
    catalogue = load_catalogue(hospital / "catalogue.toml")
    found = draft({}, catalogue, base=path)
    assert found.mapping.leave_out == ("weight",)
    assert "weight" not in found.mapping.variables
    assert "weight" not in found.left_out
    suggestion = next(each for each in found.suggested.variables if each.variable == "weight")
    assert suggestion.best is None
    assert suggestion.alternatives
    assert "weight" not in check(path, catalogue).table.variables


def test_a_folder_that_is_not_there_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem) as refusal:
        prepare(tmp_path / "f", tmp_path / "m", tmp_path / "no" / "a.consilium", secrets=lambda: pytest.fail("asked"))
    assert (refusal.value.code, refusal.value.params["path"]) == ("file.not_found", str(tmp_path / "no"))
