"""`tflite-export listen`."""

import argparse

from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import (
    add_chunk_ms,
    add_endpoint,
    add_skip_checksum,
    add_weight_cache,
    add_widen,
    endpoint_of,
    threads,
)


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "listen", help="print what the microphone hears, while it is spoken"
    )
    parser.add_argument("model", nargs="?", help=".tflite file of a live model")
    parser.add_argument("--file", help="a recording instead of the microphone")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--real-time", action="store_true", help="play the file as it was spoken (default)"
    )
    pace.add_argument("--fast", action="store_true", help="read the file as fast as possible")
    parser.add_argument("--device", help="number or part of the name of the microphone")
    parser.add_argument("--list-devices", action="store_true", help="print the microphones")
    add_chunk_ms(parser)
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    add_weight_cache(parser)
    add_widen(parser)
    add_skip_checksum(parser)
    parser.add_argument("--jsonl", action="store_true", help="print every event as a line of JSON")
    add_endpoint(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print words until the file ends or Ctrl-C."""
    import time

    from tflite_export.runtime.live import microphone

    if args.list_devices:
        print(microphone.device_list())
        return
    if args.model is None:
        raise UserError("listen: name the .tflite file of a live model")
    require(
        bool(args.file) or not (args.fast or args.real_time), "--fast, --real-time: need --file"
    )
    require(not (args.file and args.device), "--device: the microphone's, not of a --file")

    from tflite_export.runtime.live.events import Notice
    from tflite_export.runtime.live.interrupt import interruptible
    from tflite_export.runtime.live.live_model import load_model
    from tflite_export.runtime.live.screen import Screen
    from tflite_export.runtime.live.session import Session
    from tflite_export.runtime.live.sources import recorded_chunks
    from tflite_export.silence import silence

    with silence():  # LiteRT announces its delegate in the first call
        verify = not args.skip_checksum
        model = load_model(
            args.model, args.threads, args.weight_cache, verify=verify, widen=args.widen
        )
    clock = (lambda: 0.0) if args.fast else time.perf_counter  # nothing is late then
    session = Session(model, endpoint_of(args), clock)
    screen = Screen(args.jsonl)
    rate = model.front_end.sample_rate

    def overflowed() -> None:
        text = "the microphone lost audio: this machine did not take it in time"
        screen.show(Notice("overflow", session.heard_s, 1, text))

    with interruptible() as stop:
        if args.file:
            chunks = recorded_chunks(args.file, rate, args.chunk_ms, stop, not args.fast)
        else:
            chunks = microphone.microphone_chunks(
                rate, args.chunk_ms, stop, args.device, overflowed
            )
        try:
            for samples, arrived in chunks:
                for event in session.accept(samples, clock() if args.fast else arrived):
                    screen.show(event)
        finally:  # the words so far, also when the microphone has gone
            for event in session.finish():
                screen.show(event)
            screen.clear()
