"""Training on several accelerators and several machines, with `tf.distribute`.

Batches stay those of one device: each step's global batch is a function of seed and step, and
every replica takes its part of the rows. The same configuration gives the same losses on any
number of replicas, up to the order of sums and the dropout. Every machine reads the records of
the whole batch, and decodes and augments the rows of its own replicas.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from asr_qat.errors import UserError, require

VARIABLE = "TF_CONFIG"
EXAMPLE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Distribution:
    """The replicas that train together.

    Attributes:
        strategy: None for a single device.
        chief: whether this process writes files and shows progress.
        workers: number of processes.
    """

    strategy: tf.distribute.Strategy | None = None
    chief: bool = True
    workers: int = 1

    def scope(self) -> contextlib.AbstractContextManager:
        """Where model and optimizer are created."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def batches(self, rows: tf.data.Dataset, compute: Callable[[Any], tuple[Any, Any]]) -> Any:
        """The batches of each replica, for `model.fit`.

        Args:
            rows: global batches, each a nest of tensors `[rows, ...]`.
            compute: makes `(inputs, targets)` of the rows of one replica.
        """
        if self.strategy is None:
            return rows.map(compute, tf.data.AUTOTUNE).prefetch(4)

        def of_worker(context):
            replicas = context.num_replicas_in_sync
            own = replicas // context.num_input_pipelines
            first = own * context.input_pipeline_id
            parts = rows.flat_map(lambda batch: replica_rows(batch, replicas).skip(first).take(own))
            return parts.map(
                lambda part, weights: (*compute(part), weights), tf.data.AUTOTUNE
            ).prefetch(2 * own)

        return self.strategy.distribute_datasets_from_function(of_worker)

    def same(self, number: int) -> bool:
        """Whether all workers call this with the same number. Waits for them."""
        strategy = self.strategy
        if strategy is None or self.workers == 1:
            return True

        @tf.function(autograph=False)
        def gather():
            def own():
                values = tf.constant([number], tf.int32)
                return tf.distribute.get_replica_context().all_gather(values, axis=0)

            return strategy.run(own)

        gathered = strategy.experimental_local_results(gather())[0]
        return bool(tf.reduce_all(gathered == gathered[:1]))

    @contextlib.contextmanager
    def lost_workers(self) -> Iterator[None]:
        """Raise `UserError` when another worker does not answer any more."""
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError):
            if self.workers == 1:
                raise
            raise UserError(
                "another worker was stopped or cannot be reached: run the same command again on "
                "all of them"
            ) from None


def replica_rows(batch: Any, replicas: int) -> tf.data.Dataset:
    """The parts of a global batch, a nest of tensors, `(part, weights)` for each replica in turn.

    All parts have the same number of rows: what is lacking are copies of weight 0. A row's
    weight, float32, is its share in the mean over the rows of the global batch.
    """
    rows = tf.shape(tf.nest.flatten(batch)[0])[0]
    number = tf.range(replicas * -(-rows // replicas))
    weights = tf.where(number < rows, 1.0 / tf.cast(rows, tf.float32), 0.0)
    parts = tf.nest.map_structure(
        lambda values: tf.reshape(
            values, tf.concat([[replicas, -1], tf.shape(values)[1:]], axis=0)
        ),
        (tf.nest.map_structure(lambda t: tf.gather(t, number % rows), batch), weights),
    )
    return tf.data.Dataset.from_tensor_slices(parts)


def choose_distribution() -> Distribution:
    """Several machines where TF_CONFIG names them, several local GPUs, or a single device.

    Several machines must be chosen before TensorFlow computes anything.

    Raises:
        UserError: TF_CONFIG is wrong, or its address cannot be used.
    """
    workers, chief = _cluster()
    if workers > 1:
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise UserError(f"{VARIABLE}: {str(error).splitlines()[0]}") from None
        return Distribution(strategy, chief, workers)
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return Distribution(tf.distribute.MirroredStrategy())
    return Distribution()


def is_chief() -> bool:
    """Whether this process writes the files of all workers."""
    return _cluster()[1]


def _cluster() -> tuple[int, bool]:
    """The number of workers in TF_CONFIG, and whether this one is the chief."""
    text = os.environ.get(VARIABLE)
    if not text:
        return 1, True
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        kind, index = task["type"], task["index"]
        addresses = {name: list(cluster[name]) for name in cluster}
        address = addresses[kind][index]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{VARIABLE}: expected {EXAMPLE} ({reason})") from None
    require(
        set(addresses) <= {"chief", "worker"} and isinstance(index, int) and index >= 0,
        f"{VARIABLE}: expected workers, and a chief if you like: {EXAMPLE}",
    )
    every = [each for names in addresses.values() for each in names]
    require(
        all(isinstance(each, str) and each.rpartition(":")[2].isdigit() for each in every)
        and every.count(address) == 1,
        f"{VARIABLE}: cluster: expected different addresses host:port, found {every}",
    )
    return len(every), kind == "chief" or ("chief" not in addresses and index == 0)
