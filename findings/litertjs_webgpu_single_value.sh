#!/usr/bin/env bash
# What does LiteRT.js 2.5.3 make of a constant vector times a single value on WebGPU? Chromium 156,
# WebGPU in software (SwiftShader).
#
# y = constant [21] * x [1] is wrong, without an error or a warning; with a dimension more,
# y = constant [1, 21] * x [1, 1], it is right. Seen, the largest difference to WebAssembly, whose
# largest value is 20 * x:
#
#   vector   constant [21] * x [1]        20
#   matrix   constant [1, 21] * x [1, 1]  0
#
# Needs chromium and npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow==2.17.1 numpy==1.26.4
cd "$folder"
npm pack --silent @litertjs/core@2.5.3 @litertjs/wasm-utils@2.5.3 > packed
mkdir core utils
tar xzf litertjs-core-2.5.3.tgz -C core --strip-components 1
tar xzf litertjs-wasm-utils-2.5.3.tgz -C utils --strip-components 1
sed -i 's#"@litertjs/wasm-utils"#"/utils/dist/index.js"#' core/dist/index.js
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python 2> converted - <<'PYTHON'
import pathlib

import numpy as np
import tensorflow as tf

steps = np.arange(21, dtype=np.float32)


def signature(constant, shape):
    spec = tf.TensorSpec(shape, tf.float32, "x")
    return tf.function(lambda x: {"y": constant * x}).get_concrete_function(x=spec)


signatures = {"vector": signature(steps, [1]), "matrix": signature(steps[None], [1, 1])}
tf.saved_model.save(tf.Module(), "saved", signatures=signatures)
converter = tf.lite.TFLiteConverter.from_saved_model("saved", signature_keys=list(signatures))
pathlib.Path("model.tflite").write_bytes(converter.convert())
PYTHON
cat > index.html <<'HTML'
<!doctype html>
<body>
<script type="module">
import { Tensor, loadAndCompile, loadLiteRt } from "/core/dist/index.js";
const lines = [];
try {
  await loadLiteRt("/core/wasm/", { jspi: true });
  const models = [];
  for (const accelerator of ["wasm", "webgpu"]) {
    models.push(await loadAndCompile("/model.tflite", { accelerator }));
  }
  for (const [name, shape] of Object.entries({ vector: [1], matrix: [1, 1] })) {
    const found = [];
    for (const model of models) {
      const { y } = await model.signatures[name].run({ x: new Tensor(new Float32Array([1]), shape) });
      found.push(await y.data());
    }
    const off = found[0].map((value, i) => Math.abs(value - found[1][i]));
    lines.push(`${name}: WebAssembly to ${Math.max(...found[0])}, WebGPU off by ${Math.max(...off)}`);
  }
} catch (error) {
  lines.push(String(error));
}
await fetch("/", { method: "POST", body: lines.join("\n") });
</script>
HTML
venv/bin/python - <<'PYTHON'
import http.server
import subprocess


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()
        browser.terminate()
        server.done = True

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.done = False
options = "--headless --no-sandbox --no-first-run --enable-unsafe-webgpu --user-data-dir=profile"
options += " --use-webgpu-adapter=swiftshader --enable-features=Vulkan"
address = f"http://127.0.0.1:{server.server_port}/"
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
browser = subprocess.Popen(["chromium", *options.split(), address], **quiet)
while not server.done:
    server.handle_request()
browser.wait()
PYTHON
