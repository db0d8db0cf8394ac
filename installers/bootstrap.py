#!/usr/bin/env python3
"""From nothing but Python to a running program, in one command.

    python3 installers/bootstrap.py demo [options]       show the whole story on public data
    python3 installers/bootstrap.py test [options]       run the tests (options are pytest's)
    python3 installers/bootstrap.py run COMMAND ...      any other command of consilium

The first run makes a virtual environment in the checkout and installs exactly what installers/locks names,
checked by hash; later runs start at once. Standard library only. Exit codes are those of the job.
"""

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

OLDEST = (3, 11)
if sys.version_info < OLDEST:  # before anything that an older Python would trip over
    sys.exit(
        "Consilium needs Python {}.{} or newer; this is Python {}.{}.\n".format(*OLDEST, *sys.version_info)
        + "Install a newer one and start this file with it, for example: python3.12 installers/bootstrap.py"
    )

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "consilium.json"  # written last: without it the environment is not finished
GUARD = CHECKOUT / ".venv.lock"

# Debian and Ubuntu packages, and the program or the library that each brings
SYSTEM_PACKAGES = {
    "dbus": "dbus-daemon",
    "gnome-keyring": "gnome-keyring-daemon",
    "libdbus-1-3": "libdbus-1.so.3",
    "libegl1": "libEGL.so.1",
    "libfontconfig1": "libfontconfig.so.1",
    "libgl1": "libGL.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-image0": "libxcb-image.so.0",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-render-util0": "libxcb-render-util.so.0",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxkbcommon0": "libxkbcommon.so.0",
}
TEST_PACKAGES = {"poppler-utils": "pdftotext", "strace": "strace", "xauth": "xauth", "xvfb": "Xvfb"}


def main(arguments: list[str]) -> int:
    """Do the job that ``arguments`` name and return its exit code."""
    verb, options = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb not in ("demo", "test", "run"):
        print(__doc__)
        return 0 if verb in ("-h", "--help") else 2
    install("dev" if verb == "test" else "run")
    if verb == "test":
        os.chdir(CHECKOUT)
        return start([str(PYTHON), "-m", "pytest", "--numprocesses=auto", "--dist=worksteal", *options])
    # -P: what lies in the folder the person is in must not stand in for the program's own modules
    return start([str(PYTHON), "-P", "-m", "app", *(["demo"] if verb == "demo" else []), *options])


def install(lock_name: str) -> None:
    """Bring the environment to what the lock ``lock_name`` names, unless it is there already."""
    wanted = {name: fingerprint(CHECKOUT / "installers/locks" / f"{name}.txt") for name in ("run", "dev")}
    wanted["project"] = fingerprint(CHECKOUT / "pyproject.toml")
    if is_ready(wanted, lock_name):
        return
    install_system_packages(SYSTEM_PACKAGES | (TEST_PACKAGES if lock_name == "dev" else {}))
    with one_at_a_time():
        if is_ready(wanted, lock_name):  # another run was faster
            return
        done = read_stamp()
        if not done or any(done[name] != wanted[name] for name in ("run", "dev") if name in done):
            done = {}
            say("Making a virtual environment in .venv")
            make_environment()
        STAMP.unlink(missing_ok=True)  # whatever interrupts from here on: the next run starts afresh
        if lock_name not in done:
            say("Installing the locked dependencies (the first time this takes a minute or two)")
            pip_install("--require-hashes", "--only-binary=:all:", "--requirement", f"installers/locks/{lock_name}.txt")
            done |= {name: wanted[name] for name in ("run", lock_name)}  # dev.txt holds all of run.txt
        if done.get("project") != wanted["project"]:
            pip_install("--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")
            done["project"] = wanted["project"]
        write_stamp(done)


def fingerprint(path: Path) -> str:
    """Return what the installation of ``path`` depends on: its content, this Python, and where the checkout is."""
    parts = [path.read_bytes(), repr(sys.version_info[:2]).encode(), sys.platform.encode(), bytes(CHECKOUT)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready(wanted: dict[str, str], lock_name: str) -> bool:
    """Tell whether everything of ``lock_name`` is installed as wanted."""
    done = read_stamp()
    return all(done.get(name) == wanted[name] for name in ("run", lock_name, "project"))


def read_stamp() -> dict[str, str]:
    """Return what is installed, nothing if an installation was cut short or its Python has gone."""
    try:
        done = json.loads(STAMP.read_text()) if PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}
    return done if isinstance(done, dict) else {}


