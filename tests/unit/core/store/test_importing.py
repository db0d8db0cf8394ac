import dataclasses
import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue, Kind, Label, Variable
from app.core.errors import ConsiliumError, ProtocolViolation, UserError
from app.core.jobs.job import Cancelled, CancelToken, Job, Progress
from app.core.preparation.preparer import PreparerKey
from app.core.secret import SecretBytes
from app.core.store.documents import fingerprint, fingerprint_words
from app.core.store.importing import Expected, import_package, remove_dataset
from app.core.store.profile import Profile
from tests.packages import CATALOGUE, Maker

OTHER = hashlib.sha256(b"another").digest()
OTHER_SMOKER = Variable("smoker", Kind.NUMBER, Label("x"), cut_points=(Decimal(1),))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile.create(tmp_path / "profile", program="test", now=1) as opened:
        yield opened


def leftovers(profile: Profile) -> list[str]:
    return sorted(path.name for path in profile.dataset_directory.iterdir() if path.suffix != ".consilium")


def test_versions_follow_each_other(maker: Maker, profile: Profile) -> None:
    first, header = maker.package(maker.table(30), "1.consilium")
    done = import_package(first, profile, maker.expected, now=2)
    assert (done.already, done.pinned, done.dataset.version, done.dataset.active) == (False, True, 1, True)
    assert maker.counts(profile.dataset_path(header.dataset)) == [
        maker.table(30).count(column) for column in range(len(header.columns))
    ]
    again = import_package(first, profile, maker.expected, now=3)
    assert (again.already, again.pinned, again.dataset.version) == (True, False, 1)
    second, later = maker.package(maker.table(31), "2.consilium")
    assert import_package(second, profile, maker.expected, now=4).dataset.version == 2
    assert [row.active for row in profile.datasets.all()] == [False, True]
    assert profile.dataset_path(header.dataset).exists()
    remove_dataset(profile, header.dataset)
    assert [path.name for path in profile.dataset_directory.iterdir()] == [f"{later.dataset.hex()}.consilium"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"federation": OTHER}, "package.other_federation"),
        ({"transcript": OTHER}, "package.other_ceremony"),
        ({"catalogue": Catalogue("Test", 2, CATALOGUE.variables[:2])}, "package.unknown_variable"),
        (
            {"catalogue": Catalogue("Test", 2, (*CATALOGUE.variables[1:], OTHER_SMOKER))},
            "package.meaning_differs",
        ),
    ],
)
def test_what_does_not_belong_here(maker: Maker, profile: Profile, change: dict[str, object], code: str) -> None:
    package, _ = maker.package(maker.table())
    expected = dataclasses.replace(maker.expected, **change)  # type: ignore[arg-type]
    with pytest.raises(UserError) as refusal:
        import_package(package, profile, expected, now=2)
    assert refusal.value.code == code
    assert (profile.datasets.all(), profile.preparers.all(), leftovers(profile)) == ((), (), [])


def test_labels_may_differ(maker: Maker, profile: Profile) -> None:
    package, _ = maker.package(maker.table())
    relabelled = tuple(dataclasses.replace(variable, label=Label("New")) for variable in CATALOGUE)
    expected = dataclasses.replace(maker.expected, catalogue=Catalogue("Test", 2, relabelled))
    assert import_package(package, profile, expected, now=2).dataset.active


def test_only_a_known_preparer_is_believed(maker: Maker, profile: Profile) -> None:
    first, _ = maker.package(maker.table(30), "1.consilium")
    with pytest.raises(UserError, match=r"package\.other_preparer"):
        import_package(first, profile, maker.expected, now=2, preparer="00" * 16)
    import_package(first, profile, maker.expected, now=2, preparer=fingerprint(maker.preparer.public).upper())
    stranger = dataclasses.replace(maker, preparer=PreparerKey(SecretBytes(b"q" * 32)))
    second, _ = stranger.package(maker.table(31), "2.consilium")
    with pytest.raises(UserError, match=r"package\.other_preparer"):
        import_package(second, profile, maker.expected, now=3)
    assert len(profile.datasets.all()) == 1
    named = fingerprint(stranger.preparer.public).replace(" ", "")
    assert import_package(second, profile, maker.expected, now=4, preparer=named).pinned
    again = dataclasses.replace(maker, preparer=PreparerKey(SecretBytes(b"s" * 32)))
    spoken = fingerprint_words(again.preparer.public).upper().replace(" ", ", ")
    fourth, _ = again.package(maker.table(33), "4.consilium")
    assert import_package(fourth, profile, maker.expected, now=4, preparer=spoken).pinned
    third, _ = maker.package(maker.table(32), "3.consilium")
    assert not import_package(third, profile, maker.expected, now=5).pinned  # the first one stays pinned


