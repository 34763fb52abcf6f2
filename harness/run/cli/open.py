"""``harness open``: a run's pages in the browser, served on this machine's loopback interface
alone.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from harness.errors import MistakeError
from harness.report.allure import REPORT as ALLURE
from harness.report.nightly import page
from harness.report.run_directory import REPORT, require_files
from harness.report.signoff.manifest import HTML as SIGNOFF

_OF_RUN: Final = {"report": REPORT, "sign-off": SIGNOFF, "Allure": f"{ALLURE}/index.html"}


class _Pages(SimpleHTTPRequestHandler):
    """Files below one directory, at paths that begin with a secret: other users of this machine
    reach the port, too.
    """

    def __init__(self, secret: str, *arguments: Any, **named: Any) -> None:
        self._secret = secret
        super().__init__(*arguments, **named)

    def send_head(self) -> Any:
        """Answer a path behind the secret, and no other."""
        first, _, rest = self.path.lstrip("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._secret.encode()):
            self.send_error(404)
            return None
        self.path = f"/{rest}"
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal shows the addresses."""


def open_run(
    run: Annotated[Path, typer.Argument(metavar="[RUN]", help="A run's directory.")] = Path(
        "reports/latest"
    ),
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the addresses.")
    ] = False,
) -> None:
    """Serve a run's pages on 127.0.0.1 until Ctrl-C, and open its report in the browser."""
    directory = run.resolve()
    if not (directory / REPORT).is_file():
        raise MistakeError(
            f"{run}: has no {REPORT}; allowed: a run's directory, e.g. reports/latest"
        )
    require_files(directory)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    base = directory.parent if (directory.parent / page.FILE).is_file() else directory
    places = {name: directory / file for name, file in _OF_RUN.items()} | {
        "nights": directory.parent / page.FILE
    }
    secret = secrets.token_urlsafe(16)
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Pages, secret, directory=str(base))
    ) as server:
        root = f"http://127.0.0.1:{server.server_port}/{secret}/"
        addresses = {
            name: root + quote(str(place.relative_to(base)))
            for name, place in places.items()
            if place.is_file()
        }
        for name, address in addresses.items():
            typer.echo(f"{name:<10}{address}")
        typer.echo("Ctrl-C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            if not no_browser:
                webbrowser.open(addresses["report"])
            server.serve_forever()
