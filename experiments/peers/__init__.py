"""The same networks in LiteRT, ONNX Runtime and OpenVINO: speed, first run, memory, bytes."""
