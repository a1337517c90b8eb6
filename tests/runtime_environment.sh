#!/bin/sh
# The tests marked `runtime`, in a fresh environment that has the package as a device has it:
# without TensorFlow, with pytest and hypothesis. PYTHON: python3.13, say; by default the newest.
#
#     tests/runtime_environment.sh [PYTHON]
set -eu
cd "$(dirname "$0")/.."
python=${1:-}
for version in 14 13 12 11 10; do
	[ -n "$python" ] && break
	if "python3.$version" -c '' 2>/dev/null; then python=python3.$version; fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/source" "$folder/tests"
cp -r asr_qat tflite_export experiments setup.cfg pyproject.toml README.md LICENSE "$folder/source"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
	"$folder/source" pytest hypothesis
if "$folder/venv/bin/python" -c 'import tensorflow' 2>/dev/null; then
	echo 'TensorFlow is installed: the package must not need it' >&2
	exit 1
fi
cp -r tests setup.cfg "$folder/tests"  # away from the source: what is tested is what was installed
cd "$folder/tests"
"$folder/venv/bin/python" -c 'import sys; print("Python", sys.version)'
"$folder/venv/bin/python" -m pytest -m runtime $(grep -l 'mark\.runtime' tests/test_*.py)
