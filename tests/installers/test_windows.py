"""The Windows installers, made on Linux, signed with a certificate for the purpose, installed and removed under Wine.

The tree is a stand-in of real Windows programs (``windows_tree``); the program itself is built, and runs, on Windows.
Wine ends many installers with 0 whatever they did: what counts is files and registry.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import app
from tests.unit.installers.windows_tree import windows_tree

CHECKOUT = Path(app.__file__).parents[1]
WINE = shutil.which("wine64") or next((each for each in ("/usr/lib/wine/wine64",) if Path(each).exists()), None)
MISSING = [name for name in ("makensis", "wixl", "msiinfo", "msiextract", "osslsigncode") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
needs_wine = pytest.mark.skipif(WINE is None, reason="needs wine64")
EPOCH = "1700000000"
UNINSTALL = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Consilium"


def packaged(tree: Path, output: Path, version: str, **environment: str) -> list[Path]:
    """Make both installers with the script that IT uses."""
    command = [sys.executable, str(CHECKOUT / "installers/windows/package.py")]
    command += ["--tree", str(tree), "--output", str(output), "--version", version]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONSILIUM_SIGN")}
    done = subprocess.run(
        command, env={**clean, "SOURCE_DATE_EPOCH": EPOCH, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("NOT SIGNED" in done.stdout) == ("CONSILIUM_SIGN_PKCS12" not in environment)
    return [output / f"Consilium-{version}-user.exe", output / f"Consilium-{version}-x64.msi"]


def sums(place: Path) -> dict[str, str]:
    return {
        each.relative_to(place).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in place.rglob("*")
        if each.is_file()
    }


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Path]]]:
    """Two versions: the older one has a file that the newer one has not."""
    place = tmp_path_factory.mktemp("windows")
    made = {}
    for version, more in (("0.1.0", ("_internal/gone/old.txt",)), ("0.2.0", ("_internal/new.txt",))):
        tree = windows_tree(place / version / "tree", *more)
        made[version] = tree, packaged(tree, place / version, version)
    return made


# --- what is in them ----------------------------------------------------------------------------------------------


def test_the_installer_is_for_64_bits(versions: dict[str, tuple[Path, list[Path]]]) -> None:
    """A 32-bit one ends with 0 under a 64-bit Wine, and installs nothing."""
    data = versions["0.1.0"][1][0].read_bytes()
    start = int.from_bytes(data[60:64], "little")
    assert int.from_bytes(data[start + 4 : start + 6], "little") == 0x8664


def test_the_same_tree_gives_the_same_installer(versions: dict[str, tuple[Path, list[Path]]], tmp_path: Path) -> None:
    tree, (exe, _) = versions["0.1.0"]
    shutil.copytree(tree, tmp_path / "elsewhere")
    for each in tree.rglob("*"):
        copied = tmp_path / "elsewhere" / each.relative_to(tree)
        os.utime(copied, (each.stat().st_atime, each.stat().st_mtime))
    again, _ = packaged(tmp_path / "elsewhere", tmp_path / "out", "0.1.0")
    assert again.read_bytes() == exe.read_bytes()


def test_the_msi_holds_the_tree_and_says_what_it_replaces(
    versions: dict[str, tuple[Path, list[Path]]], tmp_path: Path
) -> None:
    tree, (_, msi) = versions["0.2.0"]
    subprocess.run(["msiextract", "--directory", str(tmp_path), str(msi)], check=True, capture_output=True)
    (found,) = tmp_path.rglob("consilium.exe")
    assert sums(found.parent) == sums(tree)

    def table(name: str) -> str:
        return subprocess.run(["msiinfo", "export", str(msi), name], check=True, capture_output=True, text=True).stdout

    assert "0.0.0\t0.2.0\t\t256\t\tOLDERFOUND" in table("Upgrade")
    assert "0.2.0\t\t\t2\t\tNEWERFOUND" in table("Upgrade")
    assert "consilium-window.exe" in table("Shortcut")
    assert 'consilium-window.exe" open "%1"' in table("Registry")
    assert "x64" in subprocess.run(["msiinfo", "suminfo", str(msi)], check=True, capture_output=True, text=True).stdout


# --- signatures ---------------------------------------------------------------------------------------------------


@pytest.fixture
def signer(tmp_path: Path) -> dict[str, str]:
    """A CA and a certificate for signing programs, made for this test; the authority is at ``authority``."""
    now = datetime.datetime.now(datetime.UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    root, key = (rsa.generate_private_key(65537, 3072) for _ in range(2))
    base = x509.CertificateBuilder().not_valid_before(now - datetime.timedelta(days=1))
    base = base.not_valid_after(now + datetime.timedelta(days=30))
    signed = base.issuer_name(named("Test CA"))
    ca = signed.serial_number(1).subject_name(named("Test CA")).public_key(root.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = signed.serial_number(2).subject_name(named("Test signer")).public_key(key.public_key())
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
    authority, signer = ca.sign(root, hashes.SHA256()), leaf.sign(root, hashes.SHA256())
    (tmp_path / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(b"a word for the test")
    (tmp_path / "signer.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"signer", key, signer, [authority], locked)
    )
    (tmp_path / "word").write_text("a word for the test")
    return {
        "CONSILIUM_SIGN_PKCS12": str(tmp_path / "signer.p12"),
        "CONSILIUM_SIGN_PASSWORD_FILE": str(tmp_path / "word"),
        "authority": str(tmp_path / "ca.pem"),
    }


def verified(path: Path, authority: str) -> bool:
    command = ["osslsigncode", "verify", "-CAfile", authority, "-in", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_programs_libraries_and_installers_are_signed(signer: dict[str, str], tmp_path: Path) -> None:
    authority = signer.pop("authority")
    tree = windows_tree(tmp_path / "tree")
    before = sums(tree)
    made = packaged(tree, tmp_path / "out", "0.1.0", **signer)
    programs = [tree / "consilium.exe", tree / "consilium-window.exe", tree / "_internal/python311.dll"]
    for path in (*programs, *made):
        assert verified(path, authority), path
    changed = {name for name, found in sums(tree).items() if found != before[name]}
    assert changed == {path.relative_to(tree).as_posix() for path in programs}
    first = sums(tree)
    packaged(tree, tmp_path / "again", "0.1.0", **signer)
    assert sums(tree) == first  # what is signed is not signed again
    data = bytearray(made[0].read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "altered.exe").write_bytes(data)
    assert not verified(tmp_path / "altered.exe", authority)


def test_a_wrong_password_leaves_everything_as_it_was(signer: dict[str, str], tmp_path: Path) -> None:
    Path(signer["CONSILIUM_SIGN_PASSWORD_FILE"]).write_text("another word")
    tree = windows_tree(tmp_path / "tree")
    before = sums(tree)
    signer.pop("authority")
    command = [sys.executable, str(CHECKOUT / "installers/windows/package.py"), "--tree", str(tree)]
    command += ["--output", str(tmp_path / "out")]
    done = subprocess.run(command, env={**os.environ, **signer}, capture_output=True, check=False)
    assert done.returncode != 0
    assert sums(tree) == before
    assert list((tmp_path / "out").iterdir()) == []


# --- installed ----------------------------------------------------------------------------------------------------

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Path]]:
    """A Windows of its own, without a screen: how to run something in it, and its drive C."""
    prefix = tmp_path_factory.mktemp("wine")
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment |= {"WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "HOME": str(prefix)}
    environment["WINEDLLOVERRIDES"] = "mscoree,mshtml="

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(WINE), *command], env=environment, capture_output=True, text=True, timeout=240, check=False
        )

    run("wineboot", "-i")
    yield run, prefix / "drive_c"
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
    subprocess.run([server, "-k"], env=environment, check=False, capture_output=True)


def registry(run: Run, key: str, name: str = "") -> str | None:
    """Return a value in Wine's registry, None if it is not there."""
    found = run("reg", "query", key, *(["/v", name] if name else ["/ve"]))
    lines = [line for line in found.stdout.splitlines() if "REG_" in line]
    return lines[0].partition("REG_")[2].partition(" ")[2].strip() if found.returncode == 0 and lines else None


