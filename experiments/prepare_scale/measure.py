"""Prepare one corpus by several numbers of workers, and train from disk and from a store."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from asr_qat import files
from asr_qat.corpora import manifest
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.utterance import Corpus
from asr_qat.provenance import provenance
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import Tokenizer
from experiments.prepare_scale.commands import Times, folder_bytes, same_files, timed
from experiments.prepare_scale.local_store import BUCKET, local_store
from experiments.prepare_scale.rows import (
    PrepareRow,
    PrepareScaleResults,
    Stages,
    StoreRow,
)

VOCABULARY = 1024
TRAINING = "configs/librispeech_tiny_float.yaml"


def measure(data: Path, shards: int, steps: int, work: Path) -> PrepareScaleResults:
    """Measure all of it.

    Args:
        data: manifests of the corpus.
        shards: of each split; enough for two workers to share out evenly.
        steps: of each training; 0 for no training and no object store.
        work: a folder for what is made.
    """
    words = ("prepare", "--corpus", "manifest", "--data", str(data), "--quiet")
    words += ("--vocab-size", str(VOCABULARY), "--shards", str(shards))
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
    merge = timed(*words, "--merge", "--out", str(first)).wall
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
        stages=_stages(data, times["processes", 1].core, merge),
        steps=steps,
        store=tuple(_store(words, steps, work)) if steps else (),
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


def _stages(data: Path, core_seconds: float, merge_seconds: float) -> Stages:
    started = time.monotonic()
    corpus = manifest.read(data)
    plan = time.monotonic() - started
    started = time.monotonic()
    Tokenizer.train(_texts(corpus), VOCABULARY)
    vocabulary = time.monotonic() - started
    return Stages(
        core_seconds=core_seconds,
        plan_seconds=plan,
        vocabulary_seconds=vocabulary,
        merge_seconds=merge_seconds,
    )


def _texts(corpus: Corpus) -> list[str]:
    return sorted(normalize(utterance.text) for utterance in corpus.splits["train"])


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
    lines = files.read_text(f"{model}/history.jsonl").splitlines()
    return float(json.loads(lines[-1])["loss"])
