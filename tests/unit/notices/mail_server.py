"""A mail server at the network's edge: as much SMTP (RFC 5321) as a sender needs."""

from __future__ import annotations

import base64
import socketserver
import threading


class MailServer:
    """messages: what came, whole; refuse: the answer to RCPT TO instead of 250."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.receivers: list[str] = []
        self.signed_in: list[str] = []
        self.refuse = ""
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 mail.test ESMTP")
                for raw in self.rfile:
                    line = raw.decode().rstrip("\r\n")
                    word = line.split(" ")[0].upper()
                    if word == "EHLO":
                        self.say("250-mail.test\r\n250 AUTH PLAIN")
                    elif word == "AUTH":
                        plain = base64.b64decode(line.split(" ")[2]).decode()
                        server.signed_in.append(plain.replace("\0", " ").strip())
                        self.say("235 welcome")
                    elif word == "RCPT":
                        server.receivers.append(line.partition(":")[2].strip("<>"))
                        self.say(server.refuse or "250 fine")
                    elif word == "DATA":
                        self.say("354 go on")
                        lines = iter(lambda: self.rfile.readline(), b".\r\n")
                        server.messages.append(b"".join(lines))
                        self.say("250 taken")
                    elif word == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 fine")

            def say(self, text: str) -> None:
                self.wfile.write(text.encode() + b"\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
