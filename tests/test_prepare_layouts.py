"""The rows on layouts of corpora in `results/prepare_scale.json`."""

import pytest

from experiments.prepare_scale import layouts
from tests.layout_fixtures import FOLDER, check


@pytest.mark.slow
def test_all_layouts_are_prepared_as_they_were_written():
    pytest.importorskip("pyarrow")
    rows = layouts.measure_layouts(FOLDER)
    assert len(rows) == 11
    assert all(row.same_samples for row in rows if row.instance != "common_voice")
    target = layouts.layout_target(rows)
    assert (target.value, target.target, target.met) == (6, 6, True)
    worse = [layouts.dataclasses.replace(rows[0], same_words=False), *rows[1:]]
    assert not layouts.layout_target(worse).met


def test_recordings_in_any_format(tmp_path):
    from asr_qat.corpora.readers import manifest
    from tests.layout_fixtures import UTTERANCES

    check(manifest.read(layouts._write_recordings(tmp_path / "own", UTTERANCES)))
