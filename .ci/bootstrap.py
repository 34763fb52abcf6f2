"""Builds ``.venv`` from ``uv.lock``: a private venv with a pinned uv, which then installs what the
lock names, hashes checked.

Without arguments it installs what ``harness`` needs, with ``developer`` the tools of developers as
well. Tools that are installed stay. The C compiler, 450 MB with its cache, is there only while it
compiles, or with the tools. With ``wheel`` it builds the wheel and the source archive into ``dist``
instead, and leaves ``.venv`` alone.

Run by make with whatever ``python3`` is on the PATH, so this file keeps to syntax that an old
Python can read, and to the standard library. Several at once in one checkout wait for each other;
one that finds everything up to date ends at once.
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
DIST = ROOT / "dist"
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

#: Lines of uv that the user sees.
SHOWN = ("Downloading", "Downloaded", "Building", "Built", "Prepared", "Installed", "Successfully")


def main():
    """Build the environment, or leave it as it is."""
    if sys.version_info < (3, 11):
        stop(
            "python3 is %d.%d; needed: 3.11 or newer (another one: make PYTHON=python3.12)"
            % sys.version_info[:2]
        )
    with open(str(ROOT / ".ci" / "bootstrap.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if sys.argv[1:] == ["wheel"]:
            wheel(private_uv())
            return
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
        what = ("the developer tools", 400) if tools else ("what harness needs", 180)
        say("installing %s into .venv (up to %d MB to download)" % what)
        for stamp in (READY, DEVELOPER):
            if stamp.exists():
                stamp.unlink()
        if tools:  # who changes C compiles it often: 0.1 s instead of 7 s
            os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", str(VENV / "zig-cache"))
        else:
            sync(uv, "--no-default-groups", "--group", "build")
        sync(uv, "--compile-bytecode", *([] if tools else ["--no-default-groups"]))
        for stamp in stamps:
            stamp.write_text(fingerprint)


def is_of(stamp, fingerprint):
    """Whether the environment was made of the present files."""
    return stamp.exists() and stamp.read_text() == fingerprint


def sync(uv, *what):
    """Install what uv.lock names of these groups and for every optional feature; remove everything
    else. The harness itself is built with the hatchling and the compiler of uv.lock.
    """
    command = [
        uv,
        "sync",
        "--locked",
        "--all-extras",
        "--no-build-isolation-package",
        "call-verification-harness",
        *which(),
        *what,
    ]
    run(command, "the locked dependencies could not be installed")


def wheel(uv):
    """Build source archive and wheel, with what uv.lock names for building them, hashes checked."""
    say("building the wheel into dist (100 MB to download, a C compiler)")
    pins = UV_VENV / "build.txt"
    group = ["--only-group", "build", "--format", "requirements.txt"]
    locked = [uv, "export", "--quiet", "--locked", *group, "--output-file", str(pins), *which()]
    run(locked, "what builds the wheel could not be read from uv.lock")
    checked = ["--build-constraints", str(pins), "--require-hashes"]
    build = [uv, "build", *checked, "--out-dir", str(DIST), *which(), str(ROOT)]
    run(build, "the wheel could not be built")


def which():
    """The Python to use, and the authorities to trust, as options of uv."""
    python = sys.executable if sys.version_info[:2] in FITTING else "3.12"
    return ["--python", python, *trust()]


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
    say("fetching uv into .uv (25 MB)")
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
    """Run a command, and show what it fetches; when it fails, say so in one line with the tool's
    own last words.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    lines = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=str(ROOT), env=environment
    ) as process:
        for line in map(str.strip, process.stderr):
            if line.startswith(SHOWN):
                print("  " + line, flush=True)
            elif line:
                lines.append(line)
    if process.returncode:
        told = [line for line in lines if line.lower().startswith(("error", "cause"))] or lines[-1:]
        stop(
            "%s; is the network up, and PyPI within reach? %s"
            % (complaint, " ".join(told[:1] + told[1:][-1:]))
        )


def say(message):
    """A line for the user."""
    print("environment: " + message, flush=True)


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
