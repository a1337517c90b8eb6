"""Which HTTP requests the live server answers at all.

A page of another host that is open in a browser which reaches this server is no client: the
`Origin` that browsers send must be this host. Nor is one whose own host name points to this
machine (DNS rebinding): `Host` must be one of the names that this server has.
"""

import http
from collections.abc import Collection, Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from websockets.datastructures import Headers

from tflite_export.runtime.live.limits import is_loopback

LOCAL_NAME = "localhost"


class Refusal(NamedTuple):
    """The answer to a request that is refused; `reason`: in one word."""

    status: http.HTTPStatus
    reason: str
    text: str


class Hosts:
    """The names that `Host` may have: those of this machine to itself, and more.

    Args:
        names: without port; none of them: any, unless the server listens to this machine alone.
        listening: addresses that the server listens at.
    """

    def __init__(self, names: Collection[str], listening: Iterable[str]):
        self._names = {LOCAL_NAME, *(name.lower().rstrip(".") for name in names)}
        self._any = not names and not all(is_loopback(address) for address in listening)

    def allow(self, name: str) -> bool:
        """Whether it is one of them; `name`: in small letters, without port."""
        return self._any or name.rstrip(".") in self._names or is_loopback(name)


def refusal(method: str, headers: Headers, hosts: Hosts, of_stream: bool) -> Refusal | None:
    """Why a request is not answered; None if it is.

    Args:
        method: of the request.
        headers: of the request.
        hosts: that are this one.
        of_stream: whether it asks for a stream, which pages of other hosts must not.
    """
    if method != "GET":
        return Refusal(http.HTTPStatus.METHOD_NOT_ALLOWED, "method", "only GET\n")
    host = _only(headers, "Host")
    place = None if host is None else _split(f"//{host}")
    if place is None or place.netloc != host or place.username is not None:
        return Refusal(http.HTTPStatus.BAD_REQUEST, "host", "expected one Host: a name, a port\n")
    if not hosts.allow(place.hostname or ""):
        text = f"{host} is no name of this server: see --allow-host\n"
        return Refusal(http.HTTPStatus.MISDIRECTED_REQUEST, "host", text)
    if not of_stream or not headers.get_all("Origin"):
        return None
    origin = _only(headers, "Origin")
    page = None if origin is None else _split(origin)
    if page is None:
        return Refusal(http.HTTPStatus.BAD_REQUEST, "origin", "expected one Origin: an address\n")
    if page.netloc.lower() != place.netloc.lower():
        text = f"pages of {origin} may not use this server\n"
        return Refusal(http.HTTPStatus.FORBIDDEN, "origin", text)
    return None


def _only(headers: Headers, name: str) -> str | None:
    """The value of a header that is there once."""
    values = headers.get_all(name)
    return values[0].strip() if len(values) == 1 else None


def _split(address: str) -> SplitResult | None:
    """Its parts; None if it is no address."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # raises, too
    except ValueError:
        return None
    return parts if parts.netloc or address == "null" else None
