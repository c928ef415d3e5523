"""TensorRT engines, with and without a GPU."""
