"""The worked examples of `examples/any_keras`, and the same models by other tools."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tensorflow import keras

from asr_qat import files
from asr_qat.provenance import code_commit
from examples.any_keras import image_classifier, keyword_spotter, small_transformer
from examples.any_keras.score import score
from examples.any_keras.workflow import FLOAT, INT4, Example, Split, shapes, write
from experiments.any_keras.example_rows import TFMOT, ExampleRow, StreamRow
from experiments.any_keras.peers import RECIPES, converter_file, quantizer_file, tfmot_model

EXAMPLES = (image_classifier.EXAMPLE, keyword_spotter.EXAMPLE, small_transformer.EXAMPLE)


def measure(example: Example, work: Path) -> ExampleRow:
    """Train, export and score an example by all tools.

    Args:
        example: one of `EXAMPLES`.
        work: folder for the files.
    """
    train, test = example.data()
    model = example.trained(train)
    models = example.variants(model, train)
    folder = work / example.name.replace(" ", "_")
    paths = write(models, test, folder)
    failures: dict[str, str] = {}
    left = _other_tools(example, (model, models[FLOAT]), (train, test), paths, failures)
    streaming = None
    if example is keyword_spotter.EXAMPLE:
        streaming = _stream(models[INT4], test, folder / "streaming.tflite")
    return ExampleRow(
        name=example.name,
        trained=len(train.labels),
        tested=len(test.labels),
        parameters=model.count_params(),
        files=tuple(score(paths, test)),
        left_by_tfmot=tuple(left),
        failures=failures,
        commit=code_commit(),
        streaming=streaming,
    )


def _other_tools(
    example: Example,
    floats: tuple[keras.Model, keras.Model],
    splits: tuple[Split, Split],
    paths: dict[str, Path],
    failures: dict[str, str],
) -> list[str]:
    """Write their files, add them to `paths` or say in `failures` why there is none.

    Args:
        example: says how long to train.
        floats: the float model, and the one that was trained on.
        splits: training and test.
        paths: of files, by name.
        failures: reasons, by name.

    Returns:
        The layers that tfmot left.
    """
    folder, (model, longer), (train, test) = paths[FLOAT].parent, floats, splits
    trained, left = tfmot_model(model)
    example.train_on(trained, train)
    contents = {TFMOT: converter_file(trained, shapes(test), optimize=True)}
    float_file = converter_file(longer, shapes(test))
    for name, kind in RECIPES.items():
        contents[name] = quantizer_file(float_file, kind)
    first = {name: x[:1] for name, x in test.inputs.items()}
    for name, content in contents.items():
        path = folder / f"{name.replace(' ', '_').replace(',', '')}.tflite"
        files.write_bytes(path, content)
        try:
            Interpreter(str(path), num_threads=1).get_signature_runner()(**first)
            paths[name] = path
        except (RuntimeError, ValueError) as error:
            failures[name] = str(error).strip().splitlines()[-1]
    return left


def _stream(model: keras.Model, test: Split, path: Path, clips: int = 50) -> StreamRow:
    keyword_spotter.write_streaming(model, path)
    run = Interpreter(str(path), num_threads=1).get_signature_runner("clip")
    whole, streamed = [], []
    for index in range(clips):
        clip = {name: x[index : index + 1] for name, x in test.inputs.items()}
        whole.append(run(**clip)["word"][0])
        streamed.append(keyword_spotter.stream(path, clip["frames"][0])[-1])
    return StreamRow(
        bytes=path.stat().st_size,
        clips=clips,
        difference=float(np.abs(np.subtract(whole, streamed)).max()),
        range=float(np.abs(whole).max()),
    )
