"""A receiver at the network's edge: HTTP or HTTPS, answering what the test says."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Got:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """answers: statuses given one after the other, the last for ever; "hang", "drip", "cut"."""

    def __init__(self, tls: tuple[str, str] | None = None, folder: Path | None = None) -> None:
        self.got: list[Got] = []
        self.answers: list[int | str] = [200]
        self.headers: dict[str, str] = {}
        self.body = b"thanks"
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append(Got(self.path, headers, self.rfile.read(length)))
                receiver.answer(self)

            def do_GET(self) -> None:
                receiver.got.append(Got(f"GET {self.path}", {}, b""))
                self.send_error(405)

            def log_message(self, *_args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: object) -> None:
                return  # the console hung up, as it should

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls and folder:
            (folder / "receiver.pem").write_text("".join(tls))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "receiver.pem")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.scheme = "https" if tls else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}/hook?from=flotilla"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        what = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if what == "hang":
            self.ended.wait(20)
        elif what == "cut":
            handler.connection.shutdown(2)
        elif what == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.ended.wait(0.05):
                handler.wfile.write(b"a")
        else:
            handler.send_response(int(what))
            for name, value in self.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(self.body)))
            handler.end_headers()
            handler.wfile.write(self.body)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def wait_for(self, count: int, seconds: float = 10) -> list[Got]:
        ends = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < ends:
            time.sleep(0.02)
        return self.got
