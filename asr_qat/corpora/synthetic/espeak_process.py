"""A process that speaks with espeak-ng's shared library, through `ctypes`.

`python -m asr_qat.corpora.synthetic.espeak_process LIBRARY DATA FOLDER` reads from standard input
one JSON line for each recording: `{"id", "text", "voice", "rate", "pitch", "gap"}`, and writes
`FOLDER/ID.wav`. espeak-ng remembers the end of what it said last, and its noise goes on from
there, so that one recording depends on those before it: one new process says all of them,
in a fixed order, and the audio is the same every time.
"""

import ctypes
import json
import sys
import wave
from pathlib import Path

# Of speak_lib.h.
SYNCHRONOUS = 2  # output: samples go to the callback
RATE, PITCH, WORD_GAP = 1, 3, 7  # parameters
UTF8, PHONEMES = 1, 0x100  # flags: the encoding; what is in [[ ]] are phonemes
RANDOM_SEED = 1  # of the noise in breathy voices; espeak-ng takes the time otherwise


def main() -> None:
    """Speak every line of standard input; exits with a message if espeak-ng refuses one."""
    library, data, folder = sys.argv[1:]
    speak = _Speaker(library, data)
    for line in sys.stdin:
        recording = json.loads(line)
        path = Path(folder) / f"{recording.pop('id')}.wav"
        samples = speak(**recording)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(speak.sample_rate)
            file.writeframes(samples)


class _Speaker:
    """The library, loaded."""

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self.sample_rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), 0)
        if self.sample_rate <= 0:
            sys.exit(f"{data}: espeak-ng cannot read its data")
        self._library.espeak_ng_SetRandSeed(RANDOM_SEED)
        self._samples = bytearray()
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = callback(self._keep)  # kept alive as long as the library
        self._library.espeak_SetSynthCallback(self._callback)

    def __call__(self, text: str, voice: str, rate: int, pitch: int, gap: int) -> bytes:
        """The 16-bit samples of `text`."""
        self._samples.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            sys.exit(f"{voice}: espeak-ng has no such voice")
        for parameter, value in ((RATE, rate), (PITCH, pitch), (WORD_GAP, gap)):
            self._library.espeak_SetParameter(parameter, value, 0)
        said = text.encode()
        flags = UTF8 | PHONEMES
        self._library.espeak_Synth(said, len(said) + 1, 0, 0, 0, flags, None, None)
        self._library.espeak_Synchronize()
        return bytes(self._samples)

    def _keep(self, samples, count: int, events) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, 2 * count)
        return 0


if __name__ == "__main__":
    main()
