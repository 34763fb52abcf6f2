"""``make test-wheel``: what a user does, from a fresh clone to a first call.

The commit is cloned into an empty directory. With an empty home, outside any virtual environment,
the wheel is built by ``make wheel``, ``uv build`` and ``pip wheel``, and installed beside Python
3.11 and Python 3.12: by ``uv tool install``, and by ``pip install`` from the repository. Both work
in an empty directory. uv finds both Pythons, or fetches them. Only the caches of uv and pip are the
caller's. Changes that are not committed are not tested.

Each step is a command with the exit code and the words it must end with. Exit code 0 when all steps
passed, 1 when one failed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

from harness.support import resources
from tools import ROOT, read_json, read_toml, release
from tools.pages import commands, files

_PAGE = ROOT / "docs" / "write-a-scenario.md"
_WITHIN_S = 120.0
_FETCHED_WITHIN_S = 900.0  #: 100 MB of compiler, or 180 MB of packages, from PyPI

_TABLE = read_toml(Path(__file__).with_suffix(".toml"))


class StepError(Exception):
    """A step did not end as it must; the text is its output."""


class Clone:
    """Fresh clones of the commit, and the ways to build and install them."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        home = scratch / "home"
        home.mkdir()
        kept = {name: os.environ[name] for name in _TABLE["kept"] if name in os.environ}
        project = str(Path(sys.executable).parent)
        path = [part for part in os.environ["PATH"].split(os.pathsep) if part != project]
        self.environment = kept | {
            "HOME": str(home),
            "PATH": os.pathsep.join(path),
            "UV_CACHE_DIR": _output(ROOT / ".uv" / "bin" / "uv", "cache", "dir"),
            "PIP_CACHE_DIR": _output(ROOT / ".uv" / "bin" / "pip", "cache", "dir"),
        }
        self.uv = Path()  #: a stock uv, once there is one

    def make_wheel(self) -> Path:
        """The wheel by the README's command, which also fetches the uv of the later steps."""
        clone = self._clone("make")
        self._run(clone, "make", "wheel")
        self.uv = clone / ".uv" / "bin" / "uv"
        return clone / "dist"

    def uv_build(self) -> Path:
        """Archive and wheel by ``uv build``."""
        clone = self._clone("uv")
        self._run(clone, self.uv, "build")
        return clone / "dist"

    def pip_wheel(self) -> Path:
        """The wheel by ``pip wheel``."""
        clone, venv = self._clone("pip"), self._scratch / "pip-venv"
        before = set(self._venv(venv, "3.12").rglob("*"))
        pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        self._run(clone, *pip, "wheel", "--no-deps", "--wheel-dir", clone / "dist", ".")
        left = {path for path in venv.rglob("*") if "__pycache__" not in path.parts} - before
        if left:
            raise StepError(f"the build left files beside the interpreter: {sorted(left)[:5]}")
        return clone / "dist"

    def uv_tool_install(self, wheel: Path, version: str) -> Path:
        """The programs of an installation by ``uv tool install WHEEL``."""
        tools = self._scratch / "tools"
        where = {"UV_TOOL_DIR": str(tools), "UV_TOOL_BIN_DIR": str(self._scratch / "bin")}
        install = (self.uv, "tool", "install", "--python", version, wheel)
        self._run(self._scratch, *install, extra=where | {"PYENV_VERSION": version})
        return tools / "call-verification-harness" / "bin"

    def pip_install(self, version: str) -> Path:
        """The programs of an installation by ``pip install`` from the repository."""
        venv = self._venv(self._scratch / f"venv-{version}", version)
        pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        source = f"git+{(self._scratch / 'clone-make').as_uri()}"
        self._run(self._scratch, *pip, "install", source)
        return venv / "bin"

    def _clone(self, name: str) -> Path:
        clone = self._scratch / f"clone-{name}"
        git = ["git", "clone", "--quiet", str(ROOT), str(clone)]
        subprocess.run(
            git, check=True
        )  # with the caller's environment: root clones for sudo's user
        return clone

    def _venv(self, path: Path, version: str) -> Path:
        """An environment of this Python with pip. pyenv, where it is, has to be asked for it."""
        venv = (self.uv, "venv", "--quiet", "--seed", "--no-project", "--python", version, path)
        self._run(self._scratch, *venv, extra={"PYENV_VERSION": version})
        return path

    def _run(
        self, directory: Path, *command: str | Path, extra: Mapping[str, str] | None = None
    ) -> None:
        run(command, directory, {**self.environment, **(extra or {})}, within_s=_FETCHED_WITHIN_S)


