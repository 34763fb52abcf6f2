"""``make corpus``: stored cases that every version has to judge as this one does
(``tests/contract/corpus``).

The self-proofs are run with their evidence kept, and one case of each kind is picked: by row,
fault, AI, what its interface shows, and outcome. Sound is left out, and the cases of each proof are
packed into one archive. ``expected.txt`` has a line for each case: how it is judged.

    python -m tools.corpus                 # record, pick, pack and write what is expected: an hour on a quiet machine
    python -m tools.corpus --from DIR      # the same from evidence kept in DIR, by proof: DIR/selfproof*, DIR/strangers* …;
                                           # a proof without evidence there keeps its archive
    python -m tools.corpus --expect        # only write expected.txt again, by today's code; review the difference
"""

from __future__ import annotations

import argparse
import json
import lzma
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools import HARNESS, ROOT, read_json

if sys.version_info >= (3, 11, 4):
    import tarfile
else:  # its own does not know PEP 706
    from backports import tarfile  # type: ignore[no-redef]

CORPUS: Final = ROOT / "tests" / "contract" / "corpus"
EXPECTED: Final = CORPUS / "expected.txt"
#: What is kept of a case.
_FILES: Final = ("case.json", "deployment.json", "events.jsonl")
_PASSED: Final = "passed"
#: How many cases of each proof there have to be. ``passed`` are cases of a clean run.
LEAST: Final = {"selfproof": 350, "strangers": 80, "liveproof": 80, "shapes": 60, _PASSED: 100}
#: A broken case says nothing of the system; a few show that it stays broken.
_MOST_BROKEN: Final = 2
_EXAMPLES: Final = [
    f"scenarios/deployments/simulated-{name}.toml" for name in ("talkdesk", "gladly")
]


