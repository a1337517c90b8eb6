"""`tflite-export serve`."""

import argparse
from pathlib import Path

from tflite_export.commands.arguments import (
    add_endpoint,
    add_weight_cache,
    endpoint_of,
    seconds,
    threads,
    whole_number,
)


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
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    add_weight_cache(parser)
    parser.add_argument(
        "--about", help="what the page says of the model (default: its file and its look-ahead)"
    )
    add_endpoint(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    import asyncio

    from tflite_export.runtime.live.encoder import delays_ms
    from tflite_export.runtime.live.live_model import load_model
    from tflite_export.runtime.live.server import Limits, LiveServer
    from tflite_export.silence import silence

    limits = Limits(args.max_streams, args.max_message_bytes, args.idle_seconds)
    with silence():  # LiteRT announces its delegate in the first call
        model = load_model(args.model, args.threads, args.weight_cache)
    first_ms, second_ms = delays_ms(model.encoder)
    ahead = f"words wait for {first_ms:g} ms of sound, their correction for {second_ms:g} ms"
    about = args.about or f"{Path(args.model).name}: {ahead}"
    server = LiveServer(model, limits, endpoint_of(args), about)
    asyncio.run(_serve(server, args.host, args.port))


async def _serve(server, host: str, port: int) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server.listening(host, port) as port:
        address = f"[{host}]" if ":" in host else host  # of IPv6
        print(f"http://{address}:{port}/  (Ctrl-C ends)", flush=True)
        await stop.wait()
