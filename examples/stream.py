"""A client of `tflite-export serve`: sends a recording at the pace of speech, prints the words.

python examples/stream.py speech.wav ws://localhost:8765/stream
"""

import contextlib
import json
import sys
import threading
import time

import soundfile
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

CHUNK_S = 0.1  # seconds of audio in a message


def send(stream, samples, rate):
    """What a microphone would send: 16-bit samples, little endian."""
    size = round(CHUNK_S * rate)
    with contextlib.suppress(ConnectionClosed):  # the reader says so
        for at in range(0, len(samples), size):
            stream.send(samples[at : at + size].astype("<i2").tobytes())
            time.sleep(CHUNK_S)
        stream.send(json.dumps({"type": "end"}))


def show(event):
    """A line for each change of the words, and for each notice."""
    if event["type"] == "notice":
        print(f"{event['heard_s']:6.2f} s  {event['text']}", file=sys.stderr)
    else:
        print(f"{event['heard_s']:6.2f} s  {event['type']:9}  {event['text']}", flush=True)


def main(path, address):
    """Send and read at the same time, until the server says `end`."""
    samples, rate = soundfile.read(path, dtype="int16")
    with connect(address) as stream:
        ready = json.loads(stream.recv())  # the server's limits
        if rate != ready["sample_rate"] or samples.ndim != 1:
            sys.exit(f"{path}: expected one channel at {ready['sample_rate']} Hz")
        threading.Thread(target=send, args=[stream, samples, rate], daemon=True).start()
        while (event := json.loads(stream.recv()))["type"] != "end":
            show(event)


if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    main(*sys.argv[1:])
except ConnectionClosed as error:  # before `end`: words are missing
    sys.exit(f"{sys.argv[2]}: {error.rcvd.reason if error.rcvd else 'the connection broke'}")
except (OSError, WebSocketException, soundfile.SoundFileError) as error:
    sys.exit(f"{' '.join(sys.argv[1:])}: {error}")
