"""The Debian packages in a clean Debian: installed, used, upgraded, removed and purged; the files after each step."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import __version__
from tests.installers.debian_root import READY, DebianRoot

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"
TOOLS = ("dpkg-deb", "xz", "chrpath", "gpg", "unshare", "debootstrap")
DATA = "/var/lib/consilium-relay"

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can make a Debian in a folder"),
]


@pytest.fixture(scope="session", autouse=True)
def _tools() -> None:
    missing = [
        each for each in TOOLS if shutil.which(each) is None and not (each == "debootstrap" and READY in os.environ)
    ]
    if missing:
        pytest.fail(f"apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def relay_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built relay: that of this checkout, or one built now."""
    built = Path(os.environ.get("CONSILIUM_DIST", ROOT / "dist")) / "consilium-relay"
    if built.is_dir():
        return built
    python = os.environ.get("CONSILIUM_BUILD_PYTHON", sys.executable)
    if python == sys.executable and importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("no built relay: run installers/relay/build.py, or name a Python with PyInstaller")
    output = tmp_path_factory.mktemp("relay")
    subprocess.run([python, ROOT / "installers/relay/build.py", "--output", output], check=True, capture_output=True)
    return output / "consilium-relay"


@pytest.fixture(scope="session")
def tree() -> Path:
    """The built program."""
    built = Path(os.environ.get("CONSILIUM_DIST", ROOT / "dist")) / "consilium"
    if not built.is_dir():
        pytest.skip("no built program: run installers/build.py")
    return built


def package(output: Path, *options: str | Path, **environment: str) -> Path:
    """Run package.py and return where its files are."""
    command = [sys.executable, str(ROOT / "installers/linux/package.py"), "--output", str(output), *map(str, options)]
    found = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, **environment}
    subprocess.run(command, check=True, capture_output=True, text=True, env=found, cwd=output.parent)
    return output


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signing key, made for this."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "1d"], check=True)
    for which in ("secret", "public"):
        option = "--export-secret-keys" if which == "secret" else "--export"
        exported = subprocess.run([*gpg, option], check=True, capture_output=True).stdout
        (home / which).write_bytes(exported)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return home


@pytest.fixture(scope="session")
def relay_packages(relay_tree: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The relay's package and archive, signed; and its next version's package in ``next``."""
    output = tmp_path_factory.mktemp("packages") / "out"
    package(output, "--relay-tree", relay_tree, CONSILIUM_GPG_KEY_FILE=str(key / "secret"))
    following(only(output, "*.deb"), output / "next")
    return output


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The program's package, and its next version's in ``next``. CONSILIUM_PACKAGES names those to be shipped."""
    output = tmp_path_factory.mktemp("packages") / "out"
    if made := os.environ.get("CONSILIUM_PACKAGES"):
        output.mkdir()
        shutil.copy(only(Path(made), "consilium_*.deb"), output)
    else:
        package(output, "--no-archives", "--uncompressed", "--tree", request.getfixturevalue("tree"))
    following(only(output, "*.deb"), output / "next")
    return output


def following(deb: Path, output: Path) -> None:
    """Make the package of a later version with the same files; half a gigabyte is not compressed once more for that."""
    output.mkdir()
    place = output / "root"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, place], check=True)
    control = place / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99.0-1", control.read_text()))
    name = re.sub("_.*?_", "_99.0-1_", deb.name)
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", place, output / name]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(place)


def only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    place = tmp_path_factory.mktemp("debian")
    yield DebianRoot(place / "root")
    shutil.rmtree(place, ignore_errors=True)


def satisfied(root: DebianRoot, *debs: str) -> None:
    """Install what the packages need, and nothing else."""
    root.run("apt-get", "update", "--quiet")
    for deb in debs:
        needs = root.run("dpkg-deb", "--field", deb, "Depends").stdout.strip()
        root.run("apt-get", "satisfy", "--yes", "--quiet", "--no-install-recommends", needs)


# --- the relay ------------------------------------------------------------------------------------------------------


def test_the_same_tree_makes_the_same_bytes(relay_packages: Path, relay_tree: Path, tmp_path: Path) -> None:
    """From a copy with other times and other rights, in another folder, by somebody with another umask."""
    copy = tmp_path / "copied"
    shutil.copytree(relay_tree, copy, symlinks=True, copy_function=shutil.copy)
    for path in copy.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    before = os.umask(0o077)
    try:
        package(tmp_path / "again", "--relay-tree", copy)
    finally:
        os.umask(before)
    for pattern in ("*.deb", "*.tar.xz"):
        assert only(tmp_path / "again", pattern).read_bytes() == only(relay_packages, pattern).read_bytes()


