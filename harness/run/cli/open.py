"""``harness open``: a run's pages in the browser, served on this machine's loopback interface
alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

import typer

from harness.errors import MistakeError
from harness.report.allure import REPORT as ALLURE
from harness.report.nightly import page
from harness.report.run_directory import REPORT, require_files
from harness.report.signoff.manifest import HTML as SIGNOFF
from harness.run.cli import startup
from harness.run.cli.app import end_as_by_ctrl_c
from harness.support.files import whole_file
from harness.support.files.own_directories import Scratch

_OF_RUN: Final = {"report": REPORT, "sign-off": SIGNOFF, "Allure": f"{ALLURE}/index.html"}


class _Pages(SimpleHTTPRequestHandler):
    """Files below one directory, at paths that begin with a secret: other users of this machine
    reach the port, too.
    """

    def __init__(self, secret: str, *arguments: Any, **named: Any) -> None:
        self._secret = secret
        super().__init__(*arguments, **named)

    def send_head(self) -> Any:
        """Answer the path of a file behind the secret, and no other: a directory's would be
        redirected.
        """
        file = self._file()
        if file is None:
            self.send_error(404)
            return None
        self.path = quote(f"/{os.path.relpath(file, self.directory)}")
        return super().send_head()

    def _file(self) -> str | None:
        path, _, _ = self.path.partition("?")
        secret, _, rest = path.lstrip("/").partition("/")
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return None
        with contextlib.suppress(ValueError):  # a zero octet
            file = os.path.realpath(os.path.join(self.directory, unquote(rest)))
            if os.path.isfile(file) and Path(file).is_relative_to(self.directory):
                return file
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal shows the addresses."""


class _Server(ThreadingHTTPServer):
    """The server of the pages."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say an error in a line. A browser that leaves a page while it is sent makes none."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            startup.say(error)


#: Leads a browser to an address that its command line, which all users can read, does not have.
_LEADING: Final = """<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}"><a href="{address}">The report</a>
"""


def open_run(
    run: Annotated[
        Path, typer.Argument(metavar="[RUN]", help="A run's directory, or one with nights.")
    ] = Path("reports/latest"),
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the addresses.")
    ] = False,
) -> None:
    """Serve a run's pages on 127.0.0.1 until Ctrl-C, and open its report in the browser; of a
    directory of reports, the page of its nights.

    The addresses hold a secret: other users of this machine cannot open the pages.
    """
    directory = run.resolve()
    if (directory / REPORT).is_file():
        require_files(directory)
        first, reports = "report", directory.parent
        places = {name: directory / file for name, file in _OF_RUN.items()}
    elif (directory / page.FILE).is_file():
        first, reports, places = "nights", directory, {}
    else:
        raise MistakeError(
            f"{run}: has neither {REPORT} nor {page.FILE}; allowed: a run's directory, "
            "e.g. reports/latest, or one with nights"
        )
    end_as_by_ctrl_c()
    places["nights"] = reports / page.FILE
    base = reports if places["nights"].is_file() else directory
    secret = secrets.token_urlsafe(16)
    pages = partial(_Pages, secret, directory=str(base))
    with Scratch() as scratch, _Server(("127.0.0.1", 0), pages) as server:
        root = f"http://127.0.0.1:{server.server_port}/{secret}/"
        addresses = {}
        for name, place in places.items():
            if place.is_file():
                addresses[name] = root + quote(str(place.relative_to(base)))
                typer.echo(f"{name:<10}{addresses[name]}")
        typer.echo("Ctrl-C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            if not no_browser:
                leading = scratch.path / "open.html"
                whole_file.write(leading, _LEADING.format(address=addresses[first]))
                webbrowser.open(leading.as_uri())
            server.serve_forever()
