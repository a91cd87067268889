"""Downloads over HTTP(S) that end: time limits, size limits, resumed where they broke off.

The only code of the releases that opens a connection.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from provisioning.releases_layout import MAX_FILE, ReleaseError, printable
from provisioning.releases_store import nothing_to_check, too_large

CHUNK = 256 * 1024
TEXT_LIMIT = 1024**2
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Limits:
    """Seconds without an answer, bytes that must come in each such window, and attempts."""

    silence: float = 20.0
    least_bytes: int = 20 * 1024
    attempts: int = 4
    pause: float = 1.0


class _BrokenError(Exception):
    """The connection failed in a way that another attempt may mend."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, never from https to http and never into this machine."""

    max_redirections = 5

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to follow. Raises ReleaseError for an address that is not followed."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        same_place = (new.scheme, new.netloc) == (old.scheme, old.netloc)
        if not same_place and new.scheme != "https":
            raise _not_followed(req.full_url, newurl, _("it leads away from https"))
        if not same_place and _is_local(new.hostname or ""):
            raise _not_followed(req.full_url, newurl, _("it leads to this machine's own network"))
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        if followed is not None and (wanted := req.get_header("Range")):
            followed.add_header("Range", wanted)
        return followed


def _not_followed(url: str, to: str, why: str) -> ReleaseError:
    return ReleaseError(
        _("%(url)s redirects to %(to)s, which is not followed: %(why)s.")
        % {"url": url, "to": printable(to, 300), "why": why},
        hint=_("Set the mirror to an address that answers itself."),
    )


def _is_local(host: str) -> bool:
    """Loopback, link-local (cloud metadata too) or unspecified, by name or by address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # the connection will say that it does not resolve
    addresses = [ipaddress.ip_address(row[4][0]) for row in found]
    return any(ip.is_loopback or ip.is_link_local or ip.is_unspecified for ip in addresses)


class Downloader:
    """Fetches texts and files. check is called between chunks and may raise to stop."""

    def __init__(
        self, check: Callable[[], None] = nothing_to_check, limits: Limits | None = None
    ) -> None:
        self.check = check
        self.limits = limits or Limits()
        self._opener = urllib.request.build_opener(_Redirects())

    def text(self, url: str, what: str) -> str:
        """A short text. what names it in errors. Raises ReleaseError."""
        body = bytearray()

        def take(response: Any, _offset: int) -> None:
            body.clear()
            for chunk in self._chunks(response):
                body.extend(chunk)
                if len(body) > TEXT_LIMIT:
                    raise too_large(what, TEXT_LIMIT)

        self._with_attempts(url, what, lambda: self._get(url, what, 0, take))
        return body.decode("ascii", errors="replace")

    def file(
        self,
        url: str,
        part: Path,
        what: str,
        *,
        limit: int = MAX_FILE,
        progress: Progress = lambda _done, _whole: None,
    ) -> None:
        """Fetch into part, going on where an earlier attempt broke off. Raises ReleaseError."""
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        def take(response: Any, offset: int) -> None:
            start = _start_of(response, offset)
            whole = _length_of(response, start)
            if whole is not None and whole > limit:
                raise too_large(what, limit)
            done = start
            with part.open("r+b" if start else "wb") as out:
                out.seek(start)
                out.truncate()
                for chunk in self._chunks(response):
                    done += len(chunk)
                    if done > limit:
                        raise too_large(what, limit)
                    out.write(chunk)
                    progress(done, whole)
            if whole is not None and done < whole:
                raise _BrokenError(
                    _("the connection ended after %(done)d of %(whole)d bytes")
                    % {"done": done, "whole": whole}
                )

        def attempt() -> None:
            offset = part.stat().st_size if part.exists() else 0
            if offset > limit:
                part.unlink()
                offset = 0
            self._get(url, what, offset, take, part)

        self._with_attempts(url, what, attempt)

    def _with_attempts(self, url: str, what: str, attempt: Callable[[], None]) -> None:
        for number in range(1, self.limits.attempts + 1):
            self.check()
            try:
                attempt()
                return
            except _BrokenError as error:
                reason = str(error)
            if number < self.limits.attempts:
                time.sleep(self.limits.pause * number)
        raise ReleaseError(
            _("%(what)s could not be downloaded from %(url)s: %(reason)s.")
            % {"what": what, "url": url, "reason": reason},
            found=reason,
            hint=_(
                "Check that this machine reaches the address, or set another mirror, or upload "
                "a bundle."
            ),
        )

    def _get(
        self,
        url: str,
        what: str,
        offset: int,
        take: Callable[[Any, int], None],
        part: Path | None = None,
    ) -> None:
        headers = {"User-Agent": "flotilla", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if urlsplit(url).scheme not in ("http", "https"):
            raise ReleaseError(_("%(url)s is no web address.") % {"url": url})
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (checked above)
        try:
            with self._opener.open(request, timeout=self.limits.silence) as response:
                take(response, offset)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and part is not None:
                    # There is nothing after what we have: it is whole, or it is another file.
                    if _is_whole(error.headers, offset):
                        return
                    part.unlink(missing_ok=True)
                    raise _BrokenError(_("the file there is shorter than the part here")) from error
                _raise_for(error.code, url, what, error)
        except urllib.error.URLError as error:
            raise _BrokenError(_reason(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(_reason(error)) from error

    def _chunks(self, response: Any) -> Any:
        """The body piece by piece. Raises _BrokenError when it comes slower than the limit."""
        since, got = time.monotonic(), 0
        while chunk := response.read1(CHUNK):
            self.check()
            yield chunk
            got += len(chunk)
            # A server may keep a connection alive with a byte now and then for ever.
            if (now := time.monotonic()) - since >= self.limits.silence:
                if got < self.limits.least_bytes:
                    raise _BrokenError(
                        _("only %(got)d bytes came in %(seconds)d seconds")
                        % {"got": got, "seconds": now - since}
                    )
                since, got = now, 0


def _start_of(response: Any, offset: int) -> int:
    """Where the body begins: the offset only where the server says that it kept to it."""
    if response.status != 206:
        return 0
    found = _RANGE.match(response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != offset:
        raise _BrokenError(_("the server resumed at another place than asked"))
    return offset


def _length_of(response: Any, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _is_whole(headers: Any, offset: int) -> bool:
    return str(headers.get("Content-Range", "")) == f"bytes */{offset}"


def _raise_for(code: int, url: str, what: str, error: Exception) -> None:
    if code == 429 or code >= 500:
        raise _BrokenError(_("the server answered %(code)d") % {"code": code}) from error
    if code in (404, 410):
        raise ReleaseError(
            _("There is no %(what)s at %(url)s.") % {"what": what, "url": url},
            found=f"HTTP {code}",
            hint=_("Check the version, and that the mirror has the layout of the official site."),
        ) from error
    raise ReleaseError(
        _("%(url)s refused %(what)s.") % {"what": what, "url": url}, found=f"HTTP {code}"
    ) from error


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return _("no answer in time")
    if isinstance(error, socket.gaierror):
        return _("the name does not resolve")
    if isinstance(error, ConnectionRefusedError):
        return _("the connection was refused")
    return printable(str(error) or type(error).__name__, 200)
