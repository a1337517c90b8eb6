"""A client of `tflite-export serve`: sends a recording at the pace of speech, prints the words.

python examples/stream.py speech.wav ws://localhost:8765/stream
"""

import contextlib
import json
import sys
import threading
import time

import soundfile
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

path, address = sys.argv[1], sys.argv[2]
CHUNK_S = 0.1  # seconds of audio in a message

samples, rate = soundfile.read(path, dtype="int16")

with connect(address) as stream:
    ready = json.loads(stream.recv())  # the server's limits
    if rate != ready["sample_rate"] or samples.ndim != 1:
        sys.exit(f"{path}: expected one channel at {ready['sample_rate']} Hz")

    def send():
        """What a microphone would send: 16-bit samples, little endian."""
        size = round(CHUNK_S * rate)
        with contextlib.suppress(ConnectionClosedError):  # said below
            for at in range(0, len(samples), size):
                stream.send(samples[at : at + size].astype("<i2").tobytes())
                time.sleep(CHUNK_S)
            stream.send(json.dumps({"type": "end"}))

    threading.Thread(target=send, daemon=True).start()
    try:
        for message in stream:  # until the server closes, after `end`
            event = json.loads(message)
            if event["type"] in ("partial", "corrected", "final"):
                print(f"{event['heard_s']:6.2f} s  {event['type']:9}  {event['text']}", flush=True)
            elif event["type"] == "notice":
                print(f"{event['heard_s']:6.2f} s  {event['text']}", file=sys.stderr)
    except ConnectionClosedError as error:
        sys.exit(f"{address}: {error.rcvd.reason if error.rcvd else 'the connection broke'}")
