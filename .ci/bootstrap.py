"""Builds ``.venv`` from ``uv.lock``: a private venv with a pinned uv, which then installs what the
lock names, hashes checked.

Without arguments it installs what ``harness`` needs, with ``developer`` the tools of developers as
well. Tools that are installed stay. The C compiler, 450 MB with its cache, is there only while it
compiles, or with the tools.

Run by make with whatever ``python3`` is on the PATH, so this file keeps to syntax that an old
Python can read, and to the standard library. Several at once in one checkout wait for each other;
one that finds everything up to date ends at once.
"""

import fcntl
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV_VENV = ROOT / ".uv"
VENV = ROOT / ".venv"
READY = VENV / ".ready"
DEVELOPER = VENV / ".developer"
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
        stop(
            "python3 is %d.%d; needed: 3.11 or newer (another one: make PYTHON=python3.12)"
            % sys.version_info[:2]
        )
    with open(str(ROOT / ".ci" / "bootstrap.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fingerprint = hashlib.sha256(b"\0".join(path.read_bytes() for path in SOURCES)).hexdigest()
        tools = sys.argv[1:] == ["developer"] or (VENV / "bin" / "ruff").exists()
        stamps = [READY, DEVELOPER] if tools else [READY]
        if (
            all(is_of(stamp, fingerprint) for stamp in stamps)
            and (VENV / "bin" / "harness").exists()
        ):
            for stamp in stamps:
                stamp.touch()
            return
        uv = private_uv()
        what = "the developer tools" if tools else "what harness needs"
        print("environment: installing %s into .venv (about half a minute)" % what, flush=True)
        for stamp in (READY, DEVELOPER):
            if stamp.exists():
                stamp.unlink()
        if not tools:
            sync(uv, "--no-default-groups", "--group", "build")
            shutil.rmtree(str(VENV / "zig-cache"), ignore_errors=True)
        sync(uv, "--compile-bytecode", *([] if tools else ["--no-default-groups"]))
        for stamp in stamps:
            stamp.write_text(fingerprint)


def is_of(stamp, fingerprint):
    """Whether the environment was made of the present files."""
    return stamp.exists() and stamp.read_text() == fingerprint


def sync(uv, *what):
    """Install what uv.lock names of these groups and for every optional feature; remove everything
    else.
    """
    python = sys.executable if sys.version_info[:2] in FITTING else "3.12"
    command = [
        uv,
        "sync",
        "--locked",
        "--quiet",
        "--all-extras",
        "--python",
        python,
        *trust(),
        *what,
    ]
    run(command, "the locked dependencies could not be installed")


def trust():
    """Where the system keeps its list of authorities uv goes by that: a company's mirror may be
    signed by its own.
    """
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
        stop(
            "python3 lacks its venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"
        )
    print("environment: fetching uv into .uv", flush=True)
    venv.create(str(UV_VENV), with_pip=True, clear=True)
    pip = [str(UV_VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(
        [
            *pip,
            "install",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "-r",
            str(ROOT / ".ci" / "uv.txt"),
        ],
        "uv could not be installed from PyPI",
    )
    installed.write_text(wanted)
    return str(uv)


def run(command, complaint):
    """Run a command; when it fails, say so in one line with the tool's own last words."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    done = subprocess.run(
        command, stderr=subprocess.PIPE, text=True, cwd=str(ROOT), env=environment, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = [line for line in lines if line.lower().startswith(("error", "cause"))] or lines[-1:]
        stop(
            "%s; is the network up, and PyPI within reach? %s"
            % (complaint, " ".join(told[:1] + told[1:][-1:]))
        )


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
