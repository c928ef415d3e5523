"""The network as a static ONNX graph."""
