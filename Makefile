# make demo       train the shipped float model on with 4-bit weights, export, score, compare
# make test       everything that has to pass: lint, types, fast tests, slow tests, in two
#                 processes at a time (WORKERS=4: four)
# make benchmarks cost of a training step, tiny and M; size, speed and memory of the presets S, M
#                 and L; the transducer loss; cost of training on LibriSpeech
# make librispeech-check  the whole way at full size in 20 steps, and the input pipeline's throughput
# The last two look for LibriSpeech in $ASR_QAT_DATA, else download its train-clean-100 (7 GB).
# make notebooks  run the notebooks anew, where they are
# make reproduce  prepare CMU AN4 and train its float models; reproduce-synthetic: the same of
#                 the synthetic voices, which start from that of AN4
# make venv       .venv with all of it; make lint: the static checks alone; make clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$p && break; done)
WORKERS := 2# processes that run tests, of a few GB each
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e


.PHONY: demo test notebooks benchmarks reproduce reproduce-synthetic librispeech-check lint venv clean
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pip in one environment

demo: $(VENV)/train.stamp
	$(BIN)/tflite-export demo

benchmarks: $(VENV)/train.stamp
	$(BIN)/asr-qat benchmark
	$(BIN)/asr-qat benchmark --preset M --rounds 7
	$(BIN)/tflite-export scale --model ctc --preset L --tokenizer models/an4_tiny_float/tokenizer.model
	$(BIN)/tflite-export scale --model transducer --preset S M L
	$(BIN)/asr-qat benchmark-loss
	$(BIN)/asr-qat cost

reproduce: $(VENV)/train.stamp
	$(BIN)/asr-qat prepare --corpus an4 --no-fallback --vocab-size 128 --model-type bpe --out work/an4
	$(BIN)/asr-qat train --config configs/an4_tiny_plain.yaml
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
	cp $(LIBRISPEECH)/score.json results/librispeech_check.json
	$(BIN)/asr-qat benchmark-input --data $(LIBRISPEECH)

notebooks: $(VENV)/train.stamp $(VENV)/notebooks.stamp
	$(BIN)/python -m nbconvert --to notebook --execute --inplace notebooks/*.ipynb \
		--ExecutePreprocessor.timeout=-1 --ExecutePreprocessor.record_timing=False

# A few files at a time, each time in a new process: TensorFlow does not give back its memory.
test: lint $(VENV)/notebooks.stamp
	ls tests/test_*.py | xargs -n 5 -P $(WORKERS) sh -c ' \
		said=$$($(BIN)/python -m pytest -m "slow or not slow" --durations=5 "$$@" 2>&1); \
		code=$$?; echo "$$said"; exit $$code' pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

venv: $(VENV)/dev.stamp $(VENV)/notebooks.stamp

# One stamp for each extra of setup.cfg.
$(VENV)/%.stamp: $(VENV)/pyvenv.cfg setup.cfg constraints.txt
	$(INSTALL) '.[$*]'
	touch $@

$(VENV)/pyvenv.cfg:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 not found: install python3.11 and its venv module' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find asr_qat tflite_export tests -name __pycache__ -type d -prune -exec rm -rf {} +
