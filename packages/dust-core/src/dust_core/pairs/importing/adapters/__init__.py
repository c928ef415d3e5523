"""Adapters: one small file for each way in which data sets lay out their files."""

from dust_core.pairs.importing.adapters.base import Frame, Layout, Recording, Scene
from dust_core.pairs.importing.adapters.colmap import Colmap
from dust_core.pairs.importing.adapters.manifest import ManifestFile
from dust_core.pairs.importing.adapters.middlebury import Middlebury
from dust_core.pairs.importing.adapters.seven_scenes import SevenScenes
from dust_core.pairs.importing.adapters.tum import Tum

LAYOUTS: dict[str, type[Layout]] = {
    "manifest": ManifestFile,
    "7-scenes": SevenScenes,
    "tum": Tum,
    "colmap": Colmap,
    "middlebury": Middlebury,
}

__all__ = ["LAYOUTS", "Frame", "Layout", "Recording", "Scene"]
