"""A plain server of a page: for this machine, with the headers that any server should send."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

# The page is cross-origin isolated by the first two: LiteRT.js may then use threads.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests of one's own browser."""


@contextlib.contextmanager
def serving(folder: Path, host: str = "localhost", port: int = 0) -> Iterator[str]:
    """Serve a folder meanwhile.

    Args:
        folder: of the page.
        host: address to listen on.
        port: 0 for any free one.

    Yields:
        Address of the page.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer((host, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
