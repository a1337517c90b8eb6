"""One update of the weights: slices, noise, L2, norm decay, a teacher, several outputs."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import pack_targets
from asr_qat.models.conformer import encoder_inputs
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.dense import Dense
from asr_qat.training.config import OptimizerConfig
from asr_qat.training.distillation import Distillation, DistillationConfig, distillation_loss
from asr_qat.training.norm_decay import NormDecay, NormDecayConfig, norm_decay
from asr_qat.training.training_step import TrainedModel
from asr_qat.training.variational_noise import VariationalNoiseConfig

ROWS, FRAMES, LABELS, VOCABULARY = 5, 12, 3, 6
LOSS = CTCLoss(halvings=0)
NOISE = VariationalNoiseConfig(std=0.1, layers="^ctc_output$")


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((ROWS, FRAMES, 80)).astype(np.float32)
    lengths = rng.integers(FRAMES // 2, FRAMES + 1, ROWS).astype(np.int32)
    labels = rng.integers(0, VOCABULARY, (ROWS, LABELS)).astype(np.int32)
    inputs = (tf.constant(features), tf.constant(lengths))
    return inputs, pack_targets(inputs[1], tf.constant(labels))


def build(outputs=("ctc_output",)):
    """Two layers of weights, and a CTC head for each output."""
    keras.utils.set_random_seed(1)
    features, lengths = encoder_inputs()
    hidden = Dense(8, activation="tanh", name="hidden")(features)
    heads = [Dense(VOCABULARY + 1, name=name)(hidden) for name in outputs]
    return keras.Model([features, lengths], heads if len(heads) > 1 else heads[0])


@pytest.fixture
def model():
    return build()


def step(model, data, count=1, losses=None, distillation=None, **settings):
    """`count` updates with gradient descent of rate 1; how the weights moved, and the losses."""
    trained = TrainedModel(
        model,
        losses or [(LOSS, 1.0)],
        OptimizerConfig(**settings),
        seed=3,
        distillation=distillation,
    )
    trained.compile(keras.optimizers.SGD(1.0))
    before = [w.numpy() for w in model.trainable_weights]
    function = tf.function(trained.train_step)
    found = [float(function(data)["loss"]) for _ in range(count)]
    moved = [w.numpy() - b for w, b in zip(model.trainable_weights, before, strict=True)]
    return moved, found


def reference(model, data):
    """The mean of the utterances' losses, each computed alone, and minus its gradient."""
    (features, lengths), targets = data
    with tf.GradientTape() as tape:
        losses = [
            LOSS.call(targets[i : i + 1], model([features[i : i + 1], lengths[i : i + 1]]))
            for i in range(ROWS)
        ]
        loss = tf.add_n(losses)[0] / ROWS
    return [-g.numpy() for g in tape.gradient(loss, model.trainable_weights)], float(loss)


def assert_close(first, second, tolerance=1e-5):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("slices", [1, 2, 3, 4, 9])
def test_slices_give_the_mean_over_all_rows(model, batch, slices):
    expected, loss = reference(model, batch)
    moved, (found,) = step(model, batch, accumulate=slices)
    assert found == pytest.approx(loss, rel=1e-5)
    assert_close(moved, expected)


@pytest.mark.parametrize("slices", [1, 2])
def test_rows_count_by_their_weight(model, batch, slices):
    """Copies without weight change nothing: what makes the rows of replicas equal in number."""
    expected, loss = reference(model, batch)
    rows = [0, 1, 2, 3, 4, 0, 0]
    copied = tf.nest.map_structure(lambda t: tf.gather(t, rows), batch)
    weights = tf.constant([1 / ROWS] * ROWS + [0.0, 0.0])
    moved, (found,) = step(model, (*copied, weights), accumulate=slices)
    assert found == pytest.approx(loss, rel=1e-5)
    assert_close(moved, expected)


def test_l2(model, batch):
    weights = [w.numpy() for w in model.trainable_weights]
    expected, _ = reference(model, batch)
    moved, _ = step(model, batch, l2=0.01)
    assert_close(moved, [e - 0.01 * w for e, w in zip(expected, weights, strict=True)])


