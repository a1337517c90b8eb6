"""Prepare one corpus by several numbers of workers, and train from disk and from a store."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest
from asr_qat.provenance import provenance
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import Tokenizer
from experiments.prepare_scale.commands import Times, folder_bytes, same_files, timed
from experiments.prepare_scale.layouts import measure_layouts
from experiments.prepare_scale.local_store import BUCKET, local_store
from experiments.prepare_scale.rows import (
    PrepareRow,
    PrepareScaleResults,
    Stages,
    StoreRow,
)

VOCABULARY = 1024
TRAINING = "configs/an4_tiny_plain.yaml"  # of a small model


def measure(data: Path, shards: int, steps: int, work: Path) -> PrepareScaleResults:
    """Measure all of it.

    Args:
        data: a manifest.
        shards: of each split; enough for two workers to share out evenly.
        steps: of each training; 0 for no training and no object store.
        work: a folder for what is made.
    """
    words = (
        *("prepare", "--corpus", "manifest", "--data", str(data), "--quiet"),
        *("--vocab-size", str(VOCABULARY), "--shards", str(shards)),
    )
    first, rows = work / "processes_1", []
    with _ray_of_two_nodes() as address:
        times: dict[tuple[str, int], Times] = {}
        for executor, extra in (("processes", ()), ("ray", ("--ray-address", address))):
            for workers in (1, 2):
                out = work / f"{executor}_{workers}"
                how = ("--executor", executor, "--workers", str(workers), *extra)
                spent = times[executor, workers] = timed(*words, *how, "--out", str(out))
                row = PrepareRow(
                    executor=executor,
                    workers=workers,
                    seconds=spent.wall,
                    speed_up=times[executor, 1].wall / spent.wall,
                    identical=same_files(first, out),
                )
                print(row, flush=True)
                rows.append(row)
    folder = PreparedFolder(first)
    splits = folder.corpus["splits"]
    return PrepareScaleResults(
        **provenance(),
        corpus=folder.corpus["description"],
        audio_hours=sum(facts["hours"] for facts in splits.values()),
        utterances=sum(facts["utterances"] for facts in splits.values()),
        shards=shards,
        folder_bytes=folder_bytes(first),
        rows=tuple(rows),
        stages=_stages(data, first, shards, times["processes", 1].core),
        steps=steps,
        store=tuple(_store(words, steps, work)) if steps else (),
        layouts=tuple(measure_layouts()),
    ).with_targets()


@contextlib.contextmanager
def _ray_of_two_nodes() -> Iterator[str]:
    """A cluster on this machine of two nodes with a core each; its address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def _stages(data: Path, finished: Path, shards: int, core_seconds: float) -> Stages:
    """The parts that one process does alone, in this one: no program is started."""
    started = time.monotonic()
    corpus = manifest.read(data)
    read = time.monotonic()
    prepare(corpus, finished, VOCABULARY, shards=shards, quiet=True, merge=True)
    merged = time.monotonic()
    texts = sorted(normalize(utterance.text) for utterance in corpus.splits["train"])
    Tokenizer.train(texts, VOCABULARY)
    return Stages(
        core_seconds=core_seconds,
        read_seconds=read - started,
        merge_seconds=merged - read,
        vocabulary_seconds=time.monotonic() - merged,
    )


def _store(words: tuple[str, ...], steps: int, work: Path) -> Iterator[StoreRow]:
    """The same on disk and over `s3://`."""
    with local_store() as variables, tempfile.TemporaryDirectory() as empty:
        for place, root in (("disk", empty), ("s3", f"s3://{BUCKET}")):
            prepared = timed(*words, "--out", f"{root}/data", variables=variables)
            settings = (f"steps={steps}", "evaluate_every=null", "keep=last", "batches.cache=false")
            paths = ("--data", f"{root}/data", "--output", f"{root}/model", "--quiet")
            how = ("train", "--config", TRAINING, *paths, "--set", *settings)
            trained = timed(*how, variables=variables)
            yield StoreRow(
                place=place,
                prepare_seconds=prepared.wall,
                train_seconds=trained.wall,
                loss=_loss(f"{root}/model", variables),
            )


def _loss(model: str, variables: dict[str, str]) -> float:
    """That of the last line of its history."""
    os.environ.update(variables)
    *_, last = filter(str.strip, files.read_lines(f"{model}/history.jsonl"))
    return float(json.loads(last)["loss"])
