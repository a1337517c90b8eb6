"""`python -m experiments.peers`: the same networks in LiteRT, ONNX Runtime and OpenVINO.

Files are made by NeMo's exporter and by this package, once; each part of a measurement is kept in
`--work` as soon as it is done, so that a command that was stopped goes on.
"""

import subprocess
import sys
from pathlib import Path

from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance
from experiments.peers.measure import Measured
from experiments.peers.peer import PACKAGES, PRECISIONS, peers_of, python_with
from experiments.peers.rows import PeersResults
from experiments.peers.table import peers_table
from experiments.pretrained_scale.networks import SECONDS, Made, Network
from experiments.reports.write import write_results

PROGRAM = "experiments.peers"
NETWORKS = {
    "large": ("FastConformer-CTC large", "fastconformer-ctc", "large"),
    "small": ("Conformer-CTC small", "ctc", "small"),
    "tiny": ("FastConformer-CTC tiny", "fastconformer-ctc", "tiny"),  # shows that it runs
}
MEASURED = ("large", "small")
THREADS = (1, 2)
ROUNDS, STARTS = 15, 3


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peer-python",
        type=Path,
        required=True,
        help="Python of an environment with torch, nemo_toolkit[asr] and onnxruntime",
    )
    parser.add_argument(
        "--network",
        nargs="+",
        choices=tuple(NETWORKS),
        default=MEASURED,
        help=f"(default: {' '.join(MEASURED)})",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed runs of each file")
    parser.add_argument("--starts", type=int, default=STARTS, help="processes that load each file")
    parser.add_argument("--work", type=Path, default=Path("work/peers"))
    parser.add_argument("--out", type=Path, default=Path("results/peers.json"))
    parser.add_argument("--make", action="store_true", help="make the files, and no more")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    for option in ("rounds", "starts"):
        value = getattr(args, option)
        require(value > 0, f"--{option} {value}: expected 1 or more")
    made = [_made(name, args.work, args.peer_python) for name in args.network]
    for each in made:
        peers_of(each, args.peer_python)
    if args.make:
        return
    rows = [
        Measured(
            each,
            args.peer_python,
            args.rounds,
            args.starts,
            args.work / "found" / each.folder.name,
            args.quiet,
        ).row(THREADS)
        for each in made
    ]
    found = PeersResults(
        **vars(Provenance.of_this_run(0)),
        audio_seconds=SECONDS,
        rounds=args.rounds,
        peers=_versions(args.peer_python),
        networks=tuple(rows),
    ).with_targets()
    print(write_results(found, args.out, peers_table), end="")


def _made(name: str, work: Path, peer_python: Path) -> Made:
    words, kind, size = NETWORKS[name]
    network = Network(words, kind, size, "ctc", tuple(PRECISIONS.values()))
    return Made(network, work, peer_python)


def _versions(peer_python: Path) -> dict[str, str]:
    """Those of the other runtimes, where they are there."""
    found = {}
    for name, package in PACKAGES.items():
        words = f"import importlib.metadata as m; print(m.version('{package}'))"
        command = [str(python_with(package, peer_python)), "-c", words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            found[name] = done.stdout.strip()
    return found


if __name__ == "__main__":
    main()
