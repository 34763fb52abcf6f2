"""Builds ``.venv`` from ``uv.lock``: a private venv with a pinned uv, which then installs what the lock names, hashes checked.

Run by make with whatever ``python3`` is on the PATH, so this file keeps to syntax that an old Python can read, and to the
standard library. Several at once in one checkout wait for each other; one that finds everything up to date ends at once.
"""

import fcntl
import hashlib
import os
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_VENV = ROOT / ".uv"
VENV = ROOT / ".venv"
READY = VENV / ".ready"
SOURCES = [
    ROOT / "uv.lock",
    ROOT / "pyproject.toml",
    ROOT / "hatch_build.py",
    ROOT / ".ci" / "uv.txt",
    Path(__file__).resolve(),
]
SOURCES += sorted(ROOT.glob("harness/**/*.c"))

#: pjsua2-python has wheels for these among the versions this project supports.
FITTING = [(3, 11), (3, 12)]


def main():
    """Build the environment, or leave it as it is."""
    if sys.version_info < (3, 11):
        stop("python3 is %d.%d; needed: 3.11 or newer (another one: make PYTHON=python3.12)" % sys.version_info[:2])
    with open(str(ROOT / ".ci" / "bootstrap.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fingerprint = hashlib.sha256(b"\0".join(path.read_bytes() for path in SOURCES)).hexdigest()
        if READY.exists() and READY.read_text() == fingerprint and (VENV / "bin" / "harness").exists():
            READY.touch()
            return
        uv = private_uv()
        print("environment: installing what uv.lock names into .venv", flush=True)
        python = sys.executable if sys.version_info[:2] in FITTING else "3.12"
        run(
            [uv, "sync", "--locked", "--quiet", "--compile-bytecode", "--python", python, *trust()],
            "the locked dependencies could not be installed",
        )
        READY.write_text(fingerprint)


def trust():
    """Where the system keeps its list of authorities uv goes by that: a company's mirror may be signed by its own."""
    paths = ssl.get_default_verify_paths()
    known = paths.cafile or (paths.capath and os.listdir(paths.capath))
    return ["--system-certs"] if known else []


def private_uv():
    """The path of the pinned uv, installed when it is not there yet."""
    uv = UV_VENV / "bin" / "uv"
    wanted = (ROOT / ".ci" / "uv.txt").read_text()
    installed = UV_VENV / ".installed"
    if uv.exists() and installed.exists() and installed.read_text() == wanted:
        return str(uv)
    try:
        import ensurepip  # noqa: F401  # Debian's python3 has venv without it
        import venv
    except ImportError:
        stop("python3 lacks its venv module; install it (Debian, Ubuntu: apt-get install python3-venv)")
    print("environment: fetching uv into .uv", flush=True)
    venv.create(str(UV_VENV), with_pip=True, clear=True)
    pip = [str(UV_VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(
        [*pip, "install", "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / ".ci" / "uv.txt")],
        "uv could not be installed from PyPI",
    )
    installed.write_text(wanted)
    return str(uv)


def run(command, complaint):
    """Run a command; when it fails, say so in one line with the tool's own last words."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=str(ROOT), env=environment, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = [line for line in lines if line.lower().startswith(("error", "cause"))] or lines[-1:]
        stop("%s; is the network up, and PyPI within reach? %s" % (complaint, " ".join(told[:1] + told[1:][-1:])))


def stop(message):
    """End with a line for the user."""
    sys.exit("environment: " + message)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        stop(str(error))
