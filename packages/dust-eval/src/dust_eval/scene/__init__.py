"""Whole scenes: pairs of many images, aligned into one frame."""

from dust_eval.scene.align import Scene, align
from dust_eval.scene.graph import CannotAlign, swin_pairs
from dust_eval.scene.measure import SceneTime, time_scene

__all__ = ["CannotAlign", "Scene", "SceneTime", "align", "swin_pairs", "time_scene"]