@needs_wine
def test_for_one_account(versions: dict[str, tuple[Path, list[Path]]], wine: tuple[Run, Path]) -> None:
    """Installed, upgraded with the data kept, not downgraded, installed again, removed: silently, and file by file."""
    run, drive = wine
    (home,) = (each for each in (drive / "users").iterdir() if each.name != "Public")
    place = home / "AppData/Local/Programs/Consilium"
    data = home / "AppData/Local/consilium/profiles/default/site.db"
    data.parent.mkdir(parents=True)
    data.write_text("somebody's data")
    (old, (old_exe, _)), (new, (new_exe, _)) = versions["0.1.0"], versions["0.2.0"]
    before = {each for each in drive.rglob("*") if "Temp" not in each.parts}

    def holds(tree: Path) -> None:
        found = sums(place)
        assert found.pop("uninstall.exe")
        assert found == sums(tree)

    assert run(str(old_exe), "/S").returncode == 0
    holds(old)
    assert registry(run, UNINSTALL, "DisplayVersion") == "0.1.0"
    assert registry(run, r"HKCU\Software\Classes\.consilium") == "Consilium.Package"
    opens = registry(run, r"HKCU\Software\Classes\Consilium.Package\shell\open\command")
    assert opens is not None
    assert opens.endswith(r'\Programs\Consilium\consilium-window.exe" open "%1"')
    (shortcut,) = home.rglob("Consilium.lnk")

    assert run(str(new_exe), "/S").returncode == 0
    holds(new)
    assert not (place / "_internal/gone").exists()
    assert registry(run, UNINSTALL, "DisplayVersion") == "0.2.0"

    assert run(str(old_exe), "/S").returncode != 0  # a downgrade changes nothing
    holds(new)
    assert registry(run, UNINSTALL, "DisplayVersion") == "0.2.0"

    assert run(str(new_exe), "/S").returncode == 0  # twice in a row
    holds(new)

    (place / "_internal/mine.txt").write_text("not Consilium's")
    assert run(str(place / "uninstall.exe"), "/S", f"_?={registry(run, UNINSTALL, 'InstallLocation')}").returncode == 0
    left = {each for each in drive.rglob("*") if "Temp" not in each.parts} - before
    assert {each for each in left if each.is_file()} <= {place / "_internal/mine.txt", place / "uninstall.exe"}
    assert (place / "_internal/mine.txt").read_text() == "not Consilium's"
    assert not shortcut.exists()
    assert registry(run, UNINSTALL, "DisplayName") is None
    assert registry(run, r"HKCU\Software\Classes\.consilium") is None
    assert data.read_text() == "somebody's data"


