"""TensorFlow's converter: from functions to a flatbuffer in memory."""

import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.errors import UserError
from asr_qat.leftovers import temporary_folder
from tflite_export.convert.labels import Functions
from tflite_export.silence import silence


def flatbuffer_of(functions: Functions, weights: list[tf.Variable]) -> schema.ModelT:
    """A float model with a signature for each function.

    Args:
        functions: by name.
        weights: that they read; those that several read are stored once.

    Raises:
        UserError: the disk is full.
    """
    module = tf.Module()
    module.weights = weights  # not the model: Keras would trace every layer again
    with temporary_folder() as folder, silence():
        try:
            tf.saved_model.save(module, str(folder), signatures=functions)
        except tf.errors.OpError as error:
            reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
            raise UserError(
                f"{folder}: cannot write the intermediate model ({reason}): free some space, or "
                "set TMPDIR to another folder"
            ) from None
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder), signature_keys=list(functions)
        )
        converter.exclude_conversion_metadata = True  # a fingerprint, for a second copy in memory
        content = converter.convert()
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))
