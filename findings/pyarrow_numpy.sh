#!/usr/bin/env bash
# Which numpy does pyarrow 26.0.1 need? By its metadata none in particular; by its import 2.0.
#
# TensorFlow 2.17 takes numpy 1 alone. pip installs pyarrow 26 beside it, `pip check` finds nothing
# wrong, and the import fails. Seen:
#
#   pyarrow 25.0.1   pip check: No broken requirements found.   import: 25.0.1
#   pyarrow 26.0.1   pip check: No broken requirements found.   import: pyarrow requires NumPy 2.0
#                                                               or newer, found 1.26.4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for version in 25.0.1 26.0.1; do
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==1.26.4 "pyarrow==$version"
  echo "pyarrow $version"
  "$folder/venv/bin/pip" check --disable-pip-version-check
  "$folder/venv/bin/python" -c 'import pyarrow; print(pyarrow.__version__)' 2>&1 | tail -1
done