def run(
    command: Sequence[str | Path],
    directory: Path,
    environment: Mapping[str, str],
    *,
    code: int = 0,
    says: str = "",
    within_s: float = _WITHIN_S,
) -> str:
    """The output of a command. Raises :class:`StepError` when exit code or words are others."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_s,
        check=False,
    )
    if done.returncode != code or says not in done.stdout:
        expected = f"exit code {code}" + (f" and {says!r}" if says else "")
        line = " ".join(map(str, command))
        raise StepError(f"{line}: exit code {done.returncode}, not {expected}\n{done.stdout}")
    return done.stdout


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def names_in(wheel: Path) -> set[PurePosixPath]:
    """The files of a wheel."""
    with ZipFile(wheel) as packed:
        return set(map(PurePosixPath, packed.namelist()))


def look(built: Path) -> None:
    """Check that wheel and source archive hold the resources of a user, the files that tests need,
    and nothing else. Raises :class:`StepError`.
    """
    (wheel,), (archive,) = built.glob("*.whl"), built.glob("*.tar.gz")
    used = names_in(wheel)
    with tarfile.open(archive) as source:
        tested = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in source.getnames()}
    resource = PurePosixPath("harness/support/_resources")
    folders = (resources.SCENARIOS, resources.PROMPTS, resources.TEMPLATES)
    resource_files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    wanted = {
        resource / file.relative_to(resources.ROOT)
        for file in resource_files
        if "__pycache__" not in file.parts
    }
    missing = (wanted - used) | (set(map(PurePosixPath, _TABLE["of_tests"])) - tested)
    if missing or not wanted:
        raise StepError(f"missing: {missing}")
    strange = {name for name in used if set(_TABLE["not_of_users"]) & set(name.parts)}
    strange |= {name for name in tested if set(_TABLE["not_of_source"]) & set(name.parts)}
    reports = {name for name in tested if name.parts[:1] == ("reports",)}
    strange |= reports - {PurePosixPath("reports/README.md")}
    if strange:
        raise StepError(f"does not belong there: {strange}")


def check_metadata(wheel: Path) -> None:
    """Check the wheel's METADATA. Raises :class:`StepError`."""
    with ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(packed.read(name))
        licences = [name for name in packed.namelist() if name.endswith("/licenses/LICENSE")]
    wrong = [
        f"{field}: {metadata.get_all(field)}"
        for field, value in _TABLE["metadata"].items()
        if value not in metadata.get_all(field, [])
    ]
    if "# Call verification harness" not in metadata.get_payload():
        wrong.append("no readme")
    if len(licences) != 1:
        wrong.append("no LICENSE")
    if wrong:
        raise StepError(f"{wheel.name}: METADATA: {', '.join(wrong)}")


