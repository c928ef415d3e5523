"""The pairs and the scene that are measured, their bytes proven."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dust_core.cli import main
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_core.pairs.shards.reader import read_samples
from dust_eval.measure.samples import scene_images, workload_samples


def dust(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    code = ending.value.code
    return code if isinstance(code, int) else 0


def test_images_and_truth_are_those_of_the_set_in_its_order(task: ResolvedTask) -> None:
    pairs = list(read_samples(Path("data/workload")))
    samples = list(workload_samples(task))
    assert len(samples) == len(pairs) == 4
    for sample, pair in zip(samples, pairs, strict=True):
        for image, pixels in zip(sample.images, pair.images, strict=True):
            assert image.shape == (1, 3, 512, 512) and image.dtype == np.float32
            restored = np.rint(127.5 * image[0].transpose(1, 2, 0) + 127.5)
            np.testing.assert_array_equal(restored, pixels)
            assert image.min() >= -1 and image.max() <= 1
        np.testing.assert_array_equal(sample.truth.depth_2, pair.depths[1])
        np.testing.assert_array_equal(sample.truth.view1_from_view2, pair.view1_from_view2)
        assert "room/workload" in sample.name


def test_another_workload_than_the_specs_name_is_refused(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = damaged / "data" / "workload" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("CC0-1.0", "CC-BY-4.0"))
    assert dust("run", "P0-1", "--profile", "ci") == 2
    assert "not the workload set that the specs name" in capsys.readouterr().err
    assert not (damaged / "artifacts" / "ci" / "workload.yaml").exists()
    resolved = resolve(load_specs(Path("specs")), "P0-2", "ci")
    with pytest.raises(DustError, match="not the workload that the specs name"):
        list(workload_samples(resolved))


def test_a_changed_byte_in_a_shard_stops_the_measurement(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tar = damaged / "data" / "workload" / "pairs-000001.tar"
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    assert dust("run", "P0-1", "--profile", "ci") != 0
    assert "pairs-000001.tar" in capsys.readouterr().err


def test_a_missing_set_is_named(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(damaged / "data" / "calibration")
    assert dust("run", "P0-1", "--profile", "ci") == 2
    assert "the calibration set is not here" in capsys.readouterr().err


def test_a_scene_is_five_images_of_one_place(task: ResolvedTask) -> None:
    images = scene_images(task)
    assert len(images) == 5
    assert len({image.tobytes() for image in images}) == 5
    for image, sample in zip(images, workload_samples(task), strict=False):
        np.testing.assert_array_equal(image, sample.images[0])
