"""Measurements of one network, in parts that are kept one by one."""

import dataclasses
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.progress import progress
from asr_qat.provenance import code_commit
from experiments.peers.peer import Peer, peers_of
from experiments.peers.rows import (
    INT4,
    LITERT,
    ONNX_RUNTIME,
    NetworkRow,
    OperatorRow,
    RefusedRow,
    SpeedRow,
)
from experiments.pretrained_scale.networks import Made, parameters_of
from experiments.pretrained_scale.rows import StartRow
from experiments.pretrained_scale.running import PEER, Running, size_mb, starts
from tflite_export.score.fresh_process import result_of

OPERATORS = "experiments.peers.operators"


class Measured:
    """What is measured of a network; each part is found again in `folder`.

    Args:
        made: the network.
        peer_python: Python of the environment with NeMo.
        rounds: timed runs of each file.
        starts: processes that load each file.
        folder: that keeps the parts; those of another commit are measured again.
        quiet: no progress.
    """

    def __init__(
        self, made: Made, peer_python: Path, rounds: int, starts: int, folder: Path, quiet: bool
    ):
        self._made, self._folder, self._quiet = made, folder, quiet
        self._rounds, self._starts = rounds, starts
        self._peers = peers_of(made, peer_python)
        self._commit = code_commit()

    def row(self, threads: Sequence[int]) -> NetworkRow:
        """All parts."""
        refused = self._part("refused", RefusedRow, self._refused)
        runs_not = {(row.runtime, row.weights, row.file) for row in refused}
        peers = [p for p in self._peers if (p.runtime, p.weights, p.kind) not in runs_not]
        speed: list[SpeedRow] = []
        for count in threads:
            measure = functools.partial(self._speed, peers, count)
            speed += self._part(f"speed_{count}", SpeedRow, measure)
        return NetworkRow(
            name=self._made.network.name,
            parameters=result_of(parameters_of, str(self._made.model())),
            refused=tuple(refused),
            speed=tuple(speed),
            start=tuple(self._part("start", StartRow, functools.partial(self._start, peers))),
            operators=tuple(
                self._part("operators", OperatorRow, functools.partial(self._operators, peers))
            ),
        )

    def _part(self, name: str, kind: type, measure: Callable[[], Sequence[Any]]) -> list[Any]:
        """The rows of a part."""
        path = self._folder / f"{name}.json"
        if path.exists():
            kept = files.read_json(path)
            if kept["commit"] == self._commit and kept["rounds"] == self._rounds:
                return [from_dict(kind, row, str(path)) for row in kept["rows"]]
        rows = measure()
        self._folder.mkdir(parents=True, exist_ok=True)
        written = [dataclasses.asdict(row) for row in rows]
        files.write_json(path, {"commit": self._commit, "rounds": self._rounds, "rows": written})
        return list(rows)

    def _refused(self) -> list[RefusedRow]:
        name = f"try {self._made.network.name}"
        shown = progress(self._peers, name, len(self._peers), "file", self._quiet)
        return [row for row in (peer.refusal() for peer in shown) if row]

    def _speed(self, peers: Sequence[Peer], threads: int) -> list[SpeedRow]:
        """All in turn, once in each round, after one run that is not timed."""
        cache = self._folder / "cache"  # stays empty
        running = [Running(peer.command(threads), cache) for peer in peers]
        for each in running:
            each.again()
        name = f"time {self._made.network.name}, {threads} threads"
        shown = progress(range(self._rounds), name, self._rounds, "round", self._quiet)
        taken = [[each.times() for each in running] for _ in shown]
        for each in running:
            each.end()
        cpu, wall = (
            np.array([[times[key] for times in row] for row in taken])
            for key in ("cpu_ms", "wall_ms")
        )
        return [
            SpeedRow(
                runtime=peer.runtime,
                weights=peer.weights,
                file=peer.kind,
                threads=threads,
                mb=size_mb(peer.path),
                cpu_ms=float(np.median(cpu[:, column])),
                wall_ms=float(np.median(wall[:, column])),
                times_int4=float(np.median(cpu[:, column] / cpu[:, 0])),
            )
            for column, peer in enumerate(peers)
        ]

    def _start(self, peers: Sequence[Peer]) -> tuple[StartRow, ...]:
        cache = self._folder / "cache"
        commands = [
            (f"{peer.runtime}, {peer.kind}", peer.weights, peer.path, peer.command(1))
            for peer in peers
        ]
        return starts(commands, self._starts, cache, self._quiet)

    def _operators(self, peers: Sequence[Peer]) -> list[OperatorRow]:
        """Of int4 in LiteRT, and of all in ONNX Runtime."""
        rows: list[OperatorRow] = []
        for peer in peers:
            if (peer.runtime, peer.weights) == (LITERT, INT4):
                command = [sys.executable, "-m", OPERATORS, str(peer.path)]
            elif peer.runtime == ONNX_RUNTIME:
                options = ["--frames", str(peer.frames)]
                command = [str(peer.python), str(PEER), "profile", str(peer.path), *options]
            else:
                continue
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows += [
                OperatorRow(runtime=peer.runtime, weights=peer.weights, **found)
                for found in json.loads(done.stdout.splitlines()[-1])
            ]
        return rows