@pytest.mark.parametrize("p", [None, 4.0])
@pytest.mark.parametrize("in_float", [None, "hidden", "."])
def test_norm_decay(batch, p, in_float):
    """Of the kernels that are quantized; of all in a float model."""
    overrides = {in_float: "float"} if in_float else {}

    def moved(**settings):
        model = quantize_model(build(), QuantizationConfig("w4", overrides=overrides))
        before = [w.numpy() for w in model.trainable_weights]
        layers = [layer.name for layer in model.layers for _ in layer.trainable_weights]
        changes, _ = step(model, batch, **settings)
        return list(zip(layers, before, changes, strict=True))

    for (layer, weight, plain), (_, _, decayed) in zip(
        moved(), moved(norm_decay=NormDecayConfig(0.01, p)), strict=True
    ):
        is_kernel = weight.ndim == 2
        if is_kernel and not (in_float == "hidden" == layer):
            plain = plain - 0.01 * norm_decay(tf.constant(weight), p)
        np.testing.assert_allclose(decayed, plain, atol=1e-5, err_msg=layer)


def test_norm_decay_of_blocks():
    """Each block of a channel has a range of its own."""
    config = QuantizationConfig("float", overrides={"hidden": "w4-b32"})
    x = keras.Input((None, 64), name="features")
    keras.utils.set_random_seed(2)
    wide = keras.Model(x, Dense(3, name="hidden")(x))
    quantized = quantize_model(wide, config)
    kernel = wide.get_layer("hidden").kernel.numpy()
    decay = NormDecay(quantized, NormDecayConfig(0.5))
    weights = quantized.trainable_weights
    found = decay.added([tf.zeros_like(weight) for weight in weights], weights)
    slope = next(f for f, w in zip(found, weights, strict=True) if w.shape.rank == 2)
    blocks = [norm_decay(tf.constant(part)) for part in (kernel[:32], kernel[32:])]
    np.testing.assert_allclose(slope, 0.5 * tf.concat(blocks, axis=0), rtol=1e-6)


def test_norm_decay_of_p_2_is_l2_of_the_kernels(model, batch):
    before = [w.numpy() for w in model.trainable_weights]
    decayed, _ = step(model, batch, norm_decay=NormDecayConfig(0.01, 2.0))
    for weight, value in zip(model.trainable_weights, before, strict=True):
        weight.assign(value)
    plain, _ = step(model, batch, l2=0.01)
    for weight, ours, theirs in zip(model.trainable_weights, decayed, plain, strict=True):
        if "kernel" in weight.name:
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def other_model():
    """A teacher: the same shape, other weights."""
    teacher = build()
    for weight in teacher.trainable_weights:
        weight.assign_add(tf.random.stateless_normal(weight.shape, [5, 6]))
    return teacher


def divergence(model, teacher, data, config):
    """The mean of the utterances' divergences, and minus its gradient."""
    (features, lengths), _ = data
    with tf.GradientTape() as tape:
        losses = distillation_loss(
            lengths, model([features, lengths]), teacher([features, lengths]), config.temperature
        )
        loss = config.weight * tf.reduce_mean(losses)
    return [-g.numpy() for g in tape.gradient(loss, model.trainable_weights)], float(loss)


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_distillation_is_added_to_the_loss(model, batch, slices):
    """Whatever the slices, and with copies that count nothing; the teacher stays as it is."""
    config, teacher = DistillationConfig(0.5, 2.0), other_model()
    before = [w.numpy() for w in teacher.weights]
    slopes, loss = reference(model, batch)
    more, added = divergence(model, teacher, batch, config)
    assert added > 0.1
    rows = [0, 1, 2, 3, 4, 0, 0]
    copied = tf.nest.map_structure(lambda t: tf.gather(t, rows), batch)
    weights = tf.constant([1 / ROWS] * ROWS + [0.0, 0.0])
    distillation = Distillation(teacher, config, halvings=0)
    moved, (found,) = step(model, (*copied, weights), distillation=distillation, accumulate=slices)
    assert found == pytest.approx(loss + added, rel=1e-5)
    assert_close(moved, [a + b for a, b in zip(slopes, more, strict=True)])
    for was, now in zip(before, teacher.weights, strict=True):
        np.testing.assert_array_equal(was, now)


def test_distillation_of_the_last_output(batch):
    model = build(["first", "ctc_output"])
    config, teacher = DistillationConfig(0.5, 2.0), other_model()
    losses = [(LOSS, 1.0), (LOSS, 0.3)]
    _, (plain,) = step(build(["first", "ctc_output"]), batch, losses=losses)
    _, added = divergence(keras.Model(model.inputs, model.outputs[1]), teacher, batch, config)
    distillation = Distillation(teacher, config, halvings=0)
    _, (found,) = step(model, batch, losses=losses, distillation=distillation)
    assert found == pytest.approx(plain + added, rel=1e-5)


