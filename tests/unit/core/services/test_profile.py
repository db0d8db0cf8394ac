"""Making, opening, joining and restoring a profile; with a real Secret Service, and with a passphrase."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.catalogue.model import Catalogue
from app.core.crypto.identity import MemberKey
from app.core.crypto.os_keyring import open_keyring
from app.core.crypto.parameters import INSECURE_TEST_PARAMETERS
from app.core.crypto.passphrase import Argon2Cost, passphrase_from_text
from app.core.crypto.private_keyring import PrivateSecretService
from app.core.errors import ConsiliumError, EnvironmentProblem, ProtocolViolation, UserError
from app.core.federation.ceremony import READY
from app.core.federation.mailroom import LocalPost
from app.core.federation.public_file import save_public_file
from app.core.federation.query_session import QueryDesk
from app.core.federation.roster import Roster, Site
from app.core.secret import SecretBytes
from app.core.services import keys
from app.core.services import profile as profiles
from app.core.services.member import Member
from app.core.services.profile import OpenProfile, create_profile, open_profile
from app.core.store.settings import Settings
from tests.federation_sites import CATALOGUE, OTHER_CATALOGUE, SMOKERS, Inline, KnownNumber, ready_federation
from tests.founding import found, hold_ceremony, settle

PASSPHRASE = passphrase_from_text("correct horse battery")
CHEAP = Argon2Cost(memory=8, passes=1, lanes=1)
NO_BUS = f"unix:path={tempfile.gettempdir()}/consilium-none/no-bus"


def passphrase() -> SecretBytes:
    return PASSPHRASE


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    original = profiles.PassphraseFile
    monkeypatch.setattr(profiles, "PassphraseFile", lambda path, phrase: original(path, phrase, CHEAP))


def create(directory: Path, name: str = "North") -> OpenProfile:
    return create_profile(directory, name=name, contact="+41 21 000 00 00", passphrase=passphrase)


def reopen(directory: Path, source: Callable[[], SecretBytes] = passphrase) -> OpenProfile:
    return open_profile(directory, passphrase=source)


# --- making and opening -------------------------------------------------------------------------------------------


def test_a_profile_comes_back_as_it_was_made(tmp_path: Path) -> None:
    with create(tmp_path / "north") as made:
        root, public, id_ = made.root, made.member_public, made.profile_id
        assert MemberKey.from_root(root).public == public
        assert (made.roster, made.federation, made.federation_id, made.federation_name) == (None, None, None, "")
    with reopen(tmp_path / "north") as opened:
        assert (opened.site_name, opened.site_contact) == ("North", "+41 21 000 00 00")
        assert (opened.root, opened.member_public, opened.profile_id) == (root, public, id_)
        assert opened.secrets.kind == "passphrase-file"
        with pytest.raises(UserError, match=r"profile\.no_federation"):
            opened.local_site(Inline())


def test_two_profiles_have_nothing_in_common(tmp_path: Path) -> None:
    with create(tmp_path / "a") as one, create(tmp_path / "b") as other:
        assert one.root != other.root
        assert one.profile_id != other.profile_id


def test_the_root_lies_nowhere_in_the_clear(tmp_path: Path) -> None:
    with create(tmp_path / "north") as made:
        root = made.root.reveal()
    for path in (tmp_path / "north").rglob("*"):
        assert not path.is_file() or root not in path.read_bytes(), path


def test_the_keyring_keeps_the_root(tmp_path: Path, secret_service: PrivateSecretService) -> None:
    with create_profile(tmp_path / "north", name="North", contact="x") as made:
        assert made.secrets.kind == "secret-service"
        root = made.root
        assert open_keyring().get(made.profile_id) == root
    with open_profile(tmp_path / "north") as opened:
        assert opened.root == root
        assert keys.status(opened).keyring == "secret-service"


def test_a_missing_root_is_said_to_be_missing(tmp_path: Path, secret_service: PrivateSecretService) -> None:
    with create_profile(tmp_path / "north", name="North", contact="x") as made:
        root = made.root
        made.secrets.delete(made.profile_id)
    with open_profile(tmp_path / "north") as opened:
        assert opened.site_name == "North"  # all that needs no key still works
        with pytest.raises(EnvironmentProblem, match=r"keys\.missing"):
            _ = opened.root
        opened.secrets.put(opened.profile_id, SecretBytes(bytes(32)))
        with pytest.raises(EnvironmentProblem, match=r"keys\.not_ours"):
            _ = opened.root
        opened.secrets.put(opened.profile_id, root)
        assert opened.root == root


def test_without_a_keyring_it_says_so_and_can_be_made_later(
    tmp_path: Path, secret_service: PrivateSecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setenv("DBUS_SESSION_BUS_ADDRESS", NO_BUS)
        with pytest.raises(EnvironmentProblem, match=r"keyring\.absent"):
            create_profile(tmp_path / "north", name="North", contact="x")
    with create_profile(tmp_path / "north", name="North", contact="x") as made:
        assert made.site_name == "North"
    with monkeypatch.context() as without, open_profile(tmp_path / "north") as opened:
        without.setenv("DBUS_SESSION_BUS_ADDRESS", NO_BUS)
        with pytest.raises(EnvironmentProblem, match=r"keyring\.absent"):
            _ = opened.root
        assert opened.site_name == "North"


def test_the_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "north").close()
    monkeypatch.delenv(profiles.PASSPHRASE_VARIABLE, raising=False)
    with open_profile(tmp_path / "north") as opened, pytest.raises(EnvironmentProblem, match="passphrase_needed"):
        _ = opened.root
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery\n")
    file.chmod(0o600)
    monkeypatch.setenv(profiles.PASSPHRASE_VARIABLE, str(file))
    with open_profile(tmp_path / "north") as opened:
        assert len(opened.root) == 32


def test_the_passphrase_of_a_service_is_among_its_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "north").close()
    monkeypatch.delenv(profiles.PASSPHRASE_VARIABLE, raising=False)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv(profiles.CREDENTIALS_VARIABLE, str(credentials))
    with open_profile(tmp_path / "north") as opened, pytest.raises(EnvironmentProblem, match="passphrase_needed"):
        _ = opened.root  # a service with other credentials
    (credentials / profiles.CREDENTIAL).write_text("correct horse battery\n")
    with open_profile(tmp_path / "north") as opened:
        assert len(opened.root) == 32


def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    create(tmp_path / "north").close()
    with (
        reopen(tmp_path / "north", lambda: passphrase_from_text("another passphrase")) as opened,
        pytest.raises(UserError, match=r"passphrase\.wrong"),
    ):
        _ = opened.root


@pytest.mark.parametrize(("name", "contact"), [("", "x"), ("North", ""), ("a" * 101, "x"), ("two\nlines", "x")])
def test_names_that_cannot_be(tmp_path: Path, name: str, contact: str) -> None:
    with pytest.raises(UserError, match=r"profile\.bad_name"):
        create_profile(tmp_path / "north", name=name, contact=contact, passphrase=passphrase)
    assert not (tmp_path / "north").exists()


def test_a_profile_is_not_made_twice(tmp_path: Path) -> None:
    with create(tmp_path / "north") as made:
        root = made.root
        with pytest.raises(EnvironmentProblem, match=r"profile\.in_use"):
            create(tmp_path / "north")
    with pytest.raises(UserError, match=r"profile\.exists"):
        create(tmp_path / "north", "Other")
    with reopen(tmp_path / "north") as opened:
        assert (opened.root, opened.site_name) == (root, "North")


def test_where_there_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"profile\.not_found"):
        open_profile(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


class Cut(BaseException):
    """The process is dead."""


@pytest.mark.parametrize("last", range(1, 9))
def test_a_creation_cut_off_anywhere_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """Before each write of database or file: opening says what to do, and making it again works."""
    directory, copy = tmp_path / "north", tmp_path / "copy"
    count = 0

    def point() -> None:
        nonlocal count
        count += 1
        if count == last:
            shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("*-shm"))
            raise Cut

    original, passphrase_file = Settings.put, profiles.PassphraseFile
    with monkeypatch.context() as patch:

        def slow(settings: Settings, key: str, value: bytes) -> None:
            point()
            original(settings, key, value)

        patch.setattr(Settings, "put", slow)
        patch.setattr(profiles, "PassphraseFile", lambda path, phrase: Slow(passphrase_file(path, phrase), point))
        try:
            create(directory).close()
        except Cut:
            shutil.rmtree(directory)
            copy.rename(directory)
        else:
            assert last == 8  # there are seven points
            return
    with pytest.raises(EnvironmentProblem) as raised:
        reopen(directory)
    assert raised.value.code in ("profile.incomplete", "profile.not_found")
    with create_profile(
        directory, name="South", contact="y", passphrase=lambda: passphrase_from_text("quite another passphrase")
    ) as made:
        root = made.root
    with reopen(directory, lambda: passphrase_from_text("quite another passphrase")) as opened:
        assert (opened.root, opened.site_name) == (root, "South")


class Slow:
    """A secret store with a point before it keeps anything."""

    def __init__(self, store: object, point: Callable[[], None]) -> None:
        self._store = store
        self._point = point

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, name: str, secret: SecretBytes) -> None:
        self._point()
        self._store.put(name, secret)  # type: ignore[attr-defined]
        self._point()


def test_a_second_owner_in_another_process_is_told_who_is_in_the_way(tmp_path: Path) -> None:
    create(tmp_path / "north").close()
    program = (
        "import sys; from pathlib import Path; from app.core.services.profile import open_profile\n"
        "with open_profile(Path(sys.argv[1]), program='other'): print('open', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "north")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        for call in (lambda: reopen(tmp_path / "north"), lambda: create(tmp_path / "north")):
            with pytest.raises(EnvironmentProblem, match=r"profile\.in_use") as raised:
                call()
            assert raised.value.params["pid"] == process.pid
            assert raised.value.params["program"] == "other"
    finally:
        process.kill()
        process.communicate()
    with reopen(tmp_path / "north") as opened:  # its lock died with it
        assert opened.site_name == "North"
        assert opened.store.previous_owner is not None


# --- joining ------------------------------------------------------------------------------------------------------


def two_sites(tmp_path: Path) -> tuple[OpenProfile, OpenProfile]:
    return create(tmp_path / "north", "North"), create(tmp_path / "south", "South")


def roster_of(members: tuple[OpenProfile, ...], catalogue: Catalogue = CATALOGUE, **changed: object) -> Roster:
    sites = tuple(Site(i, each.site_name, each.site_contact, each.member_public) for i, each in enumerate(members, 1))
    roster = Roster(bytes(32), "Lung", INSECURE_TEST_PARAMETERS, 2, catalogue.hash, bytes(32), sites)
    return replace(roster, **changed)  # type: ignore[arg-type]


def signed(roster: Roster, members: tuple[OpenProfile, ...]) -> dict[int, bytes]:
    return {position: roster.sign(each.member_key) for position, each in enumerate(members, 1)}


def test_a_roster_is_installed_and_kept(tmp_path: Path) -> None:
    members = two_sites(tmp_path)
    roster = found(members, name="Lung", catalogue=CATALOGUE, parameters=INSECURE_TEST_PARAMETERS)
    for member in members:
        member.close()
    with reopen(tmp_path / "south") as opened:
        assert opened.roster == roster
        assert (opened.federation_id, opened.federation_name) == (roster.federation_id, "Lung")
        site = opened.local_site(Inline())
        assert (site.position, site.catalogue, site.roster) == (2, CATALOGUE, roster)


def test_rosters_that_are_refused(tmp_path: Path) -> None:
    members = two_sites(tmp_path)
    stranger = create(tmp_path / "stranger", "Stranger")
    roster = roster_of(members)
    signatures = signed(roster, members)

    def refused(profile: OpenProfile, *arguments: object) -> str:
        before = profile.roster
        with pytest.raises(ConsiliumError) as raised:
            profile.install_roster(*arguments)  # type: ignore[arg-type]
        assert profile.roster == before
        return raised.value.code

    assert refused(stranger, roster, signatures, CATALOGUE) == "roster.not_in_it"
    assert refused(members[0], roster, {1: signatures[1]}, CATALOGUE) == "roster.bad_signature"
    assert refused(members[0], roster, {1: signatures[2], 2: signatures[1]}, CATALOGUE) == "roster.bad_signature"
    assert refused(members[0], replace(roster, name="Other"), signatures, CATALOGUE) == "roster.bad_signature"
    assert refused(members[0], roster, signatures, OTHER_CATALOGUE) == "roster.other_catalogue"

    members[0].install_roster(roster, signatures, CATALOGUE)
    members[0].install_roster(roster, signatures, CATALOGUE)  # once more is nothing new
    for other in (
        replace(roster, nonce=bytes([1]) * 32),
        replace(roster, nonce=bytes([1]) * 32, previous=bytes([2]) * 32),
        replace(roster, nonce=bytes([1]) * 32, previous=roster.hash, federation_id=bytes([3]) * 32),
    ):
        assert refused(members[0], other, signed(other, members), CATALOGUE) == "roster.not_the_next"
    following = replace(roster, nonce=bytes([1]) * 32, previous=roster.hash)
    members[0].install_roster(following, signed(following, members), CATALOGUE)
    assert members[0].roster == following
    assert refused(members[0], roster, signatures, CATALOGUE) == "roster.not_the_next"  # not back
    for profile in (*members, stranger):
        profile.close()


def ready(tmp_path: Path, count: int = 2) -> list[Member]:
    members = [create(tmp_path / f"site-{position}", f"Site {position}") for position in range(1, count + 1)]
    found(members, name="Lung", catalogue=CATALOGUE, parameters=INSECURE_TEST_PARAMETERS, quorum=2)
    post = LocalPost()
    open_ = [Member(profile, Inline(), post) for profile in members]
    hold_ceremony(open_, post)
    return open_


def contributing(member: Member, number: int) -> None:
    """Let the site answer with a known number instead of a dataset."""
    known = KnownNumber(number, keys=member.site.key_directory)
    member.desk = QueryDesk(member.site, member.mailroom, member._post, known)


def asked(members: list[Member]) -> tuple[int, ...]:
    """The answer to a question of the last site."""
    session = members[-1].desk.ask(
        SMOKERS, text="smoker", epsilon=None, contributors=(1, 2), quorum=(1, 2), minimum=2, purpose="A test"
    )
    settle(members, members[0]._post)  # type: ignore[arg-type]
    result = members[-1].desk.result(session)
    assert result is not None
    return result.numbers


def test_members_hold_a_ceremony_and_answer(tmp_path: Path) -> None:
    members = ready(tmp_path, 3)
    public = [member.profile.federation for member in members]
    assert public[0] is not None
    assert public[0] == public[1] == public[2]
    for number, member in enumerate(members, start=1):
        assert member.work().state == READY
        contributing(member, number)
    assert asked(members) == (3,)
    session = members[0].desk.ask(
        SMOKERS, text="smoker", epsilon=None, contributors=(1, 2), quorum=(1, 2), minimum=1, purpose="A test"
    )
    settle(members, members[0]._post)  # type: ignore[arg-type]
    assert members[0].desk.result(session) is not None
    for member in members:
        member.profile.close()


def test_the_public_file_of_an_earlier_roster_is_not_the_federations(tmp_path: Path) -> None:
    members = ready(tmp_path)
    open_ = tuple(member.profile for member in members)
    first = open_[0].roster
    assert first is not None
    assert open_[0].federation is not None
    following = replace(first, nonce=bytes([1]) * 32, previous=first.hash)
    open_[0].install_roster(following, signed(following, open_), CATALOGUE)
    assert open_[0].federation is None
    for profile in open_:
        profile.close()


def test_a_public_file_that_was_swapped_is_refused(tmp_path: Path) -> None:
    members = ready(tmp_path)
    profile = members[0].profile
    public = profile.federation
    assert public is not None
    path = profile.directory / "federation.public"
    save_public_file(replace(public, transcript=bytes(32)), path)
    with pytest.raises(ProtocolViolation, match=r"federation\.file_refused"):
        _ = profile.federation
    with ready_federation(tmp_path / "other") as other:  # whole and signed, but of other sites
        save_public_file(other[1].ceremony.result(), path)
    assert profile.federation is None
    for member in members:
        member.profile.close()


# --- backups ------------------------------------------------------------------------------------------------------


def lose_everything(profile: OpenProfile) -> None:
    """The keyring is gone, and so is the dealt share."""
    profile.secrets.delete(profile.profile_id)
    profile.store.sealed_secrets.remove("dealt share")


def test_a_restored_site_still_opens_results(tmp_path: Path) -> None:
    members = ready(tmp_path)
    for number, member in enumerate(members, start=10):
        contributing(member, number)
    assert asked(members) == (21,)
    profile = members[0].profile
    backup = tmp_path / "north.backup"
    keys.save_backup(profile, backup, PASSPHRASE, now=7, cost=CHEAP)
    assert profile.backups() == ((7, "file"),)
    lose_everything(profile)
    directory = profile.directory
    profile.close()

    with reopen(directory) as opened:
        with pytest.raises(EnvironmentProblem, match=r"keys\.missing"):
            _ = opened.root
        restored = keys.restore(opened, keys.check_file(opened, backup, PASSPHRASE))
        assert (restored.root_was_there, restored.written, restored.kept) == (False, ("dealt share",), ())
        members[0] = Member(opened, Inline(), members[1]._post)
        assert members[0].work().state == READY
        contributing(members[0], 10)
        assert asked(members) == (21,)
        again = keys.restore(opened, keys.check_file(opened, backup, PASSPHRASE))
        assert (again.root_was_there, again.written, again.kept) == (True, (), ())
    members[1].profile.close()


def test_a_sheet_restores_the_root_but_not_the_dealt_share(tmp_path: Path) -> None:
    members = ready(tmp_path)
    profile = members[0].profile
    words = " ".join(keys.make_words(profile.root, profile.federation_id or b"").words)
    lose_everything(profile)
    del profile.root
    restored = keys.restore(profile, keys.check_words(profile, words))
    assert not restored.root_was_there
    assert MemberKey.from_root(profile.root).public == profile.member_public
    with pytest.raises(EnvironmentProblem, match=r"federation\.no_dealt_share"):
        members[0].site.dealt_share()
    for member in members:
        member.profile.close()


def test_wrong_foreign_and_damaged_backups_are_told_apart(tmp_path: Path) -> None:
    members, others = ready(tmp_path / "ours"), ready(tmp_path / "theirs")
    ours, neighbour, foreign = members[0].profile, members[1].profile, others[0].profile
    files = {}
    for name, profile in (("ours", ours), ("neighbour", neighbour), ("foreign", foreign)):
        files[name] = tmp_path / f"{name}.backup"
        keys.save_backup(profile, files[name], PASSPHRASE, now=1, cost=CHEAP)
    damaged = bytearray(files["ours"].read_bytes())
    damaged[-40] ^= 1
    files["damaged"] = tmp_path / "damaged.backup"
    files["damaged"].write_bytes(bytes(damaged))
    files["cut"] = tmp_path / "cut.backup"
    files["cut"].write_bytes(files["ours"].read_bytes()[:-1])
    root, dealt = ours.root, ours.store.sealed_secrets.get("dealt share")

    def refused(name: str, phrase: SecretBytes = PASSPHRASE) -> str:
        with pytest.raises(ConsiliumError) as raised:
            keys.restore(ours, keys.check_file(ours, files[name], phrase))
        assert ours.secrets.get(ours.profile_id) == root
        assert ours.store.sealed_secrets.get("dealt share") == dealt
        return raised.value.code

    assert refused("neighbour") == "recovery.wrong"
    assert refused("foreign") == "recovery.foreign"
    assert refused("damaged") == "passphrase.damaged"
    assert refused("cut") == "passphrase.damaged"
    assert refused("ours", passphrase_from_text("another passphrase")) == "passphrase.wrong"
    for member in (*members, *others):
        member.profile.close()


def test_an_old_backup_brings_no_share_of_an_earlier_roster_into_use(tmp_path: Path) -> None:
    """Restored on purpose over the newer one, it is recognised before anything is opened with it."""
    members = ready(tmp_path)
    backup = tmp_path / "old.backup"
    keys.save_backup(members[0].profile, backup, PASSPHRASE, now=1, cost=CHEAP)
    open_ = tuple(member.profile for member in members)
    first = open_[0].roster
    assert first is not None
    following = replace(first, nonce=bytes([1]) * 32, previous=first.hash)
    for profile in open_:
        profile.install_roster(following, signed(following, open_), CATALOGUE)
    post = LocalPost()
    members = [Member(profile, Inline(), post) for profile in open_]
    hold_ceremony(members, post)
    recovered = keys.check_file(open_[0], backup, PASSPHRASE)
    assert keys.restore(open_[0], recovered).kept == ("dealt share",)
    assert members[0].site.dealt_share() is not None
    keys.restore(open_[0], recovered, replace=True)
    with pytest.raises(EnvironmentProblem, match=r"federation\.dealt_share_of_another_roster"):
        members[0].site.dealt_share()
    for profile in open_:
        profile.close()
