"""The digest that our archives carry of their own content, and what proves those of others.

Torch checks no sum when it maps an archive into memory: a file with a damaged byte loads, with
other weights.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SEAL = "content_sha256"
"""The key, beside the content, of its digest."""

_CHUNK = 1 << 20


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its digest."""
    return {**content, SEAL: content_digest(content)}


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of names, values, and the tensors' types, shapes and bytes, without the seal itself.

    It does not depend on the version of PyTorch that writes the file.
    """
    digest = hashlib.sha256()
    for part in _parts({name: value for name, value in content.items() if name != SEAL}):
        digest.update(part)
    return digest.hexdigest()


def fault_of_content(content: Mapping[str, Any]) -> str | None:
    """What is wrong with content that carries a digest; None if it holds, or if there is none."""
    stated = content.get(SEAL)
    if stated is None or stated == content_digest(content):
        return None
    return "its content differs from the digest in it, so a part of it is damaged"


def fault_of_archive(path: Path) -> str | None:
    """What the sums of a zip archive prove to be damaged; None if all hold.

    PyTorch can write archives without sums; in these none holds.
    """
    damaged, whole = [], 0
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                try:
                    with archive.open(entry) as stream:
                        while stream.read(_CHUNK):
                            pass
                    whole += 1
                except (zipfile.BadZipFile, EOFError):
                    damaged.append(entry.filename)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        return str(error)
    if damaged and whole:
        return f"the part {damaged[0]} of the archive is damaged"
    return None


def _parts(value: Any) -> Iterator[bytes | memoryview]:
    """A value as bytes that no other value has."""
    if isinstance(value, Tensor):
        plain = value.detach().cpu().contiguous().reshape(-1)
        yield f"tensor {value.dtype} {tuple(value.shape)};".encode()
        if plain.numel():
            yield plain.view(torch.uint8).numpy().data.cast("B")
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)};".encode()
        for name, part in value.items():
            yield from _parts(name)
            yield from _parts(part)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)};".encode()
        for part in value:
            yield from _parts(part)
    else:
        text = repr(value)
        yield f"{type(value).__name__} {len(text)} {text};".encode("utf-8", "surrogatepass")
