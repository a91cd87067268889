"""A syslog server at the network's edge, over TCP or TLS, that behaves as the test says."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

# RFC 5424, 6: header, structured data, message.
MESSAGE = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) "
    r"(?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48}) (?P<process>[\x21-\x7e]{1,128}) "
    r"(?P<kind>[\x21-\x7e]{1,32}) "
    r'(?:-|\[(?P<element>[\x21-\x7e]{1,32}?)(?P<fields>(?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")*)\]) '
    r"(?P<text>[\x20-\x7e]*)"
)
FIELD = re.compile(r' ([a-z]+)="((?:[^"\\\]]|\\["\\\]])*)"')


@dataclass
class Message:
    priority: int
    kind: str
    time: str
    fields: dict[str, str]
    text: str
    size: int

    @property
    def item(self) -> dict:
        return json.loads(self.text)


def parsed(data: bytes) -> Message:
    """One message. Raises AssertionError when it is none."""
    found = MESSAGE.fullmatch(data.decode("utf-8"))
    assert found, data[:400]
    fields = {
        name: re.sub(r'\\(["\\\]])', r"\1", text)
        for name, text in FIELD.findall(found["fields"] or "")
    }
    kind, text = found["kind"], found["text"]
    return Message(int(found["priority"]), kind, found["time"], fields, text, len(data))


def frames(data: bytes) -> list[bytes]:
    """Messages with counted octets; half a one at the end is left out."""
    found = []
    while (space := data.find(b" ")) > 0:
        count = int(data[:space])
        if len(data) < space + 1 + count:
            break
        found.append(data[space + 1 : space + 1 + count])
        data = data[space + 1 + count :]
    return found


class SyslogServer:
    """behaviours, one for each connection, the last for ever.

    "well"; "away": closes at once; "hang": never reads; "stay": reads and never closes;
    "cut": reads the beginning and closes with the rest unread.
    """

    def __init__(self, tls: tuple[str, str] | None = None, folder: Path | None = None) -> None:
        self.behaviours = ["well"]
        self.got: list[Message] = []
        self.cut: list[Message] = []
        self.ended = threading.Event()
        self._context = None
        if tls and folder:
            (folder / "syslog.pem").write_text("".join(tls))
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(folder / "syslog.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> SyslogServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            what = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            threading.Thread(target=self._one, args=(connection, what), daemon=True).start()

    def _one(self, connection: socket.socket, what: str) -> None:
        if what == "hang":
            self.ended.wait(30)
        if what in ("away", "hang"):
            connection.close()
            return
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._read(connection, what)
        except OSError:
            return  # the console does not trust the certificate

    def _read(self, connection: socket.socket, what: str) -> None:
        data = b""
        while part := connection.recv(2000 if what == "cut" else 65536):
            data += part
            if what == "cut":
                self.cut += [parsed(frame) for frame in frames(data)]
                return
        self.got += [parsed(frame) for frame in frames(data)]
        if what == "stay":
            self.ended.wait(30)
