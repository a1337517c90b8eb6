"""Speech recognisers with 4-bit weights: data, Conformer, native quantization aware training.

The names below are the package's interface; everything else may move. They are imported when they
are first used, so that `import asr_qat` loads neither TensorFlow nor numpy.

Data: `prepare` writes the `PreparedFolder` of a corpus that `read_corpus` found, with the features
of a `FrontEndConfig` and the word pieces of a `Tokenizer`; `Pipeline` makes batches of it as
`DataConfig` says; `read_audio` reads one recording.

Models: `EncoderConfig`, `TransducerConfig` and `StreamingConfig` are the shapes, `PRESETS`,
`TRANSDUCERS` and `STREAMING` known ones by name. `build_ctc` and `build_transducer` make Keras
models. A `Recogniser`, described by its `ModelConfig`, is a model with its vocabulary and
statistics, in memory or in a folder. `summarize` counts its parameters and bytes.

Quantization of any Keras model: `quantize_model` prepares it for training, and
`quantize_after_training` does without; `left_in_float` says what they leave. `Scheme` is what
tfmot's `quantize_apply` takes, and `quantize_scope` that in which Keras clones and loads.
`QuantizationConfig` says how in detail, `quantized_layers` shows what is inside. `Dense` and
`Conv2D` are layers of one product, for models that are written in such layers; `parse_precision`
reads the name of a `Precision`, such as `w4a8`. A recogniser is `calibrated` on the speech of a
`Calibration` after training.

Training: `CTCLoss`, `TransducerLoss` and `TDTLoss` for `model.fit`, and `Evaluator` for the word
error rate, with a `CTCDecoder` or a `TransducerDecoder`; or all of it by `train` with a
`TrainConfig`, which `load_yaml` reads from a file. `show_log` shows the loss of its steps, which is
only logged.

`UserError` is raised for bad input, with one line that says what to do.

Importing this package has one effect outside of it: `TF_USE_LEGACY_KERAS` is set to 1 in the
environment, if it was not set, since TensorFlow has to find it when it is imported itself.
"""

from typing import TYPE_CHECKING

from asr_qat.lazy import lazy_names
from asr_qat.legacy_keras import choose_keras_2

