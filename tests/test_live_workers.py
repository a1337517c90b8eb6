"""Workers of the live server: order of the work, processes that die, streams that fail."""

import asyncio
import contextlib
import functools
import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

pytest.importorskip("websockets")

from asr_qat.errors import UserError
from experiments.live.undisturbed_session import events_alone
from tests.live_reference import reference_model, speech
from tests.server_fixtures import CHUNK, RULE
from tflite_export.runtime.live import workers as live_workers
from tflite_export.runtime.live.events import Notice, event_message
from tflite_export.runtime.live.messages import message_of, samples_of
from tflite_export.runtime.live.worker import Answer, Finish, Forget, Hear, ModelInfo
from tflite_export.runtime.live.worker_link import AHEAD, Worker, WorkerError
from tflite_export.runtime.live.workers import Workers

LOAD = functools.partial(reference_model, 0, 2, 1)  # in any process
INFO = ModelInfo(16000, CHUNK, 0.04, 0.0, 80.0)


def unreadable():
    """What a process finds instead of a model."""
    raise UserError("live.tflite: damaged")


async def heard(stream, audio):
    """All events of audio, as JSON says them."""
    texts = []
    for at in range(0, len(audio), CHUNK):
        message = message_of(audio[at : at + CHUNK])
        async for some, _ in stream.hear(message, time.perf_counter(), 0.0):
            texts += some
    found = [json.loads(text) for text in texts + await stream.finish()]
    return [event for event in found if event["type"] != "notice"]


def expected(audio):
    events = events_alone(LOAD(), samples_of(message_of(audio)), CHUNK, RULE)
    return [json.loads(json.dumps(event_message(e))) for e in events if not isinstance(e, Notice)]


def test_what_is_due_first_comes_first():
    async def body():
        ours, theirs = multiprocessing.Pipe()
        worker = Worker(ours)
        theirs.send(INFO)
        assert await worker.ready(lambda: None) == INFO
        futures = {due: worker.submit(due, Forget(due)) for due in (9, 8, 7, 1, 3, 2)}
        assert worker.queue == 4  # the first ones were taken up at once
        order = []
        while len(order) < len(futures):
            order.append(theirs.recv().stream)
            theirs.send(Answer([str(order[-1])]))
            assert await futures[order[-1]] == [str(order[-1])]
        assert order == [9, 8, 1, 2, 3, 7] and AHEAD == 2
        taken, next_one, cancelled, last = (worker.submit(due, Forget(due)) for due in range(4))
        cancelled.cancel()
        for number, future in ((0, taken), (1, next_one), (3, last)):
            assert theirs.recv().stream == number
            theirs.send(Answer([]))
            await future
        worker.close()

    asyncio.run(body())


def test_a_message_is_cut_in_turns():
    class Recorder:
        streams = 0

        def __init__(self):
            self.jobs = []

        def submit(self, due, job):
            self.jobs.append((due, job))
            done = asyncio.get_running_loop().create_future()
            done.set_result([])
            return done

    async def body():
        worker = Recorder()
        stream = live_workers.WorkerStream(worker, 5, INFO)
        message = bytes(range(250)) * 35  # 4375 samples
        seconds = [lasts async for _, lasts in stream.hear(message, 7.0, 100.0)]
        assert seconds == [0.12, 0.12, (4375 - 2 * CHUNK) / 16000]
        await stream.finish(8.0)
        dues, jobs = zip(*worker.jobs, strict=True)
        assert b"".join(job.audio for job in jobs[:-1]) == message
        assert [job.message_samples for job in jobs[:-1]] == [0, 0, 4375]
        assert dues[:3] == (100.12, 100.24, 100 + 4375 / 16000)
        assert jobs[-1] == Finish(5, 8.0) and isinstance(jobs[0], Hear)

    asyncio.run(body())


@pytest.mark.parametrize("count", [None, 2])
def test_streams_have_the_words_of_a_session(count):
    audios = [speech(2.0, seed) for seed in range(3)]

    async def body():
        async with Workers(LOAD, RULE, count).started() as workers:
            assert (workers.alive, len(workers.processes())) == (count or 1, count or 0)
            assert workers.info == INFO
            with contextlib.ExitStack() as stack:
                streams = [stack.enter_context(workers.stream()) for _ in audios]
                return await asyncio.gather(*map(heard, streams, audios))

    assert asyncio.run(body()) == [expected(audio) for audio in audios]


def test_a_process_that_dies_takes_its_streams_and_no_other(monkeypatch):
    monkeypatch.setattr(live_workers, "RESTART_S", 0.0)
    audio = speech(1.0, 1)

    async def body():
        async with Workers(LOAD, RULE, 2).started() as workers:
            with workers.stream() as first, workers.stream() as second:
                pids = workers.processes()
                os.kill(pids[0], signal.SIGKILL)
                with pytest.raises(WorkerError):
                    while True:
                        await heard(first, audio)
                assert await heard(second, audio) == expected(audio)
            while workers.alive < 2:
                await asyncio.sleep(0.01)
            assert workers.restarts == 1 and workers.processes()[1] == pids[1]
            with workers.stream() as one, workers.stream() as other:
                assert (
                    await asyncio.gather(*(heard(s, audio) for s in (one, other)))
                    == [expected(audio)] * 2
                )
        return pids

    for pid in asyncio.run(body()).values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("count", [None, 1])
def test_a_model_that_cannot_be_loaded(count):
    async def body():
        async with Workers(unreadable, RULE, count).started():
            pass

    with pytest.raises(UserError, match="live.tflite: damaged"):
        asyncio.run(body())


def test_a_stream_that_fails_leaves_the_others_alone():
    model, audio = LOAD(), speech(1.0, 1)
    first = model.encoder.first

    def fails_in_silence(features, valid, state):
        assert not np.all(features == features.flat[0]), "the model broke"
        return first(features, valid, state)

    model.encoder.first = fails_in_silence

    async def body():
        async with Workers(lambda: model, RULE).started() as workers:
            with workers.stream() as broken, workers.stream() as other:
                with pytest.raises(WorkerError, match="the model broke"):
                    await heard(broken, np.zeros(16000, np.float32))
                return await heard(other, audio)

    assert asyncio.run(body()) == expected(audio)