class Installed:
    """An installation of the wheel, used from an empty directory."""

    def __init__(self, programs: Path, work: Path, environment: Mapping[str, str]) -> None:
        self._programs, self.work = programs, work
        path = f"{programs}{os.pathsep}{environment['PATH']}"
        self._environment = {**environment, "PATH": path}
        work.mkdir()

    def harness(self, *arguments: str, code: int = 0, says: str = "") -> None:
        """Run a command of ``harness``."""
        self._run("harness", *arguments, code=code, says=says)

    def pytest(self, *arguments: str, code: int = 0, says: str = "") -> None:
        """Run pytest itself."""
        self._run("pytest", "-p", "no:cacheprovider", *arguments, code=code, says=says)

    def _run(self, program: str, *arguments: str, code: int, says: str) -> None:
        command = [str(self._programs / program), *arguments]
        run(command, self.work, self._environment, code=code, says=says)

    def follow(self, page: Path) -> list[dict[str, Any]]:
        """Write the page's files, run its commands; the summaries of the runs they made."""
        for name, text in files(page).items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text, encoding="utf-8")
        summaries = []
        for command in commands(page):
            run(("bash", "-c", command.line), self.work, self._environment, code=command.exits)
            summaries.append(self.summary())
        return summaries

    def summary(self) -> dict[str, Any]:
        """The newest run's."""
        path = self.work / "reports" / "latest" / "summary.json"
        summary: dict[str, Any] = read_json(path)
        return summary

    def simulate(self) -> None:
        """Start the world alone, and end it by Ctrl-C."""
        # A shell starts what runs in its background with SIGINT ignored, which the world would
        # inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        harness = str(self._programs / "harness")
        command = [harness, "simulate", "simulated-generic", "--timings", "quick"]
        world = subprocess.Popen(
            command, cwd=self.work, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert world.stdout is not None
        said = []
        try:
            for line in world.stdout:
                said.append(line)
                if line.startswith("Ctrl-C ends it."):
                    world.send_signal(signal.SIGINT)
            if world.wait(_WITHIN_S) or not said or not said[-1].startswith("Ctrl-C"):
                raise StepError(f"harness simulate: exit code {world.returncode}\n{''.join(said)}")
        finally:
            world.kill()


def check_first_hour(installed: Installed) -> None:
    """The commands of a new user. Raises :class:`StepError`."""
    installed.harness("--version", says=release.version())
    installed.harness("rows", says="TD-INBOUND")
    installed.harness("examples", says="simulated-talkdesk")
    installed.harness("examples", "live-large", "copied", says="live-large.csv")
    installed.harness("verify", "simulated-talkdesk", "--row", "TD-INBOUND", says=" 0 failed")
    summary = installed.summary()
    if summary["cases"] < 2 or summary["passed"] != summary["cases"]:
        raise StepError(f"TD-INBOUND: {summary['passed']} of {summary['cases']} cases passed")
    installed.harness("init", *(f"--{name}={answer}" for name, answer in _TABLE["answers"].items()))
    installed.harness("verify", "deployment.toml", "--plan", says="no calls placed")
    found = [
        [made[name] for name in ("cases", "passed", "failed")] for made in installed.follow(_PAGE)
    ]
    if found != [[1, 1, 0], [1, 0, 1]]:
        raise StepError(f"{_PAGE.name}: cases, passed, failed: {found}")


def check_plugin(installed: Installed) -> None:
    """pytest alone, in a project with tests of its own. Raises :class:`StepError`."""
    (installed.work / "test_ordinary.py").write_text(
        "def test_ordinary():\n    assert True\n", encoding="utf-8"
    )
    installed.pytest("scenarios", says="scenarios need a deployment", code=4)
    installed.pytest("test_ordinary.py", says="1 passed")
    # pytest without paths reads this one first.
    shutil.move(installed.work / "scenarios" / "conftest.py", installed.work / "conftest.py")
    chosen = ("--deployment", "lab.toml", "--row", "OWN-CALLS-AGAIN")
    installed.pytest(*chosen, says="1 passed, 0 failed")


def steps(scratch: Path) -> Iterator[str]:
    """Name each step, then take it."""
    clone = Clone(scratch)
    yield "make wheel, in a fresh clone"
    made = clone.make_wheel()
    yield "uv build, in a fresh clone"
    built = clone.uv_build()
    yield "pip wheel, in a fresh clone, leaves nothing beside the interpreter"
    piped = clone.pip_wheel()
    yield "archive and wheel hold what their users need, and nothing else; the metadata are complete"
    look(built)
    wheels = [wheel for dist in (made, built, piped) for wheel in dist.glob("*.whl")]
    if len(wheels) != 3 or any(names_in(wheel) != names_in(wheels[0]) for wheel in wheels):
        raise StepError(f"three wheels with the same files are expected: {wheels}")
    for wheel in wheels:
        check_metadata(wheel)
    yield "Python 3.11: uv tool install WHEEL"
    programs = clone.uv_tool_install(wheels[0], "3.11")
    first = Installed(programs, scratch / "work-3.11", clone.environment)
    yield "Python 3.11: examples, a row, init, the scenario of docs/write-a-scenario.md"
    check_first_hour(first)
    yield "Python 3.11: harness simulate, by the example's name"
    first.simulate()
    yield "Python 3.11: pytest --deployment, in a project with tests of its own"
    check_plugin(first)
    yield "Python 3.12: pip install git+file://CLONE"
    programs = clone.pip_install("3.12")
    yield "Python 3.12: examples, a row, init, the scenario of docs/write-a-scenario.md"
    check_first_hour(Installed(programs, scratch / "work-3.12", clone.environment))


def main() -> int:
    """Take all steps; the first that fails ends it."""
    began = at = time.monotonic()
    if _output("git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"):
        print("wheel: changes that are not committed are not tested", flush=True)
    with tempfile.TemporaryDirectory(prefix="harness-wheel-") as scratch:
        name = ""
        try:
            for following in chain(steps(Path(scratch)), [""]):
                now = time.monotonic()
                if name:
                    print(f"ok       {name} ({now - at:.1f} s)", flush=True)
                name, at = following, now
        except (StepError, subprocess.SubprocessError) as error:
            print(f"FAILED   {name}: {error}", flush=True)
            return 1
    print(f"wheel: all steps passed in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
