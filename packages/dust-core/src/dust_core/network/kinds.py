"""What a model's file is, told by its content: its name says little."""

import re
import zipfile
from enum import Enum
from pathlib import Path

from dust_core.bounded import open_regular, zip_directory_bytes
from dust_core.errors import DustError
from dust_core.stand_ins import DVC, GIT_LFS, WEB_PAGE
from dust_core.tracked import remedy
from dust_core.visible import is_utf8


class ModelKind(Enum):
    """The kinds of files that hold a network, by what people call them."""

    ARCHIVE = "a checkpoint of torch"
    LEGACY = "a checkpoint of a PyTorch before 1.6"
    HUB = "a hub's folder"
    SAFETENSORS = "weights in safetensors"
    GRAPH = "an ONNX graph"
    ENGINE = "a TensorRT engine"

    @property
    def is_checkpoint(self) -> bool:
        """Whether torch reads it."""
        return self not in (ModelKind.GRAPH, ModelKind.ENGINE)


MOST_DIRECTORY_BYTES = 2_000_000
"""Of the directory of an archive: some ten thousand parts, and a second to read."""

HUB_FILES = ("config.json", "model.safetensors")
"""What a hub's folder of a model holds."""

_HEAD = 512
# What torch.save wrote before 1.6: a pickle of this number (torch.serialization.MAGIC_NUMBER).
_LEGACY = rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\."
_STARTS: tuple[tuple[bytes, ModelKind], ...] = (
    (rb"PK\x03\x04", ModelKind.ARCHIVE),
    (_LEGACY, ModelKind.LEGACY),
    (rb".{7}\x00\s*\{", ModelKind.SAFETENSORS),
    (rb"[fv]trt", ModelKind.ENGINE),
    # ir_version, then a field of a ModelProto that a length follows
    (rb"\x08[\x01-\x20](?:[\x12\x1a\x22\x32\x3a\x42]|\x28[\x00-\x7f]\x3a)", ModelKind.GRAPH),
)
_SUFFIXES = {
    ".pth": ModelKind.ARCHIVE,
    ".onnx": ModelKind.GRAPH,
    ".trt": ModelKind.ENGINE,
    ".safetensors": ModelKind.SAFETENSORS,
}
# What is found in a model's place: how it begins, what it is, what to do.
_STRANGERS: tuple[tuple[bytes, str, str], ...] = (
    (rb"$", "the file is empty", "copy or pull it again"),
    (
        GIT_LFS,
        "this is a Git LFS pointer, not the file that it stands for",
        "run `git lfs pull` where it was cloned",
    ),
    (
        DVC,
        "this is a DVC pointer, not the file that it stands for",
        "run `dvc pull`, and name the file without .dvc",
    ),
    (
        WEB_PAGE,
        "this is a web page, not the file behind it",
        "download the file itself",
    ),
    (
        rb"(?:\xef\xbb\xbf)?\s*<\?xml|(?:\xef\xbb\xbf)?\s*<net",
        "this is XML, perhaps OpenVINO's",
        "name the ONNX graph that it came from",
    ),
    (
        rb"\x80[\x02-\x05]",
        "the checkpoint cannot be read: it is a plain pickle, which runs code when read",
        "write it with torch.save, where you trust it",
    ),
    (
        rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|\x28\xb5\x2f\xfd",
        "this is a compressed archive",
        "unpack it, and name the file within",
    ),
    (rb"\x89HDF", "this is an HDF5 file, as Keras writes", "give a checkpoint of PyTorch"),
    (rb"GGUF", "this is a GGUF file", "give a checkpoint of PyTorch"),
    (rb"....TFL3", "this is a TFLite file", "give an ONNX graph"),
    (rb"\x93NUMPY", "this is a NumPy array", "give a checkpoint, a graph or an engine"),
    (rb"\x89PNG|\xff\xd8\xff", "this is a picture", "give a checkpoint, a graph or an engine"),
)


def kind_of_model(path: Path) -> ModelKind:
    """The kind of a model's file or folder, by its content; by its suffix where that says nothing.

    Raises:
        DustError: it is absent, or is something else; the error names what, and what to do.
    """
    if not is_utf8(path):
        raise DustError(
            "the path is not UTF-8, and the libraries that read models take no such path",
            where=str(path),
            fix="rename it, or make a link to it with another name",
        )
    if path.is_dir():
        _require_hub(path)
        return ModelKind.HUB
    try:
        with open_regular(path) as stream:
            head = stream.read(_HEAD)
    except FileNotFoundError as error:
        raise DustError("no such file", where=str(path), fix=remedy(path)) from error
    except OSError as error:
        raise DustError(
            f"cannot be read: {error.strerror}", where=str(path), fix="check the path"
        ) from error
    for start, what, fix in _STRANGERS:
        if re.match(start, head, re.DOTALL) and not re.match(_LEGACY, head, re.DOTALL):
            raise DustError(what, where=str(path), fix=fix)
    for start, kind in _STARTS:
        if re.match(start, head, re.DOTALL):
            return _checked_archive(path) if kind is ModelKind.ARCHIVE else kind
    kind_by_name = _SUFFIXES.get(path.suffix.lower())
    if kind_by_name is None:
        raise DustError(
            "neither a checkpoint, nor a graph, nor an engine",
            where=str(path),
            fix="name a checkpoint of torch, a hub's folder, an ONNX graph or a TensorRT engine",
        )
    return kind_by_name


def _require_hub(folder: Path) -> None:
    if any((folder / name).exists() for name in HUB_FILES):
        return
    inside = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    raise DustError(
        f"this folder is no model: it has neither {' nor '.join(HUB_FILES)}",
        where=str(folder),
        fix=f"name the file in it, such as {inside[0]}"
        if inside
        else "name a checkpoint of torch, a hub's folder, an ONNX graph or a TensorRT engine",
    )


def _checked_archive(path: Path) -> ModelKind:
    """A zip archive is torch's if it has a pickle; a truncated one is for the reader to refuse."""
    try:
        if zip_directory_bytes(path) > MOST_DIRECTORY_BYTES:
            raise DustError(
                "the archive has more parts than a checkpoint",
                where=str(path),
                fix="it is damaged or no checkpoint: copy or pull it again",
            )
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ModelKind.ARCHIVE
    if "constants.pkl" in names:
        raise DustError(
            "this is a TorchScript program, which is code",
            where=str(path),
            fix="give the checkpoint that it was traced from",
        )
    if names and "data.pkl" not in names:
        raise DustError(
            f"this is a zip archive of {names[0] or 'folders'}, not a checkpoint",
            where=str(path),
            fix="unpack it, and name the file within",
        )
    return ModelKind.ARCHIVE
