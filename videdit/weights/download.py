"""One file over HTTP: goes on where an earlier try stopped, and takes nothing for the file that is not one."""

from __future__ import annotations

import contextlib
import email.message
import http.client
import json
import re
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videdit._version import __version__
from videdit.errors import WeightsError

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20
_LOCAL = ("127.0.0.1", "localhost", "::1")

# (bytes that are there, bytes in all or None) -> None
Progress = Callable[[int, int | None], None]


class DownloadError(WeightsError):
    """The host did not give the file."""


class BrokenOff(DownloadError):
    """A part is there; the same command goes on with it."""


def download(url: str, part: Path, expected: int | None = None, progress: Progress = lambda done, total: None) -> None:
    """Get a file into `part`, which is whole when this returns. An earlier part of it is gone on with.

    expected: bytes that the file is known to have.

    Raises:
        DownloadError: the host cannot be reached or refuses, answers with a page, or has a file of another size.
        BrokenOff: the connection ended before the file did.
    """
    _check_safe(url)
    offset, validator = _earlier(part, url)
    headers = {"User-Agent": f"videdit/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            _receive(answer, url, part, offset, expected, progress)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and offset:  # nothing is left to ask for, or the part is of some other file
                if _total(error.headers) == offset:
                    return
                forget(part)
                return download(url, part, expected, progress)
            raise DownloadError(f"{_host(url)} answers {error.code} {error.reason} for {url}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise DownloadError(f"cannot reach {_host(url)}: {reason}") from None
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenOff(f"the connection to {_host(url)} broke off ({reason}); {_go_on(part)}") from None


def _receive(
    answer: http.client.HTTPResponse, url: str, part: Path, offset: int, expected: int | None, progress: Progress
) -> None:
    """Write the body of an answer behind what is there, or over it where the host begins anew."""
    if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise DownloadError(f"{_host(url)} answers with a web page instead of the file")
    if answer.status != 206 or not _begins_at(answer.headers, offset):
        if answer.status == 206:
            forget(part)
            raise DownloadError(f"{_host(url)} sent another part of the file than was asked for")
        offset = 0
    total = _total(answer.headers) if answer.status == 206 else _number(answer.headers["Content-Length"])
    if expected is not None and total is not None and total != expected:
        forget(part)
        raise DownloadError(f"{_host(url)} has a file of {total:,} bytes; the one wanted has {expected:,}")
    needed, free = (total or 0) - offset, shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(f"{needed:,} bytes are to come, and {part.parent} has room for {free:,}")
    _note(part).write_text(json.dumps({"url": url, "validator": _validator(answer.headers)}), encoding="utf-8")
    done, limit = offset, total if total is not None else expected
    with part.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        progress(done, limit)
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, limit)
            if limit is not None and done > limit:
                break
    if limit is not None and done > limit:
        forget(part)
        raise DownloadError(f"{_host(url)} sent more than the {limit:,} bytes of the file")
    if limit is not None and done < limit:
        raise BrokenOff(f"the connection to {_host(url)} broke off at {done:,} of {limit:,} bytes; {_go_on(part)}")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> urllib.request.Request | None:
        *_, url = args
        _check_safe(url)
        return super().redirect_request(*args)


def _check_safe(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise DownloadError(f"{url} is not an https address")


def _earlier(part: Path, url: str) -> tuple[int, str | None]:
    """(bytes of an earlier try at the same address, what tells whether the host still has the same file)"""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        if note["url"] == url:
            return part.stat().st_size, note["validator"]
    return 0, None


def forget(part: Path) -> None:
    """Remove a part and what is noted of it."""
    for path in (part, _note(part)):
        path.unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _validator(headers: email.message.Message) -> str | None:
    """A strong ETag, else the date: what If-Range takes (RFC 9110, 13.1.5)."""
    etag = headers["ETag"]
    return etag if etag and not etag.startswith("W/") else headers["Last-Modified"]


def _begins_at(headers: email.message.Message, offset: int) -> bool:
    match = re.match(r"bytes (\d+)-", headers["Content-Range"] or "")
    return match is not None and int(match[1]) == offset


def _total(headers: email.message.Message) -> int | None:
    """Of the whole file, from "bytes 5-9/10" or "bytes */10"."""
    return _number((headers["Content-Range"] or "").rpartition("/")[2])


def _number(words: str | None) -> int | None:
    return int(words) if words and words.isascii() and words.isdigit() else None


def _go_on(part: Path) -> str:
    return "run the same command again: it goes on from there" if part.exists() else "run the same command again"


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url
