"""Small files of every kind that DUST reads, and how a user has each of them read."""

import argparse
import contextlib
import io
import os
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dust_core.cli import EXIT_FAULT, main
from dust_core.errors import DustError

FRAMES, WIDTH, HEIGHT = 3, 48, 40


@dataclass(frozen=True)
class Case:
    """One file that is mutated, and what is then read: the file, or the folder that it is in."""

    file: Path
    read: Callable[[], None]


def fault_in(*words: object) -> None:
    """Run a verb; RuntimeError if it ends as a fault of ours does."""
    with Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors):
            try:
                main([str(word) for word in words])
            except SystemExit as ending:
                if ending.code == EXIT_FAULT:
                    raise RuntimeError(errors.getvalue().strip()) from None
                if ending.code not in (0, None):
                    raise DustError(errors.getvalue().strip()) from None


def pictures(root: Path) -> Iterator[Case]:
    """Pictures of each format, depth and colour space."""
    import cv2
    import pillow_heif

    from dust_core.pairs.pictures import read_picture

    pillow_heif.register_heif_opener()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    colours = np.stack([5 * columns, 6 * rows, 255 - 5 * columns], -1).astype(np.uint8)
    rgb, exif = Image.fromarray(colours), Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    profile = _srgb()
    for number, (image, kind, options) in enumerate(
        [
            (rgb, "JPEG", {"exif": exif, "icc_profile": profile}),
            (rgb, "JPEG", {"progressive": True}),
            (rgb.convert("CMYK"), "JPEG", {}),
            (rgb, "PNG", {"exif": exif, "icc_profile": profile}),
            (rgb.convert("RGBA"), "PNG", {}),
            (rgb.quantize(16), "PNG", {"transparency": 3}),
            (Image.fromarray(colours[..., 0].astype(np.uint16) * 257), "PNG", {}),
            (rgb, "TIFF", {"exif": exif, "compression": "tiff_lzw"}),
            (Image.fromarray(colours[..., 0].astype(np.float32) / 255), "TIFF", {}),
            (rgb.convert("CMYK"), "TIFF", {"compression": "tiff_adobe_deflate"}),
            (rgb, "WEBP", {"lossless": True, "exif": exif}),
            (rgb, "WEBP", {}),
            (rgb, "HEIF", {}),
            (rgb, "AVIF", {"exif": exif}),
            (rgb, "JPEG2000", {}),
            (rgb.quantize(16), "GIF", {}),
            (rgb, "BMP", {}),
            (rgb, "PPM", {}),
        ]
    ):
        path = root / f"{number}.{kind}"
        image.save(path, kind, **options)
        yield Case(path, lambda path=path: void(read_picture(path)))
    deep = colours.astype(np.uint16) * 257
    for name, values in (("deep.png", deep), ("deep.tif", deep), ("float.tif", colours / 255)):
        kind = np.uint16 if values is deep else np.float32
        cv2.imwrite(str(root / name), values.astype(kind))
        yield Case(root / name, lambda path=root / name: void(read_picture(path)))


def _srgb() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def void(_: Any) -> None:
    """Drop a value."""


def _recorded(root: Path) -> list[tuple[str, np.ndarray]]:
    """Images, NumPy depths and COLMAP depth maps of a wall; name and pose of each frame."""
    (root / "images").mkdir(parents=True)
    maps = root / "stereo" / "depth_maps"
    maps.mkdir(parents=True)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for number in range(FRAMES):
        colour = np.stack([5 * columns, 6 * rows, 40 * number + 0 * rows], -1).astype(np.uint8)
        Image.fromarray(colour).save(root / "images" / f"{number}.png")
        depth = np.full((HEIGHT, WIDTH), 2, "<f4")
        np.save(root / f"{number}.npy", depth)
        content = f"{WIDTH}&{HEIGHT}&1&".encode() + depth.tobytes()
        (maps / f"{number}.png.geometric.bin").write_bytes(content)
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        frames.append((f"{number}.png", pose))
    (root / "sparse").mkdir()
    return frames


