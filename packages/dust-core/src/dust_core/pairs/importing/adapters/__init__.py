"""Adapters: one small file for each way in which data sets lay out their files."""

from dust_core.pairs.importing.adapters.arkitscenes import ArkitScenes
from dust_core.pairs.importing.adapters.base import Frame, Layout, Recording, Scene
from dust_core.pairs.importing.adapters.co3d import Co3d
from dust_core.pairs.importing.adapters.colmap import Colmap
from dust_core.pairs.importing.adapters.dtu import Dtu
from dust_core.pairs.importing.adapters.manifest import ManifestFile
from dust_core.pairs.importing.adapters.middlebury import Middlebury
from dust_core.pairs.importing.adapters.nerfstudio import Nerfstudio
from dust_core.pairs.importing.adapters.preprocessed import Preprocessed
from dust_core.pairs.importing.adapters.scannet import ScanNet
from dust_core.pairs.importing.adapters.scannetpp import ScanNetPP
from dust_core.pairs.importing.adapters.seven_scenes import SevenScenes
from dust_core.pairs.importing.adapters.tum import Tum

LAYOUTS: dict[str, type[Layout]] = {
    "manifest": ManifestFile,
    "7-scenes": SevenScenes,
    "tum": Tum,
    "colmap": Colmap,
    "middlebury": Middlebury,
    "scannet": ScanNet,
    "scannet++": ScanNetPP,
    "co3d": Co3d,
    "dtu": Dtu,
    "nerfstudio": Nerfstudio,
    "arkitscenes": ArkitScenes,
    "dust3r": Preprocessed,
}

__all__ = ["LAYOUTS", "Frame", "Layout", "Recording", "Scene"]