def test_a_teacher_is_not_saved(model, tmp_path):
    distillation = Distillation(other_model(), DistillationConfig(), halvings=0)
    trained = TrainedModel(model, [(LOSS, 1.0)], OptimizerConfig(), distillation=distillation)
    assert len(trained.weights) == len(model.weights)
    path = tf.train.Checkpoint(model=trained).save(str(tmp_path / "checkpoint"))
    saved = [name for name, _ in tf.train.list_variables(path) if name.startswith("model/")]
    assert len(saved) == len(model.weights)


@pytest.mark.parametrize("slices", [1, 2])
def test_noise_is_on_the_weights_for_the_gradient_only(model, batch, slices):
    """The gradient is that of a model whose output layer has other weights."""
    names = [w.name for w in model.trainable_weights]
    clean = [w.numpy() for w in model.trainable_weights]
    moved, _ = step(model, batch, variational_noise=NOISE, accumulate=slices)

    trained = TrainedModel(model, [(LOSS, 1.0)], OptimizerConfig(variational_noise=NOISE), seed=3)
    for weight, value in zip(model.trainable_weights, clean, strict=True):
        weight.assign(value)
    with trained._step.noise.added(tf.constant(0, tf.int64)):
        noisy = [w.numpy() for w in model.trainable_weights]
        expected, _ = reference(model, batch)
    differ = {n for n, a, b in zip(names, clean, noisy, strict=True) if (a != b).any()}
    assert differ == {"ctc_output/kernel:0", "ctc_output/bias:0"}
    assert_close(moved, expected)
    for weight, value in zip(model.trainable_weights, clean, strict=True):
        np.testing.assert_array_equal(weight, value)


def noise(model, number, seed=0, **changes):
    """What is added to the output layer's kernel at step `number`."""
    config = OptimizerConfig(variational_noise=VariationalNoiseConfig(layers="ctc", **changes))
    trained = TrainedModel(model, [(LOSS, 1.0)], config, seed)
    kernel = model.get_layer("ctc_output").kernel
    before = kernel.numpy()
    with trained._step.noise.added(tf.constant(number, tf.int64)):
        return kernel.numpy() - before


def test_noise_is_a_function_of_seed_and_step(model):
    first = noise(model, 7)
    np.testing.assert_array_equal(first, noise(model, 7))
    assert not np.allclose(first, noise(model, 8))
    assert not np.allclose(first, noise(model, 7, seed=1))


def test_noise_has_its_deviation_from_its_first_step_on(model):
    assert not noise(model, 4, start_step=5).any()
    drawn = [noise(model, number, start_step=5, std=0.3) for number in range(5, 25)]
    assert np.std(drawn) == pytest.approx(0.3, rel=0.1)


def test_noise_for_no_layer(model):
    config = OptimizerConfig(variational_noise=VariationalNoiseConfig(layers="decoder"))
    with pytest.raises(UserError, match="variational_noise: layers: 'decoder' matches no layer"):
        TrainedModel(model, [(LOSS, 1.0)], config)


def test_the_losses_of_several_outputs_are_added(batch):
    model = build(["first", "second"])
    parts = [reference(keras.Model(model.inputs, output), batch)[1] for output in model.outputs]
    _, (found,) = step(model, batch, losses=[(LOSS, 1.0), (LOSS, 0.3)])
    assert found == pytest.approx(parts[0] + 0.3 * parts[1], rel=1e-5)


@pytest.mark.parametrize("slices", [1, 3])
def test_quantizers_count_steps_not_slices(model, batch, slices):
    late = quantize_model(model, QuantizationConfig("w4a8", start_step=2))
    weights = tf.zeros([ROWS])  # the model stays as it is
    trained = TrainedModel(late, [(LOSS, 1.0)], OptimizerConfig(accumulate=slices))
    trained.compile(keras.optimizers.SGD(1.0))
    kinds = []
    for _ in range(4):
        counters = [w for w in late.weights if w.name.split(":")[0].endswith("kernel_step")]
        kinds.append({int(counter) for counter in counters})
        trained.train_step((*batch, weights))
    assert kinds == [{0}, {1}, {2}, {3}]
