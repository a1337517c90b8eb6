"""`tflite-export serve`."""

import argparse
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_export.commands.arguments import (
    add_endpoint,
    add_skip_checksum,
    add_weight_cache,
    add_widen,
    endpoint_of,
    seconds,
    threads,
    whole_number,
)

if TYPE_CHECKING:
    from tflite_export.runtime.live.live_model import LiveModel
    from tflite_export.runtime.live.server import LiveServer
    from tflite_export.runtime.widen import Widen


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "serve", help="recognise streams of a WebSocket; a page for the browser's microphone"
    )
    parser.add_argument("model", help=".tflite file of a live model")
    parser.add_argument(
        "--host", default="localhost", help="address to listen on (default: localhost)"
    )
    parser.add_argument(
        "--port",
        type=whole_number("--port", 0, 65535),
        default=8765,
        help="0 for any free port (default: 8765)",
    )
    parser.add_argument(
        "--max-streams",
        type=whole_number("--max-streams", 1, 1000),
        default=8,
        help="streams at the same time (default: 8)",
    )
    parser.add_argument(
        "--max-per-address",
        type=whole_number("--max-per-address", 1, 1000),
        help="of them, those of one address (default: half; all of this machine's own)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number("--workers", 1, 1000),
        help="processes that recognise, each with the model (default: one for each core)",
    )
    parser.add_argument(
        "--max-message-bytes",
        type=whole_number("--max-message-bytes", 64, 1 << 24),
        default=64 * 1024,
        help="largest message; 2 bytes are a sample (default: 65536)",
    )
    parser.add_argument(
        "--idle-seconds",
        type=seconds("--idle-seconds"),
        default=30.0,
        help="close a stream after so many seconds without a message (default: 30)",
    )
    parser.add_argument(
        "--drain-seconds",
        type=seconds("--drain-seconds"),
        default=8.0,
        help="time that running streams have to end after SIGTERM (default: 8)",
    )
    parser.add_argument(
        "--allow-host",
        nargs="+",
        default=[],
        metavar="NAME",
        help="host names by which browsers may ask for this server, beside localhost (default: "
        "any, if it listens to more than this machine)",
    )
    parser.add_argument(
        "--proxy",
        nargs="+",
        default=[],
        metavar="ADDRESS",
        help="of proxies in front, whose X-Forwarded-For says who the client is",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads of each worker")
    add_weight_cache(parser)
    add_widen(parser)
    add_skip_checksum(parser)
    parser.add_argument(
        "--about", help="what the page says of the model (default: its file and its look-ahead)"
    )
    add_endpoint(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Serve until Ctrl-C, or until SIGTERM and the end of the streams that then run."""
    import asyncio
    import functools

    from asr_qat.cores import usable_cores
    from tflite_export.runtime.live.limits import Limits
    from tflite_export.runtime.live.server import LiveServer
    from tflite_export.runtime.live.workers import Workers

    limits = Limits(
        args.max_streams,
        args.max_per_address,
        max_message_bytes=args.max_message_bytes,
        idle_s=args.idle_seconds,
        drain_s=args.drain_seconds,
    )
    verify = not args.skip_checksum
    load = functools.partial(_load, args.model, args.threads, args.weight_cache, verify, args.widen)
    count = args.workers or usable_cores()
    workers = Workers(load, endpoint_of(args), count)
    name = Path(args.model).name
    server = LiveServer(workers, limits, args.about, name, args.allow_host, args.proxy)
    asyncio.run(_serve(server, args.host, args.port))


def _load(path: str, threads: int, weight_cache: bool, verify: bool, widen: "Widen") -> "LiveModel":
    from tflite_export.runtime.live.live_model import load_model
    from tflite_export.silence import silence

    with silence():  # LiteRT announces its delegate in the first call
        return load_model(path, threads, weight_cache, verify=verify, widen=widen)


async def _serve(server: "LiveServer", host: str, port: int) -> None:
    import asyncio
    import signal

    drain, stop = asyncio.Event(), asyncio.Event()

    def terminate() -> None:
        (stop if drain.is_set() else drain).set()

    loop = asyncio.get_running_loop()
    async with server.listening(host, port) as port:
        loop.add_signal_handler(signal.SIGINT, stop.set)
        loop.add_signal_handler(signal.SIGTERM, terminate)
        address = f"[{host}]" if ":" in host else host  # of IPv6
        print(f"http://{address}:{port}/  (Ctrl-C ends)", flush=True)
        await _first(stop.wait(), drain.wait())
        if not stop.is_set():
            await _first(stop.wait(), server.drain())


async def _first(*waits: "Coroutine[Any, Any, object]") -> None:
    """Until one of them is over; the others are ended."""
    import asyncio

    tasks = [asyncio.ensure_future(each) for each in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
