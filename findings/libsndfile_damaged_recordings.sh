#!/usr/bin/env bash
# What does libsndfile make of damaged recordings? soundfile 0.14.0, libsndfile 1.2.2.
#
# A recording of 96,000 samples in FLAC, Ogg Vorbis and WAV, damaged without being cut, and files of
# bytes that are no recording under names that end so. Seen, without an error or a warning:
#
#   FLAC without its second frame     silence in its place
#   FLAC that says it has half        half of it
#   FLAC with a wrong MD5             all of it: the checksum is not compared
#   Ogg with one bit changed, or without one of its pages
#                                     81536 samples: the page is left out, what follows is earlier
#   WAV that says it has 500 samples  500
#   any bytes called .au or .vox      noise: by the name alone they are samples without a header
#   any bytes called .raw             TypeError of soundfile, also for a WAV file that is called so
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import io
import re

import numpy as np
import soundfile

audio = (0.1 * np.random.default_rng(0).standard_normal(96000)).astype(np.float32)


def encoded(form, subtype):
    file = io.BytesIO()
    soundfile.write(file, audio, 16000, format=form, subtype=subtype)
    return bytearray(file.getvalue())


def look(what, content, right):
    try:
        read, _ = soundfile.read(io.BytesIO(bytes(content)), dtype="float32")
        both = min(len(read), len(right))
        print(f"{what:40} read {len(read)}, others than before: {(read[:both] != right[:both]).sum()}")
    except Exception as error:
        print(f"{what:40} {type(error).__name__}: {str(error)[:60]}")


flac = encoded("FLAC", "PCM_16")
right, _ = soundfile.read(io.BytesIO(bytes(flac)), dtype="float32")
header = re.escape(bytes(flac[flac.index(b"\xff\xf8") :][:4]))
second, third = (match.start() for match in list(re.finditer(header, flac))[1:3])
look("FLAC without its second frame", flac[:second] + flac[third:], right)
total = flac.copy()
total[22:26] = (48000).to_bytes(4, "big")
look("FLAC that says it has half", total, right)
checksum = flac.copy()
checksum[30] ^= 1
look("FLAC with a wrong MD5", checksum, right)

ogg = encoded("OGG", "VORBIS")
right, _ = soundfile.read(io.BytesIO(bytes(ogg)), dtype="float32")
pages = [match.start() for match in re.finditer(b"OggS", ogg)]
page = ogg.copy()
page[(pages[2] + pages[3]) // 2] ^= 16
look("Ogg with a bit of a page changed", page, right)
look("Ogg without a page", ogg[: pages[2]] + ogg[pages[3] :], right)

wav = encoded("WAV", "PCM_16")
right, _ = soundfile.read(io.BytesIO(bytes(wav)), dtype="float32")
wav[40:44] = (1000).to_bytes(4, "little")
look("WAV that says it has 500 samples", wav, right)

for name in ("a.au", "a.vox", "a.raw"):
    with open(name, "wb") as file:
        file.write(bytes(range(256)) * 40)
    try:
        print(f"{name + ' of other bytes':40} read {len(soundfile.read(name)[0])}")
    except Exception as error:
        print(f"{name + ' of other bytes':40} {type(error).__name__}: {str(error)[:60]}")
PYTHON