def test_every_file_is_signed(relay_packages: Path, key: Path) -> None:
    for path in [*relay_packages.glob("*.deb"), *relay_packages.glob("*.tar.xz"), relay_packages / "SHA256SUMS"]:
        verify = ["gpgv", "--quiet", "--keyring", str(key / "public"), f"{path}.asc", str(path)]
        assert subprocess.run(verify, check=False, capture_output=True).returncode == 0
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=relay_packages, check=True)
    altered = relay_packages.parent / "altered"
    altered.write_bytes((relay_packages / "SHA256SUMS").read_bytes() + b"\n")
    verify = ["gpgv", "--quiet", "--keyring", str(key / "public"), str(relay_packages / "SHA256SUMS.asc"), str(altered)]
    assert subprocess.run(verify, check=False, capture_output=True).returncode != 0


def test_the_archive_is_the_program(relay_packages: Path, tmp_path: Path) -> None:
    with tarfile.open(only(relay_packages, "*.tar.xz")) as tar:
        tar.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    said = subprocess.run([folder / "consilium-relay", "--version"], check=True, capture_output=True, text=True, env={})
    assert said.stdout == f"consilium-relay {__version__}\n"
    assert (folder / "share/nginx.conf").is_file()


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not installed")
def test_lintian_has_nothing_to_say(relay_packages: Path, packages: Path) -> None:
    for deb in (only(relay_packages, "*.deb"), only(packages, "*.deb")):
        trial = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"
        options = ["--tag-display-limit", "0", "--fail-on", "error,warning", "--suppress-tags", trial]
        command = ["lintian", "--allow-root", *options, str(deb)]
        said = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (said.stdout, said.returncode) == ("", 0)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_relays_service_is_right_and_shut_in(relay_packages: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", only(relay_packages, "*.deb"), tmp_path], check=True)
    unit = tmp_path / "lib/systemd/system/consilium-relay.service"
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-500:]  # at most 1.5 of 10
    # verify wants the program at its place: here it is below another root
    text = unit.read_text().replace("ExecStart=/usr", f"ExecStart={tmp_path}/usr")
    unit.write_text(text.replace("EnvironmentFile=/etc", f"EnvironmentFile={tmp_path}/etc"))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (said.stderr, said.returncode) == ("", 0)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize(
    ("name", "options"), [("consilium-agent.service", ["--user"]), ("consilium-agent@anna.service", [])]
)
def test_the_agents_services_are_right(tmp_path: Path, name: str, options: list[str]) -> None:
    source = ROOT / "installers/linux/consilium" / name.replace("anna", "")
    unit = tmp_path / name
    unit.write_text(source.read_text().replace("/usr/bin/consilium", shutil.which("true") or ""))
    command = ["systemd-analyze", *options, "verify", "--man=no", "--recursive-errors=no", str(unit)]
    home = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}  # where a user's own systemd would be
    said = subprocess.run(command, check=False, capture_output=True, text=True, env=home)
    assert (said.stderr, said.returncode) == ("", 0)


@pytest.mark.skipif(shutil.which("desktop-file-validate") is None, reason="desktop-file-utils is not installed")
def test_the_menu_entry_is_right() -> None:
    entry = ROOT / "installers/linux/consilium/consilium.desktop"
    said = subprocess.run(["desktop-file-validate", entry], check=False, capture_output=True, text=True)
    assert (said.stdout, said.returncode) == ("", 0)


