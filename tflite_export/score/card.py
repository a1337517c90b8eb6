"""The model card of a file: what it is, where it comes from, what was measured.

Markdown with a front matter in YAML, which Hugging Face reads.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from asr_qat import files
from asr_qat.provenance import Provenance
from asr_qat.source import Source
from tflite_export.runtime.metadata import Metadata, read_metadata
from tflite_export.score.live_rows import StreamedEvaluation
from tflite_export.score.rows import Difference, Evaluation, Rates

NAMED_LAYERS = 6  # of a precision, at most; more are counted
TAGS = ["litert", "tflite", "conformer"]


def write_card(
    path: str | Path, score: Evaluation | StreamedEvaluation | None = None, data: str | None = None
) -> Path:
    """Write the card of a `.tflite` beside it, with `.md` after its name.

    Args:
        path: of the file.
        score: what was measured of it, if anything was.
        data: name of the recordings that it was measured on.

    Returns:
        The path of the card.

    Raises:
        UserError: no such file, or not made by this package.
    """
    card = Path(f"{path}.md")
    files.write_text(card, model_card(path, score, data))
    return card


def model_card(
    path: str | Path, score: Evaluation | StreamedEvaluation | None = None, data: str | None = None
) -> str:
    """The text of the card; see `write_card`."""
    path, metadata = Path(path), read_metadata(path)
    front = yaml.safe_dump(_front_matter(metadata), sort_keys=False, allow_unicode=True)
    sections = [
        f"---\n{front}---",
        f"# {path.name}",
        "A speech recogniser in one file, for LiteRT: vocabulary and front end are inside.",
        _table(_file_rows(path, metadata)),
        "## Precision of the layers",
        _table(_precision_rows(metadata)),
    ]
    if metadata.source is not None:
        sections += ["## Source", _table(_source_rows(metadata.source))]
    if score is not None:
        sections += [f"## Measured on {data}" if data else "## Measured", _table(_scores(score))]
        if isinstance(score, Evaluation):
            sections += ["Word error rate by the length of the recording:", _by_length(score)]
    made = score or Provenance.of_this_run()
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    sections += ["## Versions", f"{versions}; commit {made.commit}."]
    return "\n\n".join(sections) + "\n"


def _front_matter(metadata: Metadata) -> dict[str, Any]:
    front: dict[str, Any] = {}
    if metadata.source is not None:
        if metadata.source.licence:
            front["license"] = metadata.source.licence.lower()  # as Hugging Face writes them
        front["base_model"] = metadata.source.name
        front["base_model_relation"] = "quantized"
    front["pipeline_tag"] = "automatic-speech-recognition"
    front["tags"] = [*TAGS, metadata.precision]
    return front


def _file_rows(path: Path, metadata: Metadata) -> list[list[str]]:
    front_end = metadata.front_end
    return [
        ["size", f"{path.stat().st_size:,} bytes"],
        ["SHA-256", f"`{files.sha256(path)}`"],
        ["precision", f"{metadata.widths} ({metadata.method})"],
        ["recognises", "streams" if metadata.live else "whole utterances"],
        ["audio", f"{front_end.sample_rate} Hz, {front_end.mel_bins} log-mel features"],
        ["vocabulary", f"{metadata.tokenizer.vocab_size} word pieces"],
        ["normaliser of the texts", f"`{metadata.normalizer}`"],
    ]


def _precision_rows(metadata: Metadata) -> list[list[str]]:
    """Precision, number of layers, and their names if they are few."""
    layers = defaultdict(list)
    for name, precision in metadata.layers.items():
        layers[precision].append(name)
    rows = []
    for precision, names in layers.items():
        shown = ", ".join(f"`{name}`" for name in names) if len(names) <= NAMED_LAYERS else ""
        rows.append([precision, f"{len(names)} layers", shown])
    return [*rows, ["float", "all else", ""]]


def _source_rows(source: Source) -> list[list[str]]:
    rows = [
        ["checkpoint", source.name],
        ["made with", f"{source.library} {source.version or ''}".strip()],
        ["its SHA-256", f"`{source.sha256}`"],
        ["licence", source.licence or "unknown"],
    ]
    return [*rows, ["attribution", source.attribution]] if source.attribution else rows


def _scores(score: Evaluation | StreamedEvaluation) -> list[list[str]]:
    if isinstance(score, Evaluation):
        rows = _rates(score, score.normalizer) + _difference(score)
    else:
        rows = []
        for name, rates in (("first pass: ", score.first), ("second pass: ", score.second)):
            figures = _rates(rates, score.normalizer) + _difference(rates)
            rows += [[name + what, found] for what, found in figures]
    rows.append(["recordings", f"{score.utterances}, with {score.words} words"])
    if score.ratio is not None:
        rows.append(["size", f"{score.ratio:.2f} times smaller than the baseline"])
    vnni = {True: ", with VNNI", False: ", without VNNI", None: ""}[score.hardware.vnni]
    return [
        *rows,
        ["real-time factor", f"{score.rtf:.4f}, {score.threads} thread(s)"],
        ["peak memory", f"{score.peak_rss_mb:.0f} MB"],
        ["device", f"{score.hardware.cpu}{vnni}"],
    ]


def _rates(rates: Rates, normalizer: str) -> list[list[str]]:
    low, high = rates.wer_ci
    found = f"{rates.wer:.2%} [{low:.2%}, {high:.2%}]"
    return [
        ["word error rate", f"{found}, normaliser `{normalizer}`"],
        ["character error rate", f"{rates.cer:.2%}"],
    ]


def _difference(found: Difference) -> list[list[str]]:
    if found.wer_diff_ci is None or found.words_changed is None:
        return []
    low, high = found.wer_diff_ci
    return [
        ["WER difference to the baseline", f"{found.wer_diff:+.2%} [{low:+.2%}, {high:+.2%}]"],
        ["words that differ from the baseline's", f"{100 * found.words_changed:.2f} in 100"],
    ]


def _by_length(score: Evaluation) -> str:
    rows = [
        [row.group, str(row.utterances), str(row.words), f"{row.wer:.2%}"]
        for row in score.by_length
    ]
    return _table(rows, ["seconds", "recordings", "words", "word error rate"])


def _table(rows: list[list[str]], header: list[str] | None = None) -> str:
    header = header or [""] * len(rows[0])
    lines = [header, ["---"] * len(header), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
