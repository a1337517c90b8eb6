"""Bytes of a file on the wire, as a server or an application's package compresses it.

Integers of few levels leave something to compress. Three levels in two bits have at most 1.58 bits
of information each, two levels one bit; scales and names have little. The format is zstd (RFC
8878) at its default level: the slowest level saves 0.2% more of a file of packed integers, since
what is left in them is how often each byte occurs.
"""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = zstd.COMPRESSION_LEVEL_DEFAULT


def wire_bytes(content: bytes | bytearray | memoryview) -> int:
    """Size of `content` after compression."""
    return len(zstd.compress(content, LEVEL))
