# make demo       train the shipped float model on with 4-bit weights, export, score, compare
# make test       what has to pass before a commit: lint, types and all tests but the longest, in
#                 two processes (WORKERS=4: four)
# make test-all   the longest tests too: training in several processes, studies, notebooks; and
#                 more random examples
# make test-runtime  those that need no TensorFlow, in an environment without it, on Python 3.11
#                 and on the newest Python that there is
# make coverage   the lines and branches that `make test` runs
# make results    measure anew, in about an hour, what does not take days of training, and render
#                 the rest again; on a clean commit (what: python -m experiments.results --list)
# make fuzz       damaged and hostile input of every kind, counted in results/fuzz.json
# make drills     kill commands at random points, fill disks, damage pages, and run them again
# make librispeech-check  the whole way at full size in 20 steps, and the input pipeline's throughput
# The last two look for LibriSpeech in $ASR_QAT_DATA, else download its train-clean-100 (7 GB).
# make notebooks  run the notebooks again, where they are
# make reproduce  prepare CMU AN4 and train its float models, on the encoder of
#                 models/librispeech_tiny_float; reproduce-synthetic: the same of
#                 the synthetic voices, whose model starts from that of AN4
# make checksums SHA256SUMS of the models in models/, after a change of one
# make schemas    write configs/*.schema.json again, with which editors check configuration files
# make wheel      source distribution and wheel in dist/, checked
# make docs       the site of docs/ in site/; fails on a broken link
# make venv       .venv with all of it; make lint: the static checks alone; make clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$p && break; done)
WORKERS := 2# processes that run tests, of a few GB each
TESTS = tests.run --workers $(WORKERS)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e


.PHONY: checksums demo drills fuzz test test-all test-runtime coverage docs notebooks results reproduce \
	reproduce-synthetic librispeech-check lint schemas venv wheel clean
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pip in one environment

demo: $(VENV)/experiments.stamp
	$(BIN)/tflite-export demo

results: $(VENV)/experiments.stamp
	$(BIN)/python -m experiments.results

fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m experiments.fuzz

drills: $(VENV)/experiments.stamp
	$(BIN)/python -m experiments.drills

reproduce: $(VENV)/train.stamp
	$(BIN)/asr-qat prepare --corpus an4 --no-fallback --vocab-size 128 --model-type bpe --out work/an4
	$(BIN)/asr-qat train --config configs/an4_tiny_float.yaml
	$(BIN)/asr-qat train --config configs/an4_tiny_transducer_float.yaml \
		--set start=work/an4_tiny_float
	$(BIN)/asr-qat train --config configs/an4_live_float.yaml \
		--set start=work/an4_tiny_transducer_float

reproduce-synthetic: $(VENV)/train.stamp
	$(BIN)/asr-qat prepare --corpus synthetic --tokenizer models/an4_tiny_float/tokenizer.model \
		--out work/synthetic
	$(BIN)/asr-qat train --config configs/synthetic_tiny_plain.yaml
	$(BIN)/asr-qat train --config configs/synthetic_tiny_float.yaml

# The whole way at full size, in 20 steps of each kind: shows that it runs, and no more.
LIBRISPEECH := work/librispeech_check
FEW := --set steps=20 evaluate_every=20 batches.batch_seconds=64 compute=float32
librispeech-check: $(VENV)/train.stamp
	$(BIN)/asr-qat prepare --corpus librispeech --vocab-size 1024 --out $(LIBRISPEECH)
	$(BIN)/asr-qat train --config configs/librispeech_s_float.yaml --data $(LIBRISPEECH) \
		--output $(LIBRISPEECH)/s_float $(FEW)
	$(BIN)/asr-qat quantize --config configs/librispeech_s_w4a8.yaml --data $(LIBRISPEECH) \
		--model $(LIBRISPEECH)/s_float --output $(LIBRISPEECH)/s_w4a8 $(FEW)
	$(BIN)/tflite-export convert $(LIBRISPEECH)/s_float -o $(LIBRISPEECH)/s_float.tflite
	$(BIN)/tflite-export convert $(LIBRISPEECH)/s_w4a8 -o $(LIBRISPEECH)/s_w4a8.tflite
	$(BIN)/tflite-export evaluate $(LIBRISPEECH)/s_w4a8.tflite --data $(LIBRISPEECH) \
		--baseline $(LIBRISPEECH)/s_float.tflite --json > $(LIBRISPEECH)/score.json
	$(BIN)/asr-qat benchmark-input --data $(LIBRISPEECH)

schemas: $(VENV)/train.stamp
	$(BIN)/asr-qat train --schema configs/train.schema.json
	$(BIN)/asr-qat study --schema configs/study.schema.json

# As `asr_qat.models.model_directory` writes them.
checksums:
	for model in models/*/; do (cd $$model && \
		sha256sum config.json tokenizer.model stats.json model.weights.h5 > SHA256SUMS); done

notebooks: $(VENV)/notebooks.stamp
	$(BIN)/python -m nbconvert --to notebook --execute --inplace notebooks/*.ipynb \
		--ExecutePreprocessor.timeout=-1 --ExecutePreprocessor.record_timing=False

test: venv
	$(BIN)/python -m $(TESTS) --also "$(MAKE) --no-print-directory lint" -m "not long"

test-all: venv $(VENV)/cluster-tests.stamp
	$(BIN)/python -m $(TESTS) --also "$(MAKE) --no-print-directory lint" -m "long or not long" \
		--hypothesis-profile=thorough

coverage: $(VENV)/dev.stamp $(VENV)/notebooks.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(TESTS) -m "not long"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

test-runtime:
	tests/runtime_environment.sh $(PYTHON)
	tests/runtime_environment.sh

lint: $(VENV)/dev.stamp docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 -p asr_qat -p tflite_export
	$(BIN)/lint-imports --no-cache

wheel: $(VENV)/cluster-tests.stamp
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/mkdocs build --strict --quiet

venv: $(VENV)/dev.stamp $(VENV)/docs.stamp $(VENV)/notebooks.stamp

# One stamp for each extra of setup.cfg.
$(VENV)/%.stamp: $(VENV)/pyvenv.cfg setup.cfg constraints.txt
	$(INSTALL) '.[$*]'
	touch $@

$(VENV)/pyvenv.cfg:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 not found: install python3.11 and its venv module' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist htmlcov site .coverage* *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find asr_qat tflite_export tests -name __pycache__ -type d -prune -exec rm -rf {} +
