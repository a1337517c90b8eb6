"""How fast audio becomes features, without a model: what an accelerator can be fed with."""

import itertools
import time
from collections.abc import Callable, Iterable

import tensorflow as tf

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.records import utterance_of
from asr_qat.progress import progress_bar
from experiments.benchmarks.rows import InputFigures, InputRow, InputSpeed
from tflite_export.score.rows import combine

WARM_UP = 3  # batches or files before the clock starts


def input_throughput(
    folder: PreparedFolder,
    config: DataConfig,
    seconds: float = 20.0,
    threads: int = 1,
    quiet: bool = False,
) -> InputFigures:
    """Measure the training pipeline from TFRecord, its stages, and FLAC files as they lie.

    Args:
        folder: a prepared folder whose recordings are where they were.
        config: how training batches are made; they are streamed, not cached.
        seconds: to measure each row for.
        threads: of the pipeline.
        quiet: no progress.
    """
    pipeline = Pipeline(folder, config)
    hop = pipeline.front_end.hop_ms / 1000
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    records = tf.data.TFRecordDataset(folder.shards("train")).repeat()
    decoded = records.map(utterance_of, threads).with_options(options)
    batches = pipeline.training().with_options(options)
    rate = pipeline.front_end.sample_rate
    sources: dict[str, Iterable[float]] = {
        "TFRecord: decoded": (len(item["audio"]) / rate for item in decoded),
        "TFRecord: training batches": (
            hop * float(tf.reduce_sum(lengths)) for (_, lengths), _ in batches
        ),
        "FLAC files: features": _files(folder, pipeline),
    }
    bar = progress_bar("measure", len(sources), "row", quiet)
    rows = []
    for name, source in sources.items():
        rows.append(combine(InputRow, _measure(iter(source), seconds), name=name))
        bar.update(1)
    bar.close()
    return InputFigures(threads=threads, seconds_each=seconds, rows=tuple(rows))


def _files(folder: PreparedFolder, pipeline: Pipeline) -> Iterable[float]:
    """Seconds of audio of each file that was read and made features of, over and over."""
    front_end, stats = pipeline.front_end, folder.stats
    for utterance in itertools.cycle(folder.utterances("train")):
        audio = read_audio(utterance["audio_filepath"], front_end.sample_rate)
        normalize(log_mel(audio, front_end), front_end, stats.mean, stats.std)
        yield len(audio) / front_end.sample_rate


def _measure(
    source: Iterable[float],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
) -> InputSpeed:
    """Consume seconds of audio from `source` for a while."""
    items = iter(source)
    for _ in range(WARM_UP):
        next(items)
    started, spent, audio = clock(), processor(), 0.0
    while clock() - started < seconds:
        audio += next(items)
    wall, cpu = clock() - started, processor() - spent
    hours = audio / 3600
    return InputSpeed(
        audio_hours=hours,
        wall_seconds=wall,
        cpu_seconds=cpu,
        audio_hours_per_second=hours / wall,
        audio_hours_per_core_second=hours / cpu,
    )
