"""Preparing opens no socket to a network: every command that the help gives, in real processes, workers included.

Three proofs, as far as the machine has what they need: an audit hook ends any Python process (workers too) that makes
an internet socket or looks a name up, everywhere; on Linux all commands also work in a network namespace without any
interface, and strace sees no internet socket in any process, whatever code makes it, native libraries included.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import app
from app.core.catalogue.file import load_catalogue
from app.core.crypto.parameters import INSECURE_SWITCH
from app.core.federation.public_file import save_public_file
from app.core.paths import resource
from tests.federations import PASSPHRASE, two_sites

HOOK = """
import os, socket, sys

def _watch(event, arguments):
    internet = event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6)
    if internet or event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        with open(os.environ["SOCKETS_SEEN"], "a") as seen:
            seen.write(f"{event} {sys.argv}\\n")
        os._exit(97)

sys.addaudithook(_watch)
with open(os.environ["SOCKETS_SEEN"] + ".watched", "a") as watched:
    watched.write("watched\\n")
"""
OFFLINE = {"validate", "map", "check", "choices", "prepare", "verify"}


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """A copy of the example, and the public file of a federation of which its hospital is a site."""
    place = tmp_path / "hospital"
    shutil.copytree(resource("examples"), place)
    catalogue = load_catalogue(place / "catalogue.toml")
    federation, profiles = two_sites(tmp_path, catalogue, names=("Riverside", "Lakeside"))
    for profile in profiles:
        profile.close()
    save_public_file(federation, place / "federation.public")
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    return place


def environment(place: Path) -> dict[str, str]:
    """The variables of a command: the audit hook comes first on the path, and nothing of the person's is used."""
    home = place.parent
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONSILIUM_")},
        "PYTHONPATH": os.pathsep.join((str(home), str(Path(app.__file__).parents[1]))),
        "SOCKETS_SEEN": str(home / "sockets"),
        "CONSILIUM_PASSPHRASE_FILE": str(home / "passphrase"),
        "CONSILIUM_LANGUAGE": "en",
        INSECURE_SWITCH: "yes",
        **dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"), str(home)),
    }


def commands_of_the_help() -> list[list[str]]:
    """The commands that the page for data managers gives, in its order."""
    text = resource("help", "en", "prepare.md").read_text("utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return [line.split()[1:] for block in blocks for line in block.splitlines() if line.startswith("consilium ")]


def run(words: Sequence[str], place: Path, variables: Mapping[str, str], before: Sequence[str] = ()) -> str:
    command = [*before, sys.executable, "-m", "app", *words]
    done = subprocess.run(command, cwd=place, env=variables, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def without_network() -> list[str]:
    """What a command is put behind to run without any network interface; nothing where that cannot be done."""
    if shutil.which("unshare") is None:
        return []
    alone = ["unshare", "--map-root-user", "--net"]
    return alone if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0 else []


@pytest.mark.timeout(900)
def test_the_commands_of_the_help_work_without_a_network_and_ask_for_none(hospital: Path) -> None:
    variables, alone = environment(hospital), without_network()
    said = {words[1]: run(words, hospital, variables, alone) for words in commands_of_the_help()}
    assert said.keys() == OFFLINE
    run(["data", "inspect", "riverside.consilium"], hospital, variables, alone)
    assert "160 patients" in said["check"]
    assert "is whole and unaltered" in said["verify"]
    assert (hospital / "problems.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    seen = hospital.parent / "sockets"
    assert not seen.exists(), seen.read_text()
    watched = Path(f"{seen}.watched").read_text().count("watched")
    assert watched > len(said) + 1, "the hook was in the worker processes too"


def test_the_hook_notices_a_socket(hospital: Path) -> None:
    variables = environment(hospital)
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)"
    done = subprocess.run([sys.executable, "-c", code], env=variables, check=False)
    assert done.returncode == 97
    assert (hospital.parent / "sockets").exists()


@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_native_code_makes_an_internet_socket(hospital: Path) -> None:
    variables, log = environment(hospital), hospital.parent / "strace"
    traced = ["strace", "-f", "-qq", "-A", "-e", "trace=socket,connect,sendto,sendmsg", "-o", str(log)]
    probe = subprocess.run([*traced, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("strace may not trace here")
    for words in commands_of_the_help():
        run(words, hospital, variables, traced)
    calls = log.read_text("utf-8", "replace")
    assert "AF_INET" not in calls
