"""ScanNet++: SCENE/iphone and SCENE/dslr, each with a COLMAP model in metres.

| | pictures | depth, millimetres |
|---|---|---|
| iphone | rgb/frame_N.jpg, extracted by the toolkit | depth/frame_N.png, 256x192 |
| dslr | resized_images/DSCN.JPG, fisheye | render_depth/DSCN.png, rendered by the toolkit |

Both have the distortion of the lens, which is taken out here. Sources: README.md,
iphone/prepare_iphone_data.py, common/render.py and common/scene_release.py of
https://github.com/scannetpp/scannetpp
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Making,
    Recording,
    Scene,
    folders_with,
    gather,
    require_file,
)
from dust_core.pairs.importing.adapters.colmap import located
from dust_core.pairs.importing.adapters.colmap_cameras import read_cameras
from dust_core.pairs.importing.adapters.colmap_model import ModelImage, read_images
from dust_core.pairs.importing.adapters.files import read_depth
from dust_core.pairs.importing.camera import Camera

_MILLIMETRE = 0.001
# The folders of pictures and of depth of each device.
_DEVICES = {"iphone": ("rgb", "depth"), "dslr": ("resized_images", "render_depth")}
_REMEDIES = {
    "iphone": "extract pictures and depth with the toolkit's iphone.prepare_iphone_data",
    "dslr": "render depth with the toolkit's common.render, or give --device iphone",
}


@dataclass(frozen=True)
class ScanNetPP:
    """The layout of ScanNet++.

    Attributes:
        device: iphone or dslr; None takes both.
        depths: the folder of depth below the device's, such as `render_depth`.
    """

    device: str | None = None
    depths: str | None = None

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each device of each scene."""
        if self.device not in (None, *_DEVICES):
            raise DustError(f"the device {self.device} is not known", fix="iphone or dslr")
        what = "a device of ScanNet++ (SCENE/iphone, SCENE/dslr)"
        for folder in folders_with(source, "colmap", what):
            device = folder.resolve().name
            if device in _DEVICES and self.device in (None, device):
                yield Scene(folder.resolve().parent.name, partial(self._read, folder, device))

    def _read(self, folder: Path, device: str) -> Recording:
        pictures, depths = (folder / name for name in _DEVICES[device])
        if self.depths is not None:
            depths = folder / self.depths
        for needed in (pictures, depths):
            if not needed.is_dir():
                raise DustError(
                    f"the folder {needed.name} is missing", where=str(needed), fix=_REMEDIES[device]
                )
        model = folder / "colmap"
        cameras = read_cameras(model)
        images, left_out = read_images(model)
        images.sort(key=lambda image: natural_key(image.name))

        def make(image: ModelImage) -> Frame:
            return _frame(cameras, image, model, pictures, depths)

        makings: list[Making] = [
            (f"{device}/{image.name}", partial(make, image)) for image in images
        ]
        return gather(makings, left_out)


def _frame(
    cameras: dict[int, Camera | DustError],
    image: ModelImage,
    model: Path,
    pictures: Path,
    depths: Path,
) -> Frame:
    camera, cam_to_world = located(cameras, image, model)
    name = PurePosixPath(image.name).name  # some models have the device before it
    depth = require_file(depths / f"{PurePosixPath(name).stem}.png", "the depth")
    return Frame(
        name=f"{model.parent.name}/{name}",
        image=require_file(pictures / name, "the image"),
        read_depth=partial(read_depth, depth, _MILLIMETRE),
        camera=camera,
        cam_to_world=cam_to_world,
        depth_scales=True,
    )
