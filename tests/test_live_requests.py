"""Which requests the live server answers at all, by their headers."""

import pytest

pytest.importorskip("websockets")

from websockets.datastructures import Headers

from tflite_export.runtime.live.requests import Hosts, refusal

LOCAL = Hosts((), ["127.0.0.1", "::1"])
NAMED = Hosts(("Speech.Example",), ["0.0.0.0"])
OPEN = Hosts((), ["0.0.0.0", "::"])


def status(hosts, method="GET", of_stream=True, **headers):
    """Of the refusal, 0 for none; a list is of a header that is there several times."""
    given = Headers()
    for name, values in headers.items():
        for value in values if isinstance(values, list) else [values]:
            given[name] = value
    refused = refusal(method, given, hosts, of_stream)
    return 0 if refused is None else refused.status.value


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "get"])
def test_only_get(method):
    assert status(LOCAL, method, Host="localhost") == 405


@pytest.mark.parametrize(
    "host, found",
    [
        ("localhost", 0),
        ("LocalHost:8765", 0),
        ("127.0.0.1:8765", 0),
        ("127.8.9.1", 0),
        ("[::1]:8765", 0),
        ("elsewhere.example", 421),
        ("elsewhere.example:8765", 421),
        ("localhost.elsewhere.example", 421),
        ("203.0.113.1", 421),
        ("", 400),
        ([], 400),
        (["localhost", "localhost"], 400),
        ("localhost:port", 400),
        ("localhost:99999", 400),
        ("[::1", 400),
        ("localhost/stream", 400),
        ("user@localhost", 400),
    ],
)
def test_hosts_of_a_server_for_this_machine(host, found):
    assert status(LOCAL, Host=host) == found


@pytest.mark.parametrize(
    "hosts, host, found",
    [
        (NAMED, "speech.example", 0),
        (NAMED, "SPEECH.example.:443", 0),
        (NAMED, "localhost:8765", 0),  # its health check
        (NAMED, "elsewhere.example", 421),
        (NAMED, "203.0.113.1", 421),
        (OPEN, "whatever.example", 0),
        (OPEN, "203.0.113.1:8765", 0),
        (OPEN, ["a.example", "b.example"], 400),
        (Hosts(("speech.example",), ["127.0.0.1"]), "speech.example", 0),
    ],
)
def test_names_that_are_allowed(hosts, host, found):
    assert status(hosts, Host=host) == found


@pytest.mark.parametrize(
    "origin, found",
    [
        ([], 0),  # no browser
        ("http://localhost:8765", 0),
        ("https://LOCALHOST:8765", 0),
        ("http://localhost", 403),
        ("http://elsewhere.example", 403),
        ("null", 403),
        ("http://[::1", 400),
        ("http://localhost:port", 400),
        ("nonsense", 400),
        ("", 400),
        (["http://localhost:8765", "http://localhost:8765"], 400),
        (["http://localhost:8765", "http://elsewhere.example"], 400),
    ],
)
def test_origins(origin, found):
    assert status(LOCAL, Host="localhost:8765", Origin=origin) == found
    assert status(LOCAL, of_stream=False, Host="localhost:8765", Origin=origin) == 0
