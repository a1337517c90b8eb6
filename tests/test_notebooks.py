"""The notebooks: what is kept of them, and that they run from beginning to end."""

import base64
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.study_fixtures import write_study

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
SMALL = {"ASR_QAT_NOTEBOOK_STEPS": "4", "ASR_QAT_NOTEBOOK_UTTERANCES": "16"}
MOST_IMAGE_BYTES = 300_000  # of a notebook
SAID = {  # patterns of what each shows
    "01_audio_to_4bit_tflite": [
        r"step 4: loss \d+\.\d+, dev WER \d",
        r"w4a8\.tflite: 1,\d{3},\d{3} bytes",
        r"\| INT4 \| \d{3},\d{3} \|",
        r"custom operators: none",
        r"\| int4 \| 1\.\d\d \| 6\.\dx \| \d+\.\d \[",
        r"same text in Keras and LiteRT: \d+\.\d% of",
    ],
    "02_what_native_quantization_is": [
        r"the integers of training: True",
        r"static: 0 of [\d,]+ outputs differ",
        r"native: 0 of [\d,]+ outputs fall",
        r"fake: [1-9][\d,]* of [\d,]+ outputs fall",
        r"\| w4a4 \| training only \|",
        r"\| w4a8s \| LiteRT \| 4 \| bit-equal \|",
    ],
    "03_reading_a_precision_study": [
        r"## Weights by activations",
        r"Paired it is [+-]\d",
        r"\| w32a8_native_s240 \| native QAT \| training only \|",
        r"## Where the errors moved",
        r"points lost",
    ],
    "04_bring_your_own_corpus": [
        r"train: 96 utterances",
        r"losses \d",
        r"block_00_attention_query: w4a8",
        r"ctc_output: w8a8",
        r"\| w4a8\.tflite \| \d",
    ],
    "05_image_classifier": [
        r"898 examples in training, 899 in the test",
        r"hidden: w4a8\ndigit: w8a8",
        r"int4 +\d+\.\d\d \[",
        r"\d+ of 899 are wrong",
    ],
    "06_keyword_spotter": [
        r"pointwise3: w4a8\nword: w8a8",
        r"int2 +\d+\.\d\d \[",
        r"bytes with both signatures",
        r"largest difference to the clip in Keras: \d",
    ],
    "07_small_transformer": [
        r"attention0\.query: w4a8",
        r"int4 after training +\d+\.\d\d \[",
        r"dictionary: \d",
    ],
}


def shown(notebook) -> tuple[str, list[bytes]]:
    """All text that a notebook has put out, and its pictures."""
    texts, images = [], []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", output.ename
            assert output.get("name") != "stderr", output.text
            data = output.get("data", {})
            texts.append(output.get("text") or data.get("text/markdown", ""))
            if "image/png" in data:
                images.append(base64.b64decode(data["image/png"]))
    return "\n".join(texts), images


def test_all_are_here():
    assert NAMES == sorted(SAID)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_kept(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    text, images = shown(notebook)
    assert text
    assert 0 < sum(map(len, images)) < MOST_IMAGE_BYTES or name.startswith("04")
    assert not re.search(r"/(home|tmp|root|work/main)/", text)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_runs(name, request, tmp_path, monkeypatch):
    """In a fresh kernel, started in notebooks/, with few steps and utterances."""
    if name.startswith("01"):
        request.getfixturevalue("an4_archive")
    for key, value in SMALL.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("ASR_QAT_NOTEBOOK_STUDY", str(write_study(tmp_path)))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=place).execute()
    nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    text, _ = shown(notebook)
    for pattern in SAID[name]:
        assert re.search(pattern, text), pattern
