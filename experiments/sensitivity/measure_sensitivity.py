"""How much each layer's weights suffer from fewer bits, measured on development data.

The weights of one layer are rounded, all others stay float, and the model reads the whole split.
Two figures say what that does, both means over the utterances, in nats:

- `loss`: the rise of the training loss of the transcripts. It is what matters, but few hundred
  utterances measure it badly: it is ruled by those that the model gets wrong, and half of the
  layers seem better at 4 bits than in float. To choose the least of such figures is to choose the
  luckiest ones.
- `divergence`: how far the model moves from the float model,

      mean(exp(-d) - 1 + d),   d = |rise of the loss of the float model's own transcript|.

  For transcripts that are drawn from the float model it is an estimate of the Kullback-Leibler
  divergence between the transcripts' distributions (for rises: Schulman, 2020, "Approximating KL
  divergence", k3); here the likeliest one stands for all. It is never negative, quadratic in
  small changes, and linear in large ones. Assignments go by it.

The same is measured of each part of the model (`asr_qat.models.layer_names`) as a
whole. A live model's losses are those of both passes: an encoder's change moves both, a
cascade's the second. So the divergence of each pass stands beside.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import require
from asr_qat.losses.targets import PADDING, pack_targets
from asr_qat.models.layer_names import part_of
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.summary import summarize
from asr_qat.progress import progress_bar
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.precision import FLOAT, parse
from asr_qat.quantize.product_layer import ProductLayer
from asr_qat.training.word_error_rate import damaged_shards
from experiments.sensitivity.layer_sensitivity import LayerSensitivity, Sensitivity

PRECISIONS = ("w8a8", "w4a8", "w2a8")
BATCHES = DataConfig(batch_size=16)


def measure_sensitivity(
    recogniser: Recogniser,
    folder: PreparedFolder,
    precisions: tuple[str, ...] = PRECISIONS,
    split: str = "dev",
    utterances: int | None = None,
    quiet: bool = False,
) -> Sensitivity:
    """Measure every Dense layer of a float model at every precision.

    A CTC head beside a transducer is omitted: it is of the training alone.

    Args:
        recogniser: a float model; it is as before in the end.
        folder: whose `split` is read, of the model's vocabulary.
        precisions: names; `float` is one of them if it may be chosen.
        split: what to measure on.
        utterances: about how many of the split at most, spread over it; None for all.
        quiet: no progress.

    Raises:
        UserError: a quantized model, an unknown precision, another vocabulary, no such split.
    """
    require(len(precisions) > 0, "precisions: none given")
    require(
        recogniser.config.quantization is None, "the model is quantized already: give a float one"
    )
    require(
        recogniser.tokenizer.proto == folder.tokenizer.proto,
        f"{folder.path}: its vocabulary is not the model's: prepare it with --tokenizer",
    )
    model, wanted = recogniser.model, list(dict.fromkeys(precisions))
    rounded = {name: rounded_kernels(recogniser, name) for name in wanted}
    layers = [layer for layer in model.layers if _is_assigned(layer, recogniser)]
    sizes = {name: _bytes(recogniser, name) for name in (FLOAT, *wanted)}
    losses = UtteranceLosses(recogniser, folder, split, utterances)
    before = losses()
    parts: dict[str, list[keras.layers.Layer]] = {}
    for layer in layers:
        parts.setdefault(part_of(layer.name), []).append(layer)
    count = (len(layers) + len(parts)) * len(wanted)
    bar = progress_bar("sensitivity", count, "layer", quiet)

    def measured(name: str, together: list[keras.layers.Layer]) -> list[LayerSensitivity]:
        rows = []
        kernels = [layer.kernel.numpy() for layer in together]
        for precision in wanted:
            after = before
            if precision != FLOAT:
                for layer in together:
                    layer.kernel.assign(rounded[precision][layer.name])
                after = losses()
                for layer, kernel in zip(together, kernels, strict=True):
                    layer.kernel.assign(kernel)
            loss, divergence, *by_pass = difference(before, after)
            size = sum(sizes[precision][layer.name] for layer in together)
            found = LayerSensitivity(name, precision, size, loss, divergence, tuple(by_pass))
            rows.append(found)
            bar.update(1)
        return rows

    rows = [row for layer in layers for row in measured(layer.name, [layer])]
    whole = [row for name, own in parts.items() for row in measured(name, own)]
    bar.close()
    total = sum(sizes[FLOAT].values())
    others = total - sum(sizes[FLOAT][layer.name] for layer in layers)
    return Sensitivity(
        float(before[:, 0].mean()), len(before), total, others, tuple(rows), tuple(whole)
    )


class UtteranceLosses:
    """The losses of each utterance of a split; data in memory, the graph traced once.

    They are those of the float model's training, without CTC heads beside a transducer.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        folder: PreparedFolder,
        split: str = "dev",
        utterances: int | None = None,
    ):
        """Read the split and recognise it; arguments as of `measure_sensitivity`."""
        self._recogniser = recogniser
        losses = recogniser.config.kind.losses()
        kind = type(losses[0][0])
        self._losses = [(loss, share) for loss, share in losses if isinstance(loss, kind)]
        stats = recogniser.stats_for(folder)
        dataset = Pipeline(folder, BATCHES, stats=stats).evaluation(split)
        count = len(folder.utterances(split))
        every = -(-count // min(count, utterances or count))
        decoder = recogniser.decoder()
        self._batches = []
        with damaged_shards(folder, split):
            for inputs, targets in dataset.shard(every, 0):
                found = decoder.search(decoder.encode(*inputs), inputs[1].numpy())
                self._batches.append((inputs, targets, _own_targets(targets.numpy(), found)))
        inputs, targets = dataset.element_spec
        self._batch_losses = tf.function(self._trace, input_signature=(inputs, targets, targets))

    def __call__(self) -> np.ndarray:
        """float32 `[utterances, 2]`: loss of the transcript, and of the first model's own.

        Of a live model `[utterances, 4]`: then the latter in each pass alone.
        """
        return np.concatenate([self._batch_losses(*batch).numpy() for batch in self._batches])

    def _trace(self, inputs, transcripts, own):
        recogniser, outputs, columns = self._recogniser, None, []
        for targets in (transcripts, own):
            if outputs is None or recogniser.config.kind.reads_labels:
                read = recogniser.model_inputs(inputs, targets)
                outputs = tf.nest.flatten(recogniser.model(read, training=False))
            pairs = zip(self._losses, outputs, strict=False)  # the CTC heads come last
            passes = [(share, loss.call(targets, output)) for (loss, share), output in pairs]
            columns.append(tf.add_n([share * losses for share, losses in passes]))
        if len(passes) > 1:
            columns += [losses for _, losses in passes]
        return tf.stack(columns, axis=-1)


def difference(before: np.ndarray, after: np.ndarray) -> list[float]:
    """`loss` and `divergence`, see above, of `UtteranceLosses` of the float and another model.

    Of a live model then the divergence of each pass.
    """
    rise = after.astype(np.float64) - before
    change = np.abs(rise[:, 1:])
    divergences = (np.expm1(-change) + change).mean(axis=0)
    return [float(rise[:, 0].mean()), *divergences.tolist()]


def _own_targets(targets: np.ndarray, found: list[list[int]]):
    """Recognised tokens instead of the transcripts; where there are none, these stay."""
    own = [
        row or [token for token in labels if token != PADDING]
        for row, labels in zip(found, targets[:, 1:].tolist(), strict=True)
    ]
    labels = np.full((len(own), max(map(len, own))), PADDING, np.int32)
    for row, tokens in zip(labels, own, strict=True):
        row[: len(tokens)] = tokens
    return pack_targets(tf.constant(targets[:, 0]), tf.constant(labels))


def _is_assigned(layer: Any, recogniser: Recogniser) -> bool:
    return (
        isinstance(layer, ProductLayer) and layer.name not in recogniser.config.kind.training_only
    )


def rounded_kernels(recogniser: Recogniser, name: str) -> dict[str, np.ndarray]:
    """The values of each layer's kernel when a float model is quantized after its training.

    Args:
        recogniser: the float model.
        name: of the precision; none of the layers has one if it is `float`.
    """
    if parse(name) is None:
        return {}
    kernels = {}
    model = quantize_model(recogniser.model, QuantizationConfig(name))
    for layer, found in quantized_layers(model).items():
        kernels[layer] = found.quantizer.rounded(found.kernel, found.variables).numpy()
    return kernels


def _bytes(recogniser: Recogniser, name: str) -> dict[str, int]:
    """Bytes of every layer with weights but a CTC head that no file has."""
    rows = summarize(recogniser.model, QuantizationConfig(name))
    training_only = recogniser.config.kind.training_only
    return {row.name: row.bytes for row in rows if row.name not in training_only}
