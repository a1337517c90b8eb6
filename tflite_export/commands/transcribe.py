"""`tflite-export transcribe`."""

import argparse

from asr_qat.errors import UserError, require
from tflite_export.commands.arguments import add_weight_cache, beam, threads


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("transcribe", help="print the text of recordings")
    parser.add_argument("file", help=".tflite file; of a live model: the second pass's text")
    parser.add_argument("audio", nargs="+", help="WAV, FLAC, SPHERE or OGG files")
    parser.add_argument(
        "--beam",
        type=beam,
        default=0,
        help="hypotheses that a transducer's search keeps (default: greedy search)",
    )
    parser.add_argument(
        "--nbest",
        action="store_true",
        help="with --beam: all its hypotheses, with log-probability and that for each label",
    )
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    add_weight_cache(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print one line for each file, with its name if there are several."""
    from asr_qat.audio.decode import read_audio
    from tflite_export.runtime.transcriber import load
    from tflite_export.silence import silence

    if args.nbest and not args.beam:
        raise UserError("--nbest: the hypotheses of a beam search: add --beam 8")
    with silence():  # LiteRT prints what its exceptions say
        model = load(args.file, args.threads, args.weight_cache)
    if model.recogniser.live:
        require(not args.beam, f"{args.file}: a live model searches greedily: omit --beam")
    for path in args.audio:
        audio = read_audio(path, model.sample_rate)
        with silence():  # and announces its delegate in the first call
            if args.nbest:
                lines = _nbest(model.recogniser, audio, args.beam)
            else:
                lines = [model.transcribe(audio, beam=args.beam)]
        for line in lines:
            print(f"{path}\t{line}" if len(args.audio) > 1 else line, flush=True)


def _nbest(recogniser, audio, beam: int) -> list[str]:
    """Rank, score, score for each label and text, separated by tabs."""
    from asr_qat.decoding.hypothesis import format_nbest

    features = recogniser.features(audio)
    if len(features) == 0:
        return []
    found = recogniser.beam_search(features, beam, beam)
    return format_nbest(found, recogniser.metadata.tokenizer.decode).split("\n")
