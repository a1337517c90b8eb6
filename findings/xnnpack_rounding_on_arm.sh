#!/usr/bin/env bash
# To which side do XNNPACK's dynamic products round an activation half way between two integers?
# ai-edge-litert 2.3.0, x86-64 and, emulated by QEMU's user mode, two ARM processors. On Debian 12
# with qemu-user-static; about a minute.
#
# A FULLY_CONNECTED with dynamic int8 activations whose weights are the unit matrix: the output is
# the rounded activation. The row reaches from 0 to 255, so that its scale is 1. Seen, of 0.5, 1.5,
# 2.5 and 3.5:
#
#                            8 bits       4 bits       2 bits
#   x86-64 (AVX-512 VNNI)    0 2 2 4      0 2 2 4      0 2 2 4
#   cortex-a76 (dot product) 1 2 3 4      1 2 3 4      0 2 2 4
#   max,sme=off (i8mm)       1 2 3 4      1 2 3 4      0 2 2 4
#
# So a file's text may change between two processors, by one step of one activation. The emulated
# process is shown files of one ARM core in place of this machine's `/proc` and `/sys`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p apt/lists/partial apt/archives/partial root/proc root/sys/devices/system/cpu
touch apt/status
apt=(apt-get -qq -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State="$PWD/apt"
	-oDir::State::lists="$PWD/apt/lists" -oDir::State::status="$PWD/apt/status"
	-oDir::Cache="$PWD/apt" -oDir::Cache::archives="$PWD/apt/archives" -oAcquire::Languages=none)
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends --download-only python3 libstdc++6 >/dev/null
for package in apt/archives/*.deb; do dpkg-deb -x "$package" root; done
for name in possible present online; do echo 0 >"root/sys/devices/system/cpu/$name"; done
printf 'processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd03\n\n' \
	>root/proc/cpuinfo
packages=(ai-edge-litert==2.3.0 numpy==1.26.4)
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "${packages[@]}"
venv/bin/pip install --quiet --disable-pip-version-check --target wheels --only-binary=:all: \
	--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
	--platform manylinux_2_17_aarch64 --python-version 3.11 "${packages[@]}"
cat >ties.py <<'PYTHON'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4, 2: schema.TensorType.INT2}
SIZE = 32


def tensor(name, shape, kind, buffer=0, quantization=None):
    made = schema.TensorT()
    made.name, made.shape, made.type = name, np.array(shape, np.int32), kind
    made.buffer, made.quantization = buffer, quantization
    return made


def rounded(x, bits):
    each = 8 // bits
    parts = np.eye(SIZE, dtype=np.uint8).reshape(-1, each)
    buffer = schema.BufferT()
    buffer.data = np.bitwise_or.reduce(parts << (bits * np.arange(each, dtype=np.uint8)), axis=1)
    scales = schema.QuantizationParametersT()
    scales.scale, scales.zeroPoint = np.ones(SIZE, np.float32), np.zeros(SIZE, np.int64)
    options = schema.FullyConnectedOptionsT()
    options.asymmetricQuantizeInputs = True
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor(b"x", [1, SIZE], schema.TensorType.FLOAT32),
        tensor(b"w", [SIZE, SIZE], TYPES[bits], 1, scales),
        tensor(b"y", [1, SIZE], schema.TensorType.FLOAT32),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 9
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), buffer]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    made = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
    made.allocate_tensors()
    made.set_tensor(0, x)
    made.invoke()
    return made.get_tensor(made.get_output_details()[0]["index"])


x = np.zeros((1, SIZE), np.float32)
x[0, :5] = 255, 0.5, 1.5, 2.5, 3.5
for bits in TYPES:
    print(f"  {bits} bits:", *rounded(x, bits)[0, 1:5].astype(int))
PYTHON
echo "$(uname -m)"
venv/bin/python ties.py 2>/dev/null
python=$(ls root/usr/bin/python3.[0-9]*)
for cpu in cortex-a76 max,sme=off; do
	echo "$cpu"
	PYTHONPATH=wheels qemu-aarch64-static -cpu "$cpu" -L root "$python" -B ties.py 2>/dev/null
done