def test_an_altered_block_leaves_nothing(maker: Maker, profile: Profile) -> None:
    package, _ = maker.package(maker.table())
    with open(package, "rb+") as file:
        data = bytearray(file.read())
        data[-70_000] ^= 1
        file.seek(0)
        file.write(data)
    with pytest.raises(ProtocolViolation, match=r"package\.(altered|damaged)"):
        import_package(package, profile, maker.expected, now=2)
    assert (profile.datasets.all(), profile.imports.all(), leftovers(profile)) == ((), (), [])


class StopAfter:
    """Cancels when the work has made so many steps."""

    def __init__(self, steps: int) -> None:
        self.cancel = CancelToken()
        self.left = steps
        self.steps: list[Progress] = []
        self.time = 0.0

    def clock(self) -> float:
        self.time += 1.0  # every step takes a second, so that every step is reported
        return self.time

    def report(self, progress: Progress) -> None:
        self.steps.append(progress)
        self.left -= 1
        if self.left == 0:
            self.cancel.cancel()

    @property
    def job(self) -> Job:
        return Job(self.report, self.cancel, self.clock)


def test_a_cancelled_import_goes_on_where_it_stopped(maker: Maker, profile: Profile) -> None:
    package, header = maker.package(maker.table())
    stop = StopAfter(8)
    with pytest.raises(Cancelled):
        import_package(package, profile, maker.expected, now=2, job=stop.job)
    assert profile.datasets.all() == ()
    assert [row.columns_done for row in profile.imports.all()] == [2]
    rest = StopAfter(10**6)
    import_package(package, profile, maker.expected, now=3, job=rest.job)
    assert rest.steps[0].fraction == pytest.approx(6 / 21)
    assert rest.steps[-1] == Progress(1.0, "data.step.importing", 0.0)
    assert maker.counts(profile.dataset_path(header.dataset))[0] == 30
    assert (profile.imports.all(), leftovers(profile)) == ((), [])


def test_a_damaged_or_lost_copy_is_begun_anew(maker: Maker, profile: Profile) -> None:
    package, header = maker.package(maker.table())
    for damage in (b"", b"garbage" * 1000, None):
        with pytest.raises(Cancelled):
            import_package(package, profile, maker.expected, now=2, job=StopAfter(8).job)
        partial = profile.partial_path(header.dataset)
        if damage is None:
            partial.unlink()
        else:
            partial.write_bytes(damage)
    import_package(package, profile, maker.expected, now=3)
    assert maker.counts(profile.dataset_path(header.dataset))[0] == 30


def test_an_abandoned_import_is_cleaned_up_by_the_next(maker: Maker, profile: Profile) -> None:
    first, _ = maker.package(maker.table(30), "1.consilium")
    second, _ = maker.package(maker.table(31), "2.consilium")
    with pytest.raises(Cancelled):
        import_package(first, profile, maker.expected, now=2, job=StopAfter(8).job)
    assert len(leftovers(profile)) >= 1
    import_package(second, profile, maker.expected, now=3)
    assert (profile.imports.all(), leftovers(profile)) == ((), [])


def test_a_disk_that_is_too_small_is_said_before(
    maker: Maker, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = maker.package(maker.table())
    monkeypatch.setattr("app.core.store.importing.shutil.disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(ConsiliumError, match=r"disk\.too_small"):
        import_package(package, profile, maker.expected, now=2)


def test_another_parameter_set(maker: Maker, profile: Profile) -> None:
    package, _ = maker.package(maker.table())
    parameters = dataclasses.replace(maker.parameters, name="other")
    expected = Expected(maker.federation, maker.transcript, maker.catalogue, parameters)
    with pytest.raises(UserError, match=r"package\.other_parameters"):
        import_package(package, profile, expected, now=2)