if TYPE_CHECKING:
    from asr_qat.audio.decode import read_audio as read_audio
    from asr_qat.audio.front_end import FrontEndConfig as FrontEndConfig
    from asr_qat.config import load_yaml as load_yaml
    from asr_qat.corpora.data_config import DataConfig as DataConfig
    from asr_qat.corpora.dataset import Pipeline as Pipeline
    from asr_qat.corpora.fallback import read_corpus as read_corpus
    from asr_qat.corpora.prepare import prepare as prepare
    from asr_qat.corpora.prepared import PreparedFolder as PreparedFolder
    from asr_qat.errors import UserError as UserError
    from asr_qat.log import show_log as show_log
    from asr_qat.losses.ctc import CTCLoss as CTCLoss
    from asr_qat.losses.tdt import TDTLoss as TDTLoss
    from asr_qat.losses.transducer import TransducerLoss as TransducerLoss
    from asr_qat.models.ctc import build_ctc as build_ctc
    from asr_qat.models.encoder_config import EncoderConfig as EncoderConfig
    from asr_qat.models.keras_decoder import CTCDecoder as CTCDecoder
    from asr_qat.models.keras_decoder import TransducerDecoder as TransducerDecoder
    from asr_qat.models.model_config import ModelConfig as ModelConfig
    from asr_qat.models.model_directory import Recogniser as Recogniser
    from asr_qat.models.prediction import TransducerConfig as TransducerConfig
    from asr_qat.models.presets import PRESETS as PRESETS
    from asr_qat.models.presets import STREAMING as STREAMING
    from asr_qat.models.presets import TRANSDUCERS as TRANSDUCERS
    from asr_qat.models.streaming_config import StreamingConfig as StreamingConfig
    from asr_qat.models.summary import summarize as summarize
    from asr_qat.models.transducer import build_transducer as build_transducer
    from asr_qat.quantize.apply import QuantizationConfig as QuantizationConfig
    from asr_qat.quantize.apply import quantized_layers as quantized_layers
    from asr_qat.quantize.conv import Conv2D as Conv2D
    from asr_qat.quantize.dense import Dense as Dense
    from asr_qat.quantize.keras_model import Scheme as Scheme
    from asr_qat.quantize.keras_model import left_in_float as left_in_float
    from asr_qat.quantize.keras_model import quantize_after_training as quantize_after_training
    from asr_qat.quantize.keras_model import quantize_model as quantize_model
    from asr_qat.quantize.precision import Precision as Precision
    from asr_qat.quantize.precision import parse
    from asr_qat.quantize.scheme import quantize_scope as quantize_scope
    from asr_qat.text.tokenizer import Tokenizer as Tokenizer
    from asr_qat.training.calibrated import Calibration as Calibration
    from asr_qat.training.calibrated import calibrated as calibrated
    from asr_qat.training.config import TrainConfig as TrainConfig
    from asr_qat.training.run import train as train
    from asr_qat.training.word_error_rate import Evaluator as Evaluator

    parse_precision = parse
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Calibration": "asr_qat.training.calibrated",
            "CTCDecoder": "asr_qat.models.keras_decoder",
            "CTCLoss": "asr_qat.losses.ctc",
            "Conv2D": "asr_qat.quantize.conv",
            "DataConfig": "asr_qat.corpora.data_config",
            "Dense": "asr_qat.quantize.dense",
            "EncoderConfig": "asr_qat.models.encoder_config",
            "Evaluator": "asr_qat.training.word_error_rate",
            "FrontEndConfig": "asr_qat.audio.front_end",
            "ModelConfig": "asr_qat.models.model_config",
            "PRESETS": "asr_qat.models.presets",
            "Pipeline": "asr_qat.corpora.dataset",
            "Precision": "asr_qat.quantize.precision",
            "PreparedFolder": "asr_qat.corpora.prepared",
            "QuantizationConfig": "asr_qat.quantize.apply",
            "Recogniser": "asr_qat.models.model_directory",
            "STREAMING": "asr_qat.models.presets",
            "Scheme": "asr_qat.quantize.keras_model",
            "StreamingConfig": "asr_qat.models.streaming_config",
            "TDTLoss": "asr_qat.losses.tdt",
            "TRANSDUCERS": "asr_qat.models.presets",
            "Tokenizer": "asr_qat.text.tokenizer",
            "TrainConfig": "asr_qat.training.config",
            "TransducerConfig": "asr_qat.models.prediction",
            "TransducerDecoder": "asr_qat.models.keras_decoder",
            "TransducerLoss": "asr_qat.losses.transducer",
            "UserError": "asr_qat.errors",
            "calibrated": "asr_qat.training.calibrated",
            "build_ctc": "asr_qat.models.ctc",
            "build_transducer": "asr_qat.models.transducer",
            "left_in_float": "asr_qat.quantize.keras_model",
            "load_yaml": "asr_qat.config",
            "parse_precision": "asr_qat.quantize.precision:parse",
            "prepare": "asr_qat.corpora.prepare",
            "quantize_after_training": "asr_qat.quantize.keras_model",
            "quantize_model": "asr_qat.quantize.keras_model",
            "quantize_scope": "asr_qat.quantize.scheme",
            "quantized_layers": "asr_qat.quantize.apply",
            "read_audio": "asr_qat.audio.decode",
            "read_corpus": "asr_qat.corpora.fallback",
            "show_log": "asr_qat.log",
            "summarize": "asr_qat.models.summary",
            "train": "asr_qat.training.run",
        },
    )

__version__ = "0.1.0"

choose_keras_2()