@needs_wine
def test_another_folder_with_files_in_it_is_refused(
    versions: dict[str, tuple[Path, list[Path]]], wine: tuple[Run, Path]
) -> None:
    run, drive = wine
    (drive / "full").mkdir()
    (drive / "full/mine.txt").write_text("mine")
    assert run(str(versions["0.1.0"][1][0]), "/S", r"/D=C:\full").returncode != 0
    assert [each.name for each in (drive / "full").iterdir()] == ["mine.txt"]


@needs_wine
def test_for_the_whole_computer(versions: dict[str, tuple[Path, list[Path]]], wine: tuple[Run, Path]) -> None:
    run, drive = wine
    place = drive / "Program Files/Consilium"
    (old, (_, old_msi)), (new, (_, new_msi)) = versions["0.1.0"], versions["0.2.0"]
    run("msiexec", "/i", f"Z:{old_msi}", "/qn")
    assert sums(place) == sums(old)
    assert registry(run, r"HKLM\Software\Classes\.consilium") == "Consilium.Package"
    run("msiexec", "/i", f"Z:{new_msi}", "/qn")
    assert sums(place) == sums(new)
    run("msiexec", "/i", f"Z:{old_msi}", "/qn")
    assert sums(place) == sums(new)
    run("msiexec", "/x", f"Z:{new_msi}", "/qn")
    assert not place.exists() or sums(place) == {}
    assert registry(run, r"HKLM\Software\Classes\.consilium") is None
