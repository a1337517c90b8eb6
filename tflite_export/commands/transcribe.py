"""`tflite-export transcribe`."""

import argparse

from tflite_export.commands.arguments import threads


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("transcribe", help="print the text of recordings")
    parser.add_argument("file", help=".tflite file")
    parser.add_argument("audio", nargs="+", help="WAV, FLAC, SPHERE or OGG files")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print one line for each file, with its name if there are several."""
    from asr_qat.audio.decode import read_audio
    from tflite_export.recogniser import TFLiteRecogniser

    recogniser = TFLiteRecogniser(args.file, args.threads)
    rate = recogniser.metadata.front_end.sample_rate
    for path in args.audio:
        text = recogniser.transcribe(read_audio(path, rate))
        print(f"{path}\t{text}" if len(args.audio) > 1 else text, flush=True)