@dataclass(frozen=True)
class Case:
    """A recorded case, as ``harness report --rejudge --json`` tells of it."""

    directory: Path
    judged: Mapping[str, Any]

    @property
    def kind(self) -> tuple[object, ...]:
        """What it is an example of; one of each kind is kept."""
        plain = read_json(self.directory / "case.json")
        axes = plain.get("axes") or {}
        fault = str(axes.get("trial", "")).partition(".")[0]
        where = plain["integration"] if self.verdict == _PASSED else ""
        return (
            plain["row"],
            fault,
            axes.get("ai"),
            where,
            self._shown(),
            *_cells(self.judged["recorded"]),
        )

    def _shown(self) -> str:
        """What the AI's interface shows of a live call; a simulated AI shows everything."""
        path = self.directory / "deployment.json"
        deployment = read_json(path) if path.exists() else {}
        if deployment.get("kind") != "live":
            return ""
        synthflow = deployment.get("synthflow") or {}
        return json.dumps([synthflow.get(key) for key in ("witness", "transcript", "rtcp")])

    @property
    def verdict(self) -> str:
        """As recorded."""
        return str(self.judged["recorded"]["verdict"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, pick, pack, and write what is expected. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.corpus", description=__doc__)
    parser.add_argument(
        "--from", dest="kept", type=Path, metavar="DIR", help="pick from the evidence that is there"
    )
    parser.add_argument("--expect", action="store_true", help="only write expected.txt again")
    asked = parser.parse_args(arguments)
    if not asked.expect:
        with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
            kept = asked.kept or _recorded(Path(scratch))
            picked = {proof: _picked(proof, kept) for proof in LEAST}
        CORPUS.mkdir(exist_ok=True)
        for proof, cases in picked.items():
            if not cases:  # the archive that is there stays
                continue
            archive = CORPUS / f"{proof}.tar.xz"
            _pack(archive, proof, cases)
            print(
                f"{archive.relative_to(ROOT)}: {len(cases)} cases, {archive.stat().st_size / 1e6:.1f} MB"
            )
    with tempfile.TemporaryDirectory(prefix="corpus-") as scratch:
        run = unpacked(Path(scratch))
        EXPECTED.write_text("\n".join(expectations(_rejudged(run))) + "\n", encoding="utf-8")
    print(EXPECTED.relative_to(ROOT))
    counts = Counter(line.partition(".")[0] for line in EXPECTED.read_text("utf-8").splitlines())
    few = [
        f"{proof}: {counts[proof]} of {least}"
        for proof, least in LEAST.items()
        if counts[proof] < least
    ]
    print("\n".join(f"too few cases of {words}" for words in few))
    return int(bool(few))


def unpacked(directory: Path) -> Path:
    """A run's directory with all cases of the corpus, made in ``directory``."""
    for archive in sorted(CORPUS.glob("*.tar.xz")):
        with tarfile.open(archive) as packed:
            packed.extractall(directory / "cases", filter="data")
    return directory


def expectations(rejudged: Mapping[str, Any]) -> Iterator[str]:
    """A line for each case as it is judged now, and a last one for all.

    Of causes that only may be in the first one's stead, the name ends with a question mark.
    """
    yield "case | verdict | failed checks | first cause | confidence | owner | other causes"
    for case in rejudged["cases"]:
        yield " | ".join((case["directory"], *_cells(case["now"])))
    totals = rejudged["totals"]
    of_record = ", ".join(
        f"{count} {why}" for why, count in sorted(totals["from_the_record"].items())
    )
    yield f"findings made again: {totals['made_again']}; taken from the record: {of_record or 'none'}"


def _cells(judged: Mapping[str, Any]) -> list[str]:
    first, *others = judged["causes"] or [{}]
    return [
        judged["verdict"],
        ", ".join(judged["failed"]) or "-",
        _name(first),
        str(first.get("confidence", "-")),
        str(first.get("owner", "-")),
        ", ".join(map(_name, others)) or "-",
    ]


def _name(cause: Mapping[str, Any]) -> str:
    return f"{cause.get('id', '-')}{'?' if cause.get('candidate') else ''}"


def _recorded(directory: Path) -> Path:
    """Run the proofs; what they find amiss is theirs to say."""
    python, reports = [sys.executable, "-m"], directory / "figures"
    for place in (directory / "selfproof", directory / "strangers", reports):
        place.mkdir()
    commands: list[list[str | Path]] = [
        [HARNESS, "verify", *_EXAMPLES, "--quiet", "--reports", directory / _PASSED],
        [*python, "tools.selfproof", "--clean=0", "--reports", directory / "selfproof", "--page", reports / "page.md"],
        [*python, "tools.strangers", "--clean=12", "--reports", directory / "strangers"],
        [*python, "tools.liveproof", "--sample=60", "--seed=51", "--keep", directory / "liveproof", "--reports", reports],
        [*python, "tools.shapes", "--customers=12", "--seed=51", "--keep", directory / "shapes", "--json", reports / "s.json"],
    ]  # fmt: skip
    for command in commands:
        print(*command, flush=True)
        subprocess.run(command, cwd=ROOT, check=False)
    return directory


def _picked(proof: str, kept: Path) -> list[Case]:
    """The first case of each kind, in the order of the runs and of their cases."""
    found: dict[tuple[object, ...], Case] = {}
    broken = 0
    for run in sorted({path.parent.resolve() for path in kept.glob(f"{proof}*/**/cases")}):
        for judged in _rejudged(run)["cases"]:
            case = Case(run / "cases" / judged["directory"], judged)
            if (
                case.judged["differences"]
                or case.kind in found
                or (proof == _PASSED != case.verdict)
            ):
                continue
            broken += case.verdict == "broken"
            if case.verdict != "broken" or broken <= _MOST_BROKEN:
                found[case.kind] = case
    return list(found.values())


def _rejudged(run: Path) -> Any:
    command: list[str | Path] = [HARNESS, "report", run, "--rejudge", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def _pack(archive: Path, proof: str, cases: Iterable[Case]) -> None:
    """One file after another of the same kind, since those are alike; nothing of when and by whom
    it was packed.
    """
    names: Counter[str] = Counter()
    members = []
    for case in cases:
        name = f"{proof}.{case.directory.name}"
        names[name] += 1
        name += f"~{names[name]}" * (names[name] > 1)
        members += [(file, f"{name}/{file}", case.directory / file) for file in _FILES]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 27}]
    with (
        lzma.open(archive, "w", filters=filters) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for _, name, path in sorted(members):
            if not path.exists():  # a case without a deployment
                continue
            about = tarfile.TarInfo(name)
            about.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(about, content)


if __name__ == "__main__":
    sys.exit(main())
