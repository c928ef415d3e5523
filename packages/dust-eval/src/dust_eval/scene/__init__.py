"""Whole scenes: pairs of many images, aligned into one frame."""

from dust_eval.scene.align import Scene, align
from dust_eval.scene.graph import swin_pairs
from dust_eval.scene.measure import scene_seconds

__all__ = ["Scene", "align", "scene_seconds", "swin_pairs"]
