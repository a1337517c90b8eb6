"""What a fresh process does to show the memory that a file takes: it recognises silence.

Nothing is imported here but what recognition needs, as it would count.
"""

import numpy as np

from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.widen import AUTO, Widen


def recognise_silence(
    path: str, seconds: float, threads: int, verify: bool = True, widen: Widen = AUTO
) -> None:
    """Load a `.tflite` and recognise one utterance of so many seconds."""
    recogniser = TFLiteRecogniser(path, threads, verify=verify, widen=widen)
    front_end = recogniser.metadata.front_end
    frames = int(seconds * 1000 / front_end.hop_ms)
    recogniser.recognise(np.zeros((frames, front_end.mel_bins), np.float32))


def stream_silence(
    path: str,
    seconds: float,
    chunk_ms: int,
    threads: int,
    verify: bool = True,
    widen: Widen = AUTO,
) -> None:
    """Load a live `.tflite` and stream so many seconds in chunks of `chunk_ms`."""
    model = load_model(path, threads, verify=verify, widen=widen)
    session, size = Session(model), model.front_end.sample_rate * chunk_ms // 1000
    for _ in range(int(seconds * 1000 / chunk_ms)):
        session.accept(np.zeros(size, np.float32))
    session.finish()
