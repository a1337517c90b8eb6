"""The pieces by hand: a quantized Conformer trained with plain Keras `fit`.

python examples/fit.py work/an4 work/fit_w4a8 500
"""

import sys

from tensorflow import keras

from asr_qat import (
    CTCDecoder,
    CTCLoss,
    DataConfig,
    EncoderConfig,
    Evaluator,
    ModelConfig,
    Pipeline,
    PreparedFolder,
    QuantizationConfig,
    Recogniser,
    build_ctc,
    quantize_model,
)

folder, output, steps = PreparedFolder(sys.argv[1]), sys.argv[2], int(sys.argv[3])
stats = folder.stats

encoder = EncoderConfig(blocks=2, dim=64, heads=4, feed_forward=128, kernel=9, subsampling=32)
model = build_ctc(encoder, folder.tokenizer.vocab_size, stats.front_end.mel_bins)

precision = QuantizationConfig("w4a8", overrides={"ctc_output": "w8a8"})
model = quantize_model(model, precision)  # any other Keras model of these layers would do

pipeline = Pipeline(folder, DataConfig(batch_size=8, cache=True))
model.compile(keras.optimizers.Adam(2e-3, global_clipnorm=5.0), CTCLoss())
model.fit(pipeline.training(), steps_per_epoch=steps, verbose=2)
print(f"dev WER {100 * Evaluator(CTCDecoder(model), pipeline, 'dev').wer():.1f}%")

config = ModelConfig(encoder, stats.front_end, precision)
Recogniser(config, folder.tokenizer, stats.mean, stats.std, model).save(output)
