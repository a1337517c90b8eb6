"""`tflite-export transcribe`."""

import argparse

from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import beam, threads


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("transcribe", help="print the text of recordings")
    parser.add_argument("file", help=".tflite file; of a live model: the second pass's text")
    parser.add_argument("audio", nargs="+", help="WAV, FLAC, SPHERE or OGG files")
    parser.add_argument(
        "--beam", type=beam, default=0, help="of a transducer's search (default: greedy search)"
    )
    parser.add_argument(
        "--nbest",
        action="store_true",
        help="with --beam: all its hypotheses, with log-probability and that for each label",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print one line for each file, with its name if there are several."""
    from asr_qat.audio.decode import read_audio
    from tflite_export.runtime.recogniser import TFLiteRecogniser

    if args.nbest and not args.beam:
        raise UserError("--nbest: the hypotheses of a beam search: add --beam 8")
    recogniser = TFLiteRecogniser(args.file, args.threads)
    transcribe = _transcriber(recogniser, args.beam)
    rate = recogniser.metadata.front_end.sample_rate
    for path in args.audio:
        audio = read_audio(path, rate)
        if args.nbest:
            lines = _nbest(recogniser, audio, args.beam)
        else:
            lines = [transcribe(audio)]
        for line in lines:
            print(f"{path}\t{line}" if len(args.audio) > 1 else line, flush=True)


def _transcriber(recogniser, beam: int):
    """A function from audio to its text."""
    if not recogniser.live:
        return lambda audio: recogniser.transcribe(audio, beam)
    from tflite_export.runtime.live.live_model import live_model
    from tflite_export.runtime.live.whole_recording import transcribe

    require(not beam, f"{recogniser.path}: a live model searches greedily: leave --beam away")
    model = live_model(recogniser)
    return lambda audio: transcribe(model, audio)


def _nbest(recogniser, audio, beam: int) -> list[str]:
    """Rank, score, score for each label and text, separated by tabs."""
    from asr_qat.decoding.hypothesis import format_nbest

    features = recogniser.features(audio)
    if len(features) == 0:
        return []
    found = recogniser.beam_search(features, beam, beam)
    return format_nbest(found, recogniser.metadata.tokenizer.decode).splitlines()
