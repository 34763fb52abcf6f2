"""An HTTP API of the shape of Synthflow's, over what somebody knows of calls."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CallsApi:
    """Answers at ``base`` until it is ended; ``calls`` tells all calls as they are now, oldest
    first.
    """

    def __init__(self, host: str, token: str, calls: Callable[[], list[dict[str, Any]]]) -> None:
        self._server = ThreadingHTTPServer((host, 0), _handler(token, calls))
        self.base = f"http://{host}:{self._server.server_port}/v2"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="API of calls"
        )
        self._thread.start()

    def end(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(token: str, calls: Callable[[], list[dict[str, Any]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            wanted = path.removeprefix("/v2/calls").strip("/")
            found = [call for call in calls() if wanted in ("", call["call_id"])]
            if not wanted:
                since = int(query.partition("from_date=")[2].partition("&")[0] or 0) / 1000
                found = [call for call in reversed(found) if call["start_time"] >= since]
            body = json.dumps({"status": "ok", "response": {"calls": found}}).encode()
            right = self.headers.get("Authorization") == f"Bearer {token}"
            self.send_response(200 if right else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) if right else 0))
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # whoever asked had no more patience
                self.end_headers()
                self.wfile.write(body if right else b"")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the harness's evidence has what was asked."""

    return Handler
