"""The device side: convert, inspect, run and score `.tflite` files.

The names below are the package's interface; everything else may move. They are imported when they
are first used, so that `import tflite_export` loads neither LiteRT nor numpy.

Without TensorFlow: `load` gives the `Transcriber` of a file, whose `transcribe` takes the name of a
recording or its samples; with `timestamps=True` it returns a `Transcription`, words with times and
confidences, and a `BeamSearch` adds a language model and hotwords. `TFLiteRecogniser` is what does
its work for recordings: features, encoder and search. `load_live_model` and `Session` recognise a
stream while it is spoken. `read_metadata` reads the `Metadata` of a file, and `inspect_file` takes
it apart.

With TensorFlow: `convert_model` writes the file of a model directory, `convert_recogniser` makes
the bytes of a recogniser in memory. `export` writes the file of any Keras model, and `verify`
compares the two.

    import tflite_export

    recogniser = tflite_export.load("model.tflite")
    print(recogniser.transcribe("speech.wav"))
"""

from typing import TYPE_CHECKING

from asr_qat.lazy import lazy_names

if TYPE_CHECKING:
    from tflite_export.convert.convert import convert
    from tflite_export.convert.convert import convert_recogniser as convert_recogniser
    from tflite_export.convert.keras_export import export as export
    from tflite_export.runtime.beam_search import BeamSearch as BeamSearch
    from tflite_export.runtime.live.live_model import load_model
    from tflite_export.runtime.live.session import Session as Session
    from tflite_export.runtime.metadata import Metadata as Metadata
    from tflite_export.runtime.metadata import read_metadata as read_metadata
    from tflite_export.runtime.recogniser import TFLiteRecogniser as TFLiteRecogniser
    from tflite_export.runtime.transcriber import Transcriber as Transcriber
    from tflite_export.runtime.transcriber import load as load
    from tflite_export.runtime.transcription import Transcription as Transcription
    from tflite_export.score.inspect import inspect
    from tflite_export.score.verify import verify as verify

    convert_model, inspect_file, load_live_model = convert, inspect, load_model
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "BeamSearch": "tflite_export.runtime.beam_search",
            "Metadata": "tflite_export.runtime.metadata",
            "Session": "tflite_export.runtime.live.session",
            "TFLiteRecogniser": "tflite_export.runtime.recogniser",
            "Transcriber": "tflite_export.runtime.transcriber",
            "Transcription": "tflite_export.runtime.transcription",
            "convert_model": "tflite_export.convert.convert:convert",
            "convert_recogniser": "tflite_export.convert.convert",
            "export": "tflite_export.convert.keras_export",
            "inspect_file": "tflite_export.score.inspect:inspect",
            "load": "tflite_export.runtime.transcriber",
            "load_live_model": "tflite_export.runtime.live.live_model:load_model",
            "read_metadata": "tflite_export.runtime.metadata",
            "verify": "tflite_export.score.verify",
        },
    )
