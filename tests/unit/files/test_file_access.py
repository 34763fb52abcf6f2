"""Files, temporary directories and processes are opened in few places: elsewhere a FIFO, a link or
another user's file gets in.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness

PACKAGE = Path(harness.__file__).parent

FILE, TEMPORARY, PROCESS, PYTHON, DATABASE = (
    "file",
    "temporary directory",
    "process",
    "Python",
    "database",
)

#: Module or room → what it may use, and why.
ALLOWED = {
    "support/files/": ({FILE, TEMPORARY}, "is where all others read, write and make directories"),
    "audio/marks.py": ({FILE}, "reads the package's own table of words"),
    "audio/wav.py": ({FILE}, "hands libsndfile a file that user_files has opened"),
    "witness/sound_file.py": ({FILE}, "hands libsndfile what user_files has read"),
    "world/synthflow/recordings.py": ({FILE}, "has libsndfile encode in memory"),
    "report/history.py": ({DATABASE}, "keeps earlier runs in SQLite"),
    "case/recorder.py": (
        {FILE},
        "appends evidence to a file of its own case while the case runs",
    ),
    "phone/recording.py": (
        {FILE},
        "repairs recordings that pjmedia wrote in the harness's own directory",
    ),
    "phone/rtp_log.py": ({FILE}, "appends to a log in the harness's own directory"),
    "phone/child/log_ring.py": ({FILE}, "maps a log in the harness's own directory into memory"),
    "phone/child/native.py": ({FILE}, "maps what pjsip wrote, and pjsip's own library"),
    "world/pki.py": ({FILE}, "writes the simulated world's keys, readable by this user alone"),
    "world/capture.py": ({FILE}, "writes captures in the simulated world's own directory"),
    "world/world.py": ({FILE}, "writes the simulated world's log in its own directory"),
    "support/forkserver/server.py": ({FILE}, "wraps descriptors that it was handed"),
    "run/plugin/starvation.py": ({FILE}, "reads the kernel's counters four times a second"),
    "run/plugin/workers.py": ({FILE}, "reads the kernel's list of its own processes"),
    "witness/campaign.py": ({FILE}, "writes to the terminal"),
    "run/plugin/worlds.py": ({FILE, PROCESS}, "starts simulated worlds, and keeps their stderr"),
    "run/plugin/witness_files.py": (
        {PROCESS, TEMPORARY},
        "runs the customer's command, in a directory of its own",
    ),
    "support/terminal.py": (
        {PYTHON},
        "looks for the command beside the interpreter; starts nothing",
    ),
    "phone/process.py": ({FILE, PROCESS}, "starts softphones, and keeps their stderr"),
    "run/fleet/worker.py": ({FILE, PROCESS}, "starts pytest for a shard, and keeps its output"),
    "support/forkserver/__init__.py": (
        {PROCESS, PYTHON},
        "starts fork servers, and is how all others start Python: never with modules of the current directory (-P, -I)",
    ),
    "support/forkserver/client.py": (
        {PROCESS, PYTHON},
        "becomes the interpreter, with -P, where there is no fork server",
    ),
    "report/nightly/night.py": ({PROCESS}, "starts the night's verification"),
    "report/allure.py": ({PROCESS}, "starts Allure"),
    "report/processes.py": ({PROCESS}, "starts Python to make the reports of many cases"),
}

METHODS = {"read_text", "read_bytes", "write_text", "write_bytes"}
TEMPORARIES = {
    "mkdtemp",
    "mkstemp",
    "gettempdir",
    "TemporaryDirectory",
    "NamedTemporaryFile",
    "TemporaryFile",
}
OF_MODULES = {
    FILE: """os.open os.makedirs os.mkfifo io.open codecs.open soundfile.SoundFile soundfile.info soundfile.read""",
    DATABASE: "sqlite3.connect",
    PROCESS: """os.execv os.execve os.execvp os.posix_spawn os.system os.popen subprocess.run subprocess.Popen
    subprocess.call subprocess.check_call subprocess.check_output asyncio.create_subprocess_exec
    asyncio.create_subprocess_shell""",
}
KINDS = {name: kind for kind, names in OF_MODULES.items() for name in names.split()}


def uses(source: str) -> Iterator[tuple[str, int]]:
    """What of the outside a module uses, and in which line. To open ``os.devnull`` is no use, nor a
    descriptor.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in {"subprocess", "tempfile"}:
            yield (PROCESS if node.module == "subprocess" else TEMPORARY), node.lineno
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable":
            yield PYTHON, node.lineno
        if not isinstance(node, ast.Call) or (
            node.args and ast.unparse(node.args[0]) == "os.devnull"
        ):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id == "open":
            yield FILE, node.lineno
        if not isinstance(function, ast.Attribute):
            continue
        owner = ast.unparse(function.value)
        name = function.attr
        if kind := KINDS.get(f"{owner}.{name}"):
            yield kind, node.lineno
        elif name in METHODS and owner != "user_files":
            yield FILE, node.lineno
        elif name in TEMPORARIES:
            yield TEMPORARY, node.lineno
        elif name == "open" and owner not in {"self", "tarfile", "os"} and _is_mode(node):
            yield FILE, node.lineno


def _is_mode(call: ast.Call) -> bool:
    """Whether it is ``Path.open``: without an argument, or with a mode first."""
    return not call.args or (
        isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    )


def permitted(module: str) -> set[str]:
    return set().union(
        *(kinds for place, (kinds, _) in ALLOWED.items() if module.startswith(place))
    )


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[int]]]:
    """Module → kind of use → lines."""
    result: dict[str, dict[str, list[int]]] = {}
    for path in PACKAGE.rglob("*.py"):
        kinds: dict[str, list[int]] = defaultdict(list)
        for kind, line in uses(path.read_text(encoding="utf-8")):
            kinds[kind].append(line)
        result[path.relative_to(PACKAGE).as_posix()] = kinds
    return result


def test_no_other_module_opens_files_or_starts_processes(
    found: dict[str, dict[str, list[int]]],
) -> None:
    wrong = [
        f"harness/{module}:{','.join(map(str, lines))}: uses a {kind} by itself; use harness/support/files, or add it to ALLOWED"
        for module, kinds in sorted(found.items())
        for kind, lines in kinds.items()
        if kind not in permitted(module)
    ]
    assert not wrong, "\n".join(wrong)


def test_each_allowed_place_needs_its_permission(found: dict[str, dict[str, list[int]]]) -> None:
    for place, (kinds, _) in ALLOWED.items():
        used = {kind for module, uses in found.items() if module.startswith(place) for kind in uses}
        assert kinds == used, place