@pytest.mark.skipif(shutil.which("update-mime-database") is None, reason="shared-mime-info is not installed")
def test_the_file_types_are_known(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    shutil.copy(ROOT / "installers/linux/consilium/consilium.xml", tmp_path / "packages")
    subprocess.run(["update-mime-database", tmp_path], check=True, capture_output=True)
    assert "50:application/vnd.consilium.package:*.consilium\n" in (tmp_path / "globs2").read_text()
    assert b"consilium-invitation:" in (tmp_path / "magic").read_bytes()


def test_the_relays_life_on_debian(debian: DebianRoot, relay_packages: Path) -> None:
    """Installed, run, upgraded, removed, purged: one story, each step from where the one before ended."""
    deb = debian.put(only(relay_packages, "*.deb"))
    satisfied(debian, deb)
    before = debian.files()

    debian.run("dpkg", "--install", deb)  # which starts nothing
    assert debian.run("consilium-relay", "--version").stdout == f"consilium-relay {__version__}\n"
    account = debian.run("getent", "passwd", "consilium-relay").stdout.strip().split(":")
    assert account[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert debian.run("stat", "--format=%a %U", DATA).stdout == "700 consilium-relay\n"
    assert not (debian.path / "etc/systemd/system/multi-user.target.wants/consilium-relay.service").exists()
    relay_works(debian)

    default = debian.path / "etc/default/consilium-relay"
    default.write_text('RELAY_OPTIONS="--port 9443"\n')
    kept = {path: path.read_bytes() for path in [default, *(debian.path / DATA[1:]).rglob("*")] if path.is_file()}
    debian.run("dpkg", "--install", debian.put(only(relay_packages / "next", "*.deb")))
    assert debian.run("dpkg-query", "--show", "--showformat=${Version}", "consilium-relay").stdout == "99.0-1"
    assert kept == {path: path.read_bytes() for path in kept}

    debian.run("dpkg", "--remove", "consilium-relay")
    left = debian.files() - before
    assert {each for each in left if not each.startswith(DATA[1:])} == {"etc/default/consilium-relay"}
    assert kept == {path: path.read_bytes() for path in kept}

    debian.run("dpkg", "--purge", "consilium-relay")
    assert debian.files() - before == set()
    assert debian.leftovers(["consilium-relay"]) == []
    assert debian.run("getent", "passwd", "consilium-relay", check=False).returncode == 2


def relay_works(debian: DebianRoot) -> None:
    """Serve as the relay's account, check the way to it, hand out a code, back up and restore."""

    def relay(*options: str) -> dict[str, object]:
        said = debian.run("consilium-relay", *options, "--data", DATA, "--json", account="consilium-relay").stdout
        return dict(json.loads(said))

    options = ("--data", DATA, "--port", "0", "--json")
    with debian.start("consilium-relay", "serve", *options, account="consilium-relay") as serving:
        try:
            assert serving.stdout is not None
            url = json.loads(serving.stdout.readline())["url"]
            checking = ("check", url, "--ca", f"{DATA}/tls/ca.pem", "--proxy", "none", "--json")
            assert json.loads(debian.run("consilium-relay", *checking).stdout)["usable"]
            assert len(str(relay("code", "new")["code"])) == 35
            as_root = debian.run("consilium-relay", "code", "new", "--data", DATA, check=False, XDG_STATE_HOME="/tmp")
            assert (as_root.returncode, "runuser -u consilium-relay" in as_root.stderr) == (1, True)
            assert relay("backup", "/tmp/relay.backup")["messages"] == 0
        finally:
            serving.kill()
    assert debian.run("find", DATA, "-not", "-user", "consilium-relay").stdout == ""
    authority = (debian.path / DATA[1:] / "tls/ca.pem").read_bytes()
    debian.run("find", DATA, "-mindepth", "1", "-delete")
    relay("restore", "/tmp/relay.backup")
    assert (debian.path / DATA[1:] / "tls/ca.pem").read_bytes() == authority


# --- the program ----------------------------------------------------------------------------------------------------

HOME = "/home/anna"
SITE = f"{HOME}/.local/share/consilium/profiles/default"
CREDENTIALS = "/run/credentials-of-anna"


def test_the_programs_life_on_debian(debian: DebianRoot, packages: Path) -> None:
    """Installed, used by a person and by a service, upgraded, removed, purged."""
    deb = debian.put(only(packages, "*.deb"))
    debian.run("useradd", "--create-home", "anna")
    satisfied(debian, deb)
    before = debian.files()

    debian.run("dpkg", "--install", deb)
    assert debian.run("consilium", "--version").stdout == f"consilium {__version__}\n"
    checks = consilium(debian, "self-test")
    assert checks["usable"], checks
    assert libraries_not_found(debian) == ""
    for path in (
        "usr/share/applications/consilium.desktop",
        "usr/share/icons/hicolor/scalable/apps/consilium.svg",
        "usr/share/icons/hicolor/48x48/apps/consilium.png",
        "usr/share/mime/packages/consilium.xml",
        "usr/share/man/man1/consilium.1.gz",
        "usr/lib/systemd/user/consilium-agent.service",
    ):
        assert (debian.path / path).stat().st_size

    # as consilium-agent@anna starts: nobody is logged in, the passphrase comes from systemd
    passphrase = debian.path / CREDENTIALS[1:] / "consilium-passphrase"
    passphrase.parent.mkdir()
    passphrase.write_text("a passphrase long enough\n")
    words = ("site", "init", "--name", "Anna's", "--contact", "Anna, 1")
    consilium(debian, *words, CONSILIUM_PASSPHRASE_FILE=f"{CREDENTIALS}/consilium-passphrase")
    said = consilium(debian, "keys", "status", CREDENTIALS_DIRECTORY=CREDENTIALS)

    debian.run("dpkg", "--install", debian.put(only(packages / "next", "*.deb")))
    assert consilium(debian, "keys", "status", CREDENTIALS_DIRECTORY=CREDENTIALS) == said

    for how in ("remove", "purge"):
        debian.run("dpkg", f"--{how}", "consilium")
        left = debian.files() - before
        assert {each for each in left if not each.startswith(HOME[1:])} == set()
        assert (debian.path / SITE[1:]).is_dir()
    assert [each for each in debian.leftovers(["consilium"]) if "relay" not in each] == []


def consilium(debian: DebianRoot, *words: str, **environment: str) -> dict[str, object]:
    """Run a command as a person of this computer."""
    said = debian.run("consilium", *words, "--json", account="anna", HOME=HOME, **environment).stdout
    return dict(json.loads(said))


def libraries_not_found(debian: DebianRoot) -> str:
    """Return what the libraries that the program ships want, and neither it nor a Debian with its packages has."""
    script = (
        "cd /usr/lib/consilium && find . -type f \\( -name '*.so' -o -name '*.so.*' \\) -print0 | "
        "LD_LIBRARY_PATH=/usr/lib/consilium/_internal xargs -0 ldd 2>&1 | grep 'not found' | sort -u"
    )
    return debian.run("sh", "-c", script, check=False).stdout
