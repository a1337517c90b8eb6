"""What a command prints, and its exit code, when it fails."""

import pytest

from asr_qat.errors import UserError, exit_code, require

pytestmark = pytest.mark.runtime


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("x.yaml: two\n  lines"), "x.yaml: two lines"),
        (OSError(28, "No space left on device", "x/y"), "x/y: No space left on device"),
        (
            ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow.keras"),
            "needs tensorflow: pip install 'asr-qat[train]'",
        ),
        (
            ModuleNotFoundError("No module named 'websockets'", name="websockets.asyncio"),
            "needs websockets: pip install 'asr-qat[live]'",
        ),
    ],
)
def test_one_line(capsys, monkeypatch, error, line):
    monkeypatch.setattr("asr_qat.errors.NEWEST_TRAINING_PYTHON", (3, 99))
    assert exit_code("asr-qat", raising(error)) == 1
    assert capsys.readouterr().err == f"asr-qat: error: {line}\n"


def test_training_on_a_python_without_its_tensorflow(capsys, monkeypatch):
    error = ModuleNotFoundError("No module named 'tf_keras'", name="tf_keras")
    monkeypatch.setattr("asr_qat.errors.NEWEST_TRAINING_PYTHON", (3, 9))
    assert exit_code("asr-qat", raising(error)) == 1
    line = capsys.readouterr().err
    assert line.startswith("asr-qat: error: needs tf_keras, which is not there for Python 3.")
    assert line.endswith(": train and convert on 3.11\n")


def test_other_errors_keep_their_traceback():
    error = ModuleNotFoundError("No module named 'asr_qat.oops'", name="asr_qat.oops")
    with pytest.raises(ModuleNotFoundError):
        exit_code("asr-qat", raising(error))


def test_require():
    require(True, "fine")
    with pytest.raises(UserError, match="^not so$"):
        require(False, "not so")
