"""A simulated world in a process of its own, and the files that describe its tenants as if they
were somebody's real set-ups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.cli.simulate import live_file
from harness.run.plugin.worlds import one_world
from harness.support.files import stem_of
from tools.liveproof.plan import World

FILE = Path(__file__).with_name("world.toml")


class Outside:
    """Tenants that are as asked for; each world of a batch has one for itself."""

    def __init__(
        self, control: httpx.Client, tenants: Sequence[Deployment], directory: Path
    ) -> None:
        self._control = control
        self._tenants = tenants
        self._directory = directory

    def prepare(self, place: int, world: World) -> tuple[Path, Mapping[str, str]]:
        """Make the tenant at ``place`` what the world says, and describe it: the file, and its
        secrets for the environment.
        """
        tenant_at = {"tenant": place}
        self._asked("DELETE", "/faults", tenant_at)
        self._asked("PUT", "/settings", {**tenant_at, "settings": world.settings})
        if world.fault is not None:
            self._asked("POST", "/faults", {**tenant_at, "name": world.fault})
        tenant = self._tenants[place].model_copy(update={"name": f"simulated-{world.number}"})
        name, text, secrets = live_file(tenant, "live", tenant.timings_by("quick"))
        assert name == world.name
        hops = world.witness.rtcp == "terminated"
        for old, new in (
            ('transcript = "after"', f'transcript = "{world.witness.transcript}"'),
            ('rtcp = "end-to-end"', f'rtcp = "{"by-hop" if hops else "end-to-end"}"'),
            ('strength = "proved"', f'strength = "{world.witness.asks}"'),
            ("recording = true", f"recording = {str(world.witness.recording is not None).lower()}"),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        if world.witness.captures:
            captures = (
                self._directory
                / f"world-{stem_of(self._tenants[place].name)}"
                / f"captures-{place}"
            )
            assert captures.is_dir(), captures
            text += f'\n[witness]\ndirectory = "{captures}"\n'
        path = self._directory / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path, secrets

    def stood_still(self) -> list[tuple[float, float]]:
        """From when to when (monotonic) the world was too busy to send and hear audio, all its
        life.
        """
        still = self._asked("GET", "/calls").json()["stood_still"]
        return [(float(begin), float(end)) for begin, end in still]

    def _asked(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self._control.request(method, path, json=body).raise_for_status()


@contextmanager
def world(tenants: int, directory: Path) -> Iterator[Outside]:
    """Start it, and end it."""
    with (
        one_world(FILE, load(FILE), directory, tenants=tenants, controlled=True) as started,
        httpx.Client(base_url=started.api, timeout=30.0) as control,
    ):
        yield Outside(control, started.tenants, directory)
