"""What the server answers to plain requests: the browser page, files beside this one, and texts."""

import http
from importlib import resources

from websockets.datastructures import Headers
from websockets.http11 import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_SCRIPTS = ("page.js", "shown.js", "microphone.js", "recorder.js")
_FILES = {"/": "page.html", "/page.css": "page.css", **{f"/{name}": name for name in _SCRIPTS}}
# The page needs its own files and the server's WebSocket, and is part of no other page.
PROTECTION = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(path: str) -> Response:
    """The answer to a GET of `path`, which is none of the server's own."""
    name = _FILES.get(path)
    if name is None:
        return text(http.HTTPStatus.NOT_FOUND, "no such page\n")
    content = resources.files(__package__).joinpath(name).read_bytes()
    return _response(
        http.HTTPStatus.OK, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8", content
    )


def text(
    status: http.HTTPStatus, content: str, kind: str = "text/plain; charset=utf-8", **headers: str
) -> Response:
    """An answer that is a text, with further headers."""
    response = _response(status, kind, content.encode())
    response.headers.update(headers)
    return response


def protect(headers: Headers) -> None:
    """Add what tells a browser to be careful, to answers of websockets too."""
    for name, value in PROTECTION.items():
        if name not in headers:
            headers[name] = value


def _response(status: http.HTTPStatus, kind: str, content: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-cache",
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, content)
