"""Encoder and decoder apart have variants in 16 bits, as the whole graph has."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from dust_compress.engine.half import write_half
from dust_core.network.model import Dust3r
from dust_core.network.model.named import CONFIGS
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.parts import write_parts


def test_each_part_computes_in_fp16_and_reads_and_writes_float32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    wide = (tmp_path / "encoder.onnx", tmp_path / "decoder.onnx")
    export_onnx(Dust3r(CONFIGS["tiny"]), tmp_path / "whole.onnx", height=64, width=64)
    write_parts(tmp_path / "whole.onnx", *wide)
    generator = np.random.default_rng(0)
    for path in wide:
        narrow = tmp_path / f"half_{path.name}"
        write_half(path, narrow)
        sessions = [
            onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
            for file in (path, narrow)
        ]
        feed = {
            port.name: generator.uniform(-1, 1, port.shape).astype(np.float32)
            for port in sessions[0].get_inputs()
        }
        expected, computed = (session.run(None, feed) for session in sessions)
        for exact, rounded in zip(expected, computed, strict=True):
            assert rounded.dtype == np.float32
            error = np.abs(rounded - exact).max() / np.abs(exact).max()
            assert 0 < error < 0.05
