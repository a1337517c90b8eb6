"""The checksum in the head of a `.tflite`: whether it is, byte for byte, what was converted.

A flatbuffer begins with the offset of its root and an identifier, four bytes each. Our files go on
with `MARK` and the SHA-256 of every byte of the file but its own 32. Nothing refers to these bytes,
so that whatever reads flatbuffers reads such a file as any other. In the head they are found before
anything else in the file is believed.

It shows damage, of a disk, a copy or a download. It is no signature: who changes a file on purpose
can write the checksum anew.
"""

import hashlib

IDENTIFIER = b"TFL3"
HEAD_BYTES = 8  # of a flatbuffer: offset of the root, identifier
MARK = b"asr_qat sha-256\n"
DIGEST = slice(HEAD_BYTES + len(MARK), HEAD_BYTES + len(MARK) + hashlib.sha256().digest_size)
# What a new file has after its head until the checksum is known.
UNSEALED = MARK + bytes(hashlib.sha256().digest_size)


def has_checksum(content: bytes | memoryview) -> bool:
    """Whether a file has the mark of one."""
    return content[HEAD_BYTES : DIGEST.start] == MARK and len(content) >= DIGEST.stop


def checksum(content: bytes | memoryview) -> bytes:
    """The SHA-256 of a file, without the bytes that hold it in one that has the mark."""
    whole = memoryview(content)
    if not has_checksum(content):
        return hashlib.sha256(whole).digest()
    found = hashlib.sha256(whole[: DIGEST.start])
    found.update(whole[DIGEST.stop :])
    return found.digest()
