"""One recogniser in many threads, and in processes that fork after it was loaded."""

import concurrent.futures
import multiprocessing
import os
import threading

import numpy as np
import pytest

import tflite_export
from asr_qat.cores import usable_cores
from tests.conftest import utterance
from tests.tones_fixtures import KINDS, tones_file
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.session import Session

THREADS = 16
SENTENCES = ("ONE TWO", "THREE", "FOUR FIVE ONE", "TWO FIVE ONE")


@pytest.fixture(scope="module")
def recordings() -> list[np.ndarray]:
    return [utterance(text.split(), number) for number, text in enumerate(SENTENCES)]


def wrong_texts(models, recordings, calls: int = 64) -> list[tuple[str, str]]:
    """Texts that are not those of the same recording in one thread, all at the same time."""
    expected = [models[0].transcribe(audio) for audio in recordings]
    assert len(set(expected)) == len(recordings)
    begin = threading.Barrier(THREADS)

    def some(thread: int) -> list[tuple[str, str]]:
        begin.wait()
        found = []
        for number in range(thread, calls, THREADS):
            index = number % len(recordings)
            text = models[number % len(models)].transcribe(recordings[index])
            found += [(text, expected[index])] if text != expected[index] else []
        return found

    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        return [wrong for each in threads.map(some, range(THREADS)) for wrong in each]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parallel", [1, 3])
def test_one_recogniser_in_many_threads(kind, parallel, recordings):
    model = tflite_export.load(tones_file(kind), parallel=parallel)
    assert wrong_texts([model], recordings) == []


def test_two_recognisers_in_many_threads(recordings):
    models = [tflite_export.load(tones_file("ctc")), tflite_export.load(tones_file("ctc"))]
    assert wrong_texts(models, recordings) == []


def test_a_weight_cache_in_many_threads(recordings, monkeypatch, tmp_path):
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path))
    model = tflite_export.load(tones_file("ctc"), weight_cache=True, parallel=2)
    assert wrong_texts([model], recordings) == []


def test_sessions_of_one_model_in_threads_of_their_own(recordings):
    model = load_model(tones_file("live"))

    def streamed(audio):
        session = Session(model)
        pieces = np.array_split(audio, 10)
        events = [event for piece in pieces for event in session.accept(piece)] + session.finish()
        return [event.text for event in events if getattr(event, "kind", "") == "final"]

    alone = [streamed(audio) for audio in recordings]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(streamed, recordings * 4)) == alone * 4


def test_a_beam_search_in_many_threads(recordings):
    """Each with another search, which the recogniser keeps the last one of."""
    model = tflite_export.load(tones_file("ctc"))
    searches = [tflite_export.BeamSearch(width=width) for width in (2, 3, 4)]
    expected = [[model.transcribe(a, search=s) for a in recordings] for s in searches]

    def some(number: int) -> list[str]:
        return [model.transcribe(audio, search=searches[number % 3]) for audio in recordings]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(some, range(2 * THREADS)))
    assert found == [expected[number % 3] for number in range(2 * THREADS)]


def _in_a_child(model, recordings, results) -> None:
    results.put([model.transcribe(audio) for audio in recordings])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_fork_after_load(kind, threads, recordings):
    """While another thread recognises: what it uses is not there in the children."""
    if threads > usable_cores():
        pytest.skip("one core")
    model = tflite_export.load(tones_file(kind), threads=threads)
    expected = [model.transcribe(audio) for audio in recordings]
    context, stop = multiprocessing.get_context("fork"), threading.Event()

    def busy():
        while not stop.is_set():
            model.transcribe(recordings[0])

    working = threading.Thread(target=busy)
    working.start()
    try:
        for _ in range(3):
            results = context.SimpleQueue()
            child = context.Process(target=_in_a_child, args=(model, recordings, results))
            child.start()
            child.join(60)
            assert child.exitcode == 0
            assert results.get() == expected
    finally:
        stop.set()
        working.join()
    assert [model.transcribe(audio) for audio in recordings] == expected


def test_output_belongs_to_the_process(monkeypatch, tmp_path):
    """Threads that load recognisers in parallel leave standard output and error alone."""
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path))

    def where() -> list[tuple[int, int]]:
        return [(found.st_dev, found.st_ino) for found in map(os.fstat, (1, 2))]

    before, seen, stop = where(), set(), threading.Event()

    def watch():
        while not stop.is_set():
            seen.update(map(tuple, [where()]))

    watching = threading.Thread(target=watch)
    watching.start()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        for loaded in [
            threads.submit(tflite_export.load, tones_file(kind), 1, cache)
            for cache in (False, True)
            for kind in KINDS * 4
        ]:
            loaded.result()
    stop.set()
    watching.join()
    assert seen == {tuple(before)}
    assert where() == before


def test_silence_in_threads_ends():
    """Of the commands and the converter: blocks that overlap bring the output back."""
    from tflite_export.silence import silence

    before = [os.fstat(1).st_ino, os.fstat(2).st_ino]
    inside = threading.Barrier(8)

    def some(_):
        with silence():
            inside.wait()
            assert os.fstat(1).st_ino != before[0]

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(some, range(8)))
    assert [os.fstat(1).st_ino, os.fstat(2).st_ino] == before
