"""The browser page that the server gives: plain files beside this one."""

import http
from importlib import resources

from websockets.datastructures import Headers
from websockets.http11 import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_FILES = {
    "/": "page.html",
    "/page.css": "page.css",
    "/page.js": "page.js",
    "/recorder.js": "recorder.js",
}
_ABOUT = "/about"


def page(path: str, about: str) -> Response:
    """The answer to a GET of `path`; `about` is what the page says of the model."""
    if path == _ABOUT:
        return _response(http.HTTPStatus.OK, "text/plain", about.encode())
    name = _FILES.get(path)
    if name is None:
        return _response(http.HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")
    content = resources.files(__package__).joinpath(name).read_bytes()
    return _response(http.HTTPStatus.OK, _TYPES[name.rpartition(".")[2]], content)


def _response(status: http.HTTPStatus, kind: str, content: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Content-Security-Policy": "default-src 'self'; img-src data:",
            "Cache-Control": "no-cache",
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, content)
