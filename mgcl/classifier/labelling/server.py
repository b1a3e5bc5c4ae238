"""The page of a labelling session, served on this machine alone."""

import json
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mgcl.classifier.labelling.choosing import RANDOM_EVERY
from mgcl.classifier.labelling.session import MODES, REFIT_EVERY, Session
from mgcl.classifier.stretches import samples_of
from mgcl.classifier.wav import as_wav
from mgcl.errors import MgclError, with_flags
from mgcl.reporting.page import templates

HOST = "127.0.0.1"
_LONGEST = 10_000
"""Bytes of a request; an answer has some hundred."""
_TEXT = "text/plain; charset=utf-8"


def serve(session: Session, flags: Mapping[str, str], *, port: int, browser: bool) -> None:
    """Serve the page until the process is interrupted.

    Args:
        session: the session.
        flags: parameter -> flag of the command, for messages.
        port: port to listen on; it must be free.
        browser: whether to open the page in a browser.
    """
    with Server(session, flags, port) as server:
        print(f"label: http://{server.name}/\nCtrl-C ends it", flush=True)
        if browser:
            webbrowser.open(f"http://{server.name}/")
        server.serve_forever(poll_interval=0.1)


class Server(ThreadingHTTPServer):
    """Server of one session; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, session: Session, flags: Mapping[str, str], port: int) -> None:
        self.session, self.flags = session, flags
        super().__init__((HOST, port), _Handler)

    @property
    def name(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.server_address[1]}"

    def page(self) -> bytes:
        """The page, which asks for everything else."""
        name = f"Labels of {self.session.board.index.path.name}"
        template = _TEMPLATES.get_template("label.html")
        return template.render(name=name, modes=MODES, every=RANDOM_EVERY, refit=REFIT_EVERY).encode()

    def sound(self, row: int) -> bytes:
        """A window as a wav file.

        Raises:
            DataError: it cannot be decoded now.
        """
        index = self.session.board.index
        header, window = index.header, index.stretch(row)
        samples = samples_of(Path(window.path), header.sample_rate, header.channels, start=window.start, end=window.end)
        return as_wav(samples, header.sample_rate)

    def act(self, path: str, given: Mapping[str, Any]) -> None:
        """Do what the page asks for.

        Raises:
            MgclError: it cannot be done; says why.
            KeyError: the path or a value is not what the page sends.
        """
        if path == "/answer":
            self.session.answer(given["row"], given["label"], given["answer"])
        elif path == "/choose":
            self.session.choose(given["mode"], given["nearest_to"])
        elif path == "/undo":
            self.session.undo()
        else:
            raise KeyError(path)


class _Handler(BaseHTTPRequestHandler):
    """Answers requests whose Host is this server: another site's page cannot reach it by a name of its own."""

    server: Server

    def do_GET(self) -> None:
        """Send the page, the state, or the sound of a window."""
        url = urlsplit(self.path)
        if not self._is_ours():
            self._send(HTTPStatus.FORBIDDEN, _TEXT, b"this page is for its own machine")
        elif url.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page())
        elif url.path == "/state":
            self._try(self._state)
        elif url.path == "/sound":
            self._try(lambda: ("audio/wav", self.server.sound(int(parse_qs(url.query)["row"][0]))))
        else:
            self._send(HTTPStatus.NOT_FOUND, _TEXT, b"there is no such page")

    def do_POST(self) -> None:
        """Do what the page asks for, and send the new state."""
        length = int(self.headers.get("Content-Length") or 0)
        is_json = self.headers.get("Content-Type") == "application/json"  # no other site's form can send it
        if not self._is_ours() or not is_json or length > _LONGEST:
            self._send(HTTPStatus.FORBIDDEN, _TEXT, b"not what this page sends")
            return
        content = self.rfile.read(length)

        def act() -> tuple[str, bytes]:
            self.server.act(self.path, json.loads(content))
            return self._state()

        self._try(act)

    def _state(self) -> tuple[str, bytes]:
        return "application/json", json.dumps(self.server.session.state()).encode()

    def _try(self, job: Callable[[], tuple[str, bytes]]) -> None:
        """Send what a job makes, or one sentence on what is wrong with it."""
        try:
            kind, content = job()
        except MgclError as error:
            self._send(HTTPStatus.CONFLICT, _TEXT, with_flags(error, self.server.flags).encode())
        except OSError as error:
            self._send(HTTPStatus.CONFLICT, _TEXT, f"not recorded: {error.strerror}; mend that, and repeat it".encode())
        except (KeyError, ValueError, TypeError, IndexError):
            self._send(HTTPStatus.BAD_REQUEST, _TEXT, b"not what this page sends")
        else:
            self._send(HTTPStatus.OK, kind, content)

    def _is_ours(self) -> bool:
        name = self.server.name
        return self.headers.get("Host") in (name, name.replace(HOST, "localhost"))

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the browser went to another window meanwhile
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing per request."""


_TEMPLATES = templates("mgcl.classifier.labelling")