def importing(layout: str, source: Path, *options: object) -> Callable[[], None]:
    """How `dust data import` reads a recording; what it writes is removed."""
    target = source.parent / "imported"
    words = ("--side", 32, "--min-overlap", 0.01, *options)

    def read() -> None:
        try:
            fault_in("data", "import", layout, source, target, *words)
        finally:
            for file in sorted(target.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()

    return read


def colmap_text(root: Path) -> Iterator[Case]:
    """The text model of COLMAP, and a depth map."""
    source = root / "scene"
    frames = _recorded(source)
    camera = f"1 PINHOLE {WIDTH} {HEIGHT} 40 40 24 20\n"
    (source / "sparse" / "cameras.txt").write_text(f"# Cameras\n{camera}")
    lines = ["# Images"]
    for number, (name, pose) in enumerate(frames, 1):
        moved = " ".join(str(float(value)) for value in -pose[:3, 3])
        lines += [f"{number} 1 0 0 0 {moved} 1 {name}", "10.0 12.5 -1"]
    (source / "sparse" / "images.txt").write_text("\n".join(lines) + "\n")
    for file in ("sparse/cameras.txt", "sparse/images.txt"):
        yield Case(source / file, importing("colmap", source))


def colmap_binary(root: Path) -> Iterator[Case]:
    """The binary model of COLMAP, a depth map, and an image."""
    source = root / "scene"
    content = struct.pack("<Q", FRAMES)
    for number, (name, pose) in enumerate(_recorded(source), 1):
        content += struct.pack("<i7di", number, 1, 0, 0, 0, *(-pose[:3, 3]), 1)
        content += name.encode() + b"\0" + struct.pack("<Q", 1) + struct.pack("<ddq", 1, 2, -1)
    (source / "sparse" / "images.bin").write_bytes(content)
    camera = struct.pack("<QiiQQ4d", 1, 1, 1, WIDTH, HEIGHT, 40, 40, 24, 20)
    (source / "sparse" / "cameras.bin").write_bytes(camera)
    depth = "stereo/depth_maps/1.png.geometric.bin"
    for file in ("sparse/cameras.bin", "sparse/images.bin", depth, "images/1.png"):
        yield Case(source / file, importing("colmap", source))


def manifests(root: Path) -> Iterator[Case]:
    """The table of a manifest, and a depth map in NumPy's format."""
    source = root / "scene"
    rows = ["scene,image,depth,K,cam_to_world"]
    for number, (name, pose) in enumerate(_recorded(source)):
        numbers = " ".join(str(float(value)) for value in pose.ravel())
        rows.append(f"wall,images/{name},{number}.npy,40 40 23.5 19.5,{numbers}")
    (source / "manifest.csv").write_text("\n".join(rows) + "\n")
    for file in ("manifest.csv", "1.npy"):
        yield Case(source / file, importing("manifest", source / "manifest.csv"))


def shards(root: Path) -> Iterator[Case]:
    """A set of pair shards: manifest, index and tar."""
    next(manifests(root))
    table, folder = root / "scene" / "manifest.csv", root / "set"
    fault_in("data", "import", "manifest", table, folder, "--side", 32, "--min-overlap", 0.01)
    for file in sorted(folder.iterdir()):
        if file.is_file():
            yield Case(file, lambda: fault_in("data", "check", folder))


def checkpoints(root: Path) -> Iterator[Case]:
    """Our checkpoint, the published one in both formats of torch, a hub's folder."""
    import json

    import torch
    from safetensors.torch import save_file

    from dust_core.network.checkpoint import load_checkpoint, save_checkpoint

    network = tiny_network()
    values = {"enc_embed_dim": 16, "enc_depth": 1, "enc_num_heads": 1, "head_type": "linear"}
    values |= {"dec_embed_dim": 16, "dec_depth": 1, "dec_num_heads": 1}
    words = ", ".join(f"{name}={value!r}" for name, value in values.items())
    published = {"args": argparse.Namespace(model=f"AsymmetricCroCo3DStereo({words})")}
    published["model"] = network.state_dict()  # type: ignore[assignment]
    save_checkpoint(network, root / "own.pth", exp_id="K", spec_digest="0")
    torch.save(published, root / "published.pth")
    torch.save(published, root / "legacy.pth", _use_new_zipfile_serialization=False)
    for name in ("own.pth", "published.pth", "legacy.pth"):
        yield Case(root / name, lambda path=root / name: void(load_checkpoint(path)))
    hub = root / "hub"
    hub.mkdir()
    (hub / "config.json").write_text(json.dumps(values))
    save_file(network.state_dict(), hub / "model.safetensors")
    for name in ("config.json", "model.safetensors"):
        yield Case(hub / name, lambda: void(load_checkpoint(hub)))


def graphs(root: Path) -> Iterator[Case]:
    """An ONNX graph of a network, loaded by OpenVINO, by ONNX Runtime, and inspected."""
    import onnxruntime

    from dust_core.network.onnx.export import export_onnx
    from dust_core.network.onnx.facts import graph_facts
    from dust_eval.runtimes import RuntimeOptions, load_model

    onnxruntime.set_default_logger_severity(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_onnx(tiny_network(), root / "graph.onnx", height=16, width=16)
    path, options = root / "graph.onnx", RuntimeOptions(threads=1)
    image = np.zeros((1, 3, 16, 16), np.float32)
    for runtime in ("openvino", "onnxruntime"):
        yield Case(path, lambda name=runtime: void(load_model(name, path, options)(image, image)))
    yield Case(path, lambda: void(graph_facts(path)))


def tiny_network() -> Any:
    """A network of 16 channels."""
    from dust_core.network.model import Dust3r, Dust3rConfig

    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
    return Dust3r(Dust3rConfig.uniform(**shape, dec_heads=1, head="linear")).eval()


READERS: dict[str, Callable[[Path], Iterator[Case]]] = {
    "pictures": pictures,
    "colmap-text": colmap_text,
    "colmap-binary": colmap_binary,
    "manifests": manifests,
    "shards": shards,
    "checkpoints": checkpoints,
    "graphs": graphs,
}