def write_stamp(done: dict[str, str]) -> None:
    """Say what is installed, in one step."""
    temporary = STAMP.with_suffix(".part")
    temporary.write_text(json.dumps(done))
    temporary.replace(STAMP)


def make_environment() -> None:
    """Make an empty virtual environment, in place of what may be there."""
    if ENVIRONMENT.is_symlink():
        ENVIRONMENT.unlink()
    if not ran([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)]):
        sys.exit("\nThe virtual environment could not be made; the lines above say why.")


def pip_install(*arguments: str) -> None:
    """Run ``pip install`` in the environment."""
    if not ran([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]):
        sys.exit("\nThe dependencies could not be installed; the lines above say why. Then run this again.")


def install_system_packages(packages: dict[str, str]) -> None:
    """On Debian and Ubuntu install what is missing where that needs no password; else say how."""
    if sys.platform != "linux":
        return
    optional = [package for package, brings in packages.items() if not is_there(brings)]
    needed = [] if has_venv() else [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"]
    missing = needed + optional
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if not shutil.which("apt-get"):
        say("Not found on this computer: " + ", ".join(missing) + " (the names of the Debian packages). Going on.")
    elif not apt(["apt-get", "update"]) or not apt(command):
        say("Please install what is missing with this command:\n\n    sudo " + " ".join(command) + "\n")
    if needed and not has_venv():
        sys.exit("Without Python's venv module nothing can be installed. Install it, then run this again.")


def is_there(name: str) -> bool:
    """Return whether there is a program, or a library (``lib….so.N``), of this name."""
    if ".so." not in name:
        return shutil.which(name) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def has_venv() -> bool:
    """Tell whether this Python can make environments with pip in them (asked in a new process: apt may add it)."""
    return succeeds([sys.executable, "-c", "import venv, ensurepip"])


def succeeds(command: list[str]) -> bool:
    """Tell whether ``command`` can be run and ends with 0; nothing of it is shown."""
    try:
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


def apt(command: list[str]) -> bool:
    """Run one apt-get command as root without asking anything, and tell whether that worked."""
    if os.geteuid() == 0:
        prefix = []
    elif succeeds(["sudo", "-n", "true"]):
        prefix = ["sudo", "-n"]
    else:
        return False
    say("System packages: " + " ".join(command))
    return ran([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *command, "-o", "DPkg::Lock::Timeout=300"])


def ran(command: list[str]) -> bool:
    """Run ``command`` without input, show its output only if it fails, and tell whether it succeeded."""
    result = subprocess.run(
        command,
        check=False,
        close_fds=False,  # it holds the guard too: should this run be killed, the next one waits for its pip to end
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if result.returncode:
        sys.stderr.buffer.write(result.stdout)
        sys.stderr.flush()
    return result.returncode == 0


@contextmanager
def one_at_a_time():
    """Wait until no other run of this file installs; the system frees the lock of a run that died."""
    with open(GUARD, "a+b") as file:
        os.set_inheritable(file.fileno(), True)
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415  (only Windows has it)

            while True:
                try:
                    file.seek(0)
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # gives up after ten seconds; the other run may take minutes
                    continue
        else:
            import fcntl  # noqa: PLC0415  (Windows has none)

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start(command: list[str]) -> int:
    """Run the job with the environment's programs in reach and return its exit code."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    environment["VIRTUAL_ENV"] = str(ENVIRONMENT)
    environment["PATH"] = os.pathsep.join([str(PYTHON.parent), os.environ.get("PATH", os.defpath)])
    sys.stdout.flush()
    if os.name == "posix":  # become the job: its signals, its exit code, its last line
        os.execve(command[0], command, environment)  # noqa: S606  (our own Python, no shell)
    return subprocess.run(command, check=False, env=environment).returncode


def say(line: str) -> None:
    """Tell the person what is going on."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
