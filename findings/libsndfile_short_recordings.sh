#!/usr/bin/env bash
# What does libsndfile make of recordings that were cut off? soundfile 0.14.0, libsndfile 1.2.2.
#
# Files of 96,000 samples, of which the last two fifths of the bytes are missing, and an MP3 file of
# variable bit rate without its table of contents. Seen:
#
#   FLAC, CAF                 an error
#   MP3                       says 96000 samples, ends after fewer
#   WAV, AIFF, AU, NIST, W64, RF64, OGG
#                             a whole recording of fewer samples; the log (`extra_info`) knows, but for
#                             NIST, whose header does
#   MP3 without contents      says and reads 30600 of 96000 samples: it guesses from the first frames
#   FLAC of unknown length    ValueError of numpy, for an array of the largest integer's size
#
# Who trains on such a recording teaches a model words that it cannot hear.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 numpy
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import soundfile

rng = np.random.default_rng(0)
audio = (0.2 * rng.standard_normal(96000)).astype(np.float32)
audio[48000:] = 0


def look(name, path):
    try:
        info = soundfile.info(path, verbose=True)
        read, _ = soundfile.read(path)
        notes = [line for line in info.extra_info.splitlines() if "should be" in line]
        notes += [line for line in info.extra_info.splitlines() if "end-of-stream" in line]
        print(f"{name:24} says {info.frames}, read {len(read)}  {notes}")
    except Exception as error:
        print(f"{name:24} {type(error).__name__}: {str(error)[:60]}")


for kind in ["FLAC", "CAF", "MP3", "WAV", "AIFF", "AU", "NIST", "W64", "RF64", "OGG"]:
    soundfile.write("a", audio, 16000, format=kind)
    content = open("a", "rb").read()
    open("a", "wb").write(content[: len(content) * 3 // 5])
    look(kind, "a")

soundfile.write("a.mp3", audio, 16000, bitrate_mode="VARIABLE")
content = open("a.mp3", "rb").read()
open("a.mp3", "wb").write(content.replace(b"Xing", bytes(4)))
look("MP3 without contents", "a.mp3")

soundfile.write("a.flac", audio, 16000)
content = bytearray(open("a.flac", "rb").read())
content[21] &= 0xF0
content[22:26] = bytes(4)
open("a.flac", "wb").write(content)
look("FLAC of unknown length", "a.flac")
PYTHON
