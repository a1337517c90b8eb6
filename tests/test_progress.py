"""Without a terminal progress is whole lines, few of them."""

import time

from asr_qat import progress


def test_lines_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.05)
    for _ in progress.progress(range(30), "work", total=30):
        time.sleep(0.01)
    said = capsys.readouterr().err
    assert "\r" not in said
    assert said.endswith("\n")
    lines = said.splitlines()
    assert 3 <= len(lines) <= 9
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


def test_quiet(capsys):
    assert list(progress.progress(range(3), "work", quiet=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
