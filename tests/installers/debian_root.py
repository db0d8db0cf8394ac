"""A clean Debian of its own in a folder: made by debootstrap, entered with chroot in namespaces of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

SUITE = "bookworm"
READY = "CONSILIUM_TEST_ROOT"
"""Names the folder of a clean root made before, which is copied: a minute less."""
_OTHERS = ("proc", "sys", "dev", "tmp", "run", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/log")
_COPIES = {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-"}


class DebianRoot:
    """The folder, and what is done in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if ready := os.environ.get(READY):
            subprocess.run(["cp", "--archive", "--reflink=auto", ready, str(path)], check=True)
        else:
            command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(path), _mirror()]
            subprocess.run(command, check=True, capture_output=True)
        shutil.copy("/etc/resolv.conf", path / "etc/resolv.conf")
        for name in ("http_proxy", "https_proxy"):
            if value := os.environ.get(name):
                with open(path / "etc/apt/apt.conf.d/90proxy", "a") as file:
                    file.write(f'Acquire::{name.partition("_")[0]}::Proxy "{value}";\n')
        (path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # nothing starts while it is installed
        (path / "usr/sbin/policy-rc.d").chmod(0o755)

    def run(
        self, *command: str, check: bool = True, account: str = "root", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as ``account``, and return what it said."""
        with self.start(*command, account=account, **environment) as process:
            out, err = process.communicate(timeout=600)
        if check and process.returncode:
            raise AssertionError(f"{shlex.join(command)}: exit code {process.returncode}\n{out}\n{err}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def start(self, *command: str, account: str = "root", **environment: str) -> subprocess.Popen[str]:
        """Start a command inside; it ends with the process that is returned."""
        plain = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        given = [f"{name}={value}" for name, value in {**plain, **environment}.items()]
        inside = shlex.join(["runuser", "-u", account, "--", "env", "--ignore-environment", *given, *command])
        script = f'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" {inside}'
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, str(self.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def put(self, path: Path) -> str:
        """Copy a file into /tmp inside; return its path there."""
        shutil.copy(path, self.path / "tmp" / path.name)
        return f"/tmp/{path.name}"

    def files(self) -> set[str]:
        """Return all paths but those of the package manager, of caches and of what runs."""
        found = set()
        for directory, folders, files in os.walk(self.path):
            place = os.path.relpath(directory, self.path)
            folders[:] = [each for each in folders if os.path.normpath(f"{place}/{each}") not in _OTHERS]
            found |= {os.path.normpath(f"{place}/{each}") for each in (*folders, *files)}
        return found - _COPIES

    def leftovers(self, words: Iterable[str]) -> list[str]:
        """Return the package manager's own files and records that still name one of ``words``."""
        found = []
        for path in (self.path / "var/lib/dpkg").rglob("*"):
            if path.is_file() and path.name not in ("status-old", "available", "available-old", "lock"):
                told = f"{path.name}\n{path.read_text(errors='replace')}" if path.name == "status" else path.name
                found += [f"{path.name}: {word}" for word in words if word in told]
        return found


def _mirror() -> str:
    """Return the mirror that this machine's own apt uses."""
    wanted = (f"Codename: {SUITE}", "Component: main", "Created-By: Packages")
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted], check=True, capture_output=True, text=True
    )
    return asked.stdout.split()[0]
