"""Without a terminal progress is whole lines, few of them."""

import re
import time

from asr_qat import progress


def test_lines_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.05)
    started = time.monotonic()
    for _ in progress.progress(range(30), "work", total=30):
        time.sleep(0.01)
    most = (time.monotonic() - started) / progress.LOG_INTERVAL_S
    said = capsys.readouterr().err
    assert "\r" not in said
    assert said.endswith("\n")
    lines = said.splitlines()
    assert 3 <= len(lines) <= most + 2  # the first one and the last
    assert all(line.startswith("work: ") and "/30 utt" in line and "left" in line for line in lines)
    assert lines[-1].startswith("work: 30/30 utt")
    assert "?" not in lines[-1]


def test_a_bar_that_is_updated(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    bar = progress.progress_bar("train", 10, "step")
    bar.set_postfix(loss="1.5", refresh=False)
    bar.update(4)
    bar.close()
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("train: 4/10 step")
    assert lines[0].endswith("loss=1.5")


def test_what_was_done_before_has_no_part_in_the_rate(capsys, monkeypatch):
    bar = progress.progress_bar("train", 1000, "step", initial=900)
    time.sleep(0.1)
    bar.update(1)
    bar.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train: 901/1000 step")
    rate = re.search(r" ([\d.]+)step/s", line)
    assert rate and float(rate[1]) <= 10  # not some thousand


def test_training_says_what_it_waits_for_and_times_the_steps_after_the_first(capsys):
    from asr_qat.training.callbacks import Progress

    training = Progress(100, 40, quiet=False)
    training.on_train_begin()
    assert capsys.readouterr().err.startswith("train: TensorFlow traces the first step")
    time.sleep(0.5)  # tracing
    for batch in range(3):
        training.on_train_batch_end(batch, {"loss": 1.0})
    training.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train: 43/100 step")
    assert "step/s" in line and "00:00 left, loss of the batch=1.000" in line


def test_a_quiet_training_that_made_no_step(capsys):
    from asr_qat.training.callbacks import Progress

    training = Progress(100, 0, quiet=True)
    training.on_train_begin()
    training.close()
    assert capsys.readouterr().err == ""


def test_quiet(capsys):
    assert list(progress.progress(range(3), "work", quiet=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
