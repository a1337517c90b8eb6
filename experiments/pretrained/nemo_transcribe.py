"""NeMo's own transcriptions of a manifest, as JSON: what an imported model is compared with.

    python experiments/pretrained/nemo_transcribe.py model.nemo manifest.jsonl --out texts.json

Runs in NeMo's environment. Utterances are recognised one by one, so that no padding of a batch
has a part in them, and those shorter than a second are not filled up with silence, as NeMo's
`transcribe` does unless it is told otherwise. Of a hybrid model both heads transcribe.
"""

import argparse
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import nemo
import nemo.collections.asr as nemo_asr
import soundfile
import torch


def transcribe(model, audio: list) -> list[str]:
    """The text of each recording, float32 `[samples]`."""
    config = model.get_transcribe_config()
    config.batch_size, config.verbose, config.pad_min_duration = 1, False, 0.0
    texts = []
    for samples in audio:
        (found,) = model.transcribe([samples], override_config=config)
        texts.append(found if isinstance(found, str) else found.text)
    return texts


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = nemo_asr.models.ASRModel.restore_from(str(args.model), map_location="cpu").eval()
    model.preprocessor.featurizer.dither = 0.0
    entries = [json.loads(line) for line in args.manifest.read_text().strip().split("\n")]
    audio = [soundfile.read(entry["audio_filepath"], dtype="float32")[0] for entry in entries]
    if hasattr(model, "ctc_decoder"):
        texts = {"transducer": transcribe(model, audio)}
        model.change_decoding_strategy(decoder_type="ctc")
        texts["ctc"] = transcribe(model, audio)
    else:
        head = "ctc" if isinstance(model, nemo_asr.models.EncDecCTCModelBPE) else "transducer"
        texts = {head: transcribe(model, audio)}
    content = {"nemo": nemo.__version__, "torch": torch.__version__, "texts": texts}
    args.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
