"""Importing: frames a second and peak memory by layout, and flat memory over many scenes.

    python benchmarks/import.py
    python benchmarks/import.py --frames 40 --scenes 1000 --jobs 1 2

Miniatures of the tests' room are made in each layout, with as many frames as asked, and imported
by `dust data import` in a process of its own. Beside it stands a plain loop of OpenCV in another
process: it decodes each picture and each depth map of the same files once, and makes a square of
each, but reads no cameras, measures no overlap and writes no shards. Then small scenes of 7-Scenes
are imported, few and many, and the peak memory of both is compared.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOM = Path(__file__).parent.parent / "tests" / "core" / "pairs" / "importing"
PICTURES = (".jpg", ".JPG", ".png", ".pfm")


def measured(kind: str, *words: object) -> dict[str, float]:
    """Seconds, frames, pairs and peak megabytes of one step in a process of its own."""
    command = [sys.executable, __file__, "--step", kind, *map(str, words)]
    outcome = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(outcome.stdout.splitlines()[-1])


def peak_mb() -> float:
    """Of this process and of the largest that it started.

    A process inherits `ru_maxrss` of the one that started it, so its own peak comes from /proc.
    """
    status = Path("/proc/self/status").read_text()
    own = float(status.partition("VmHWM:")[2].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024 / 1e6


def import_step(
    layout: str, source: Path, target: Path, options: str, side: int, jobs: int
) -> None:
    from dust_core.pairs.importing.commands import import_

    warm_up()
    given = json.loads(options)
    for name in ("visits", "colour_from_depth"):
        if name in given:
            given[name] = Path(given[name])
    started = time.perf_counter()
    import_(layout, source, target, side=side, max_overlap=1.0, jobs=jobs, **given)
    seconds = time.perf_counter() - started
    report = json.loads((target / "report.json").read_text())
    facts = {"seconds": seconds, "frames": report["used"], "pairs": report["pairs"]}
    print(json.dumps(facts | {"mb": peak_mb()}))


def warm_up() -> None:
    """Load what is loaded once for any number of frames."""
    import cv2  # noqa: F401
    from PIL import Image

    import dust_core.pairs.importing.run
    import dust_core.pairs.shards.tars  # noqa: F401

    Image.init()


def loop_step(source: Path, side: int) -> None:
    import cv2

    frames, started = 0, time.perf_counter()
    for path in sorted(source.rglob("*")):
        if path.suffix == ".npy":
            values = np.load(path)
        elif path.suffix in PICTURES:
            values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        else:
            continue
        height, width = values.shape[:2]
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        colour = values.ndim == 3
        cv2.resize(
            values[top : top + edge, left : left + edge],
            (side, side),
            interpolation=cv2.INTER_AREA if colour else cv2.INTER_NEAREST,
        )
        frames += colour
    facts = {"seconds": time.perf_counter() - started, "frames": frames, "mb": peak_mb()}
    print(json.dumps(facts))


def layouts(root: Path, frames: int, side: int) -> None:
    sys.path.insert(0, str(ROOM))
    import adapter_room as room
    import data_set_rooms as sets

    for module in (room, sets):
        module.COUNT = frames  # type: ignore[attr-defined]
    print(f"{frames} frames a layout, squares of {side}; frames a second, pairs, peak MB")
    print(f"{'layout':28} {'import':>8} {'loop':>8} {'pairs':>6} {'MB':>6} {'loop MB':>8}")
    for make in [*room.MINIATURES, *sets.DATA_SETS]:
        folder = root / make.__name__
        folder.mkdir()
        made = make(folder / "set")
        options = json.dumps(made.options, default=str)
        ours = measured("import", made.layout, made.source, folder / "out", options, side, 1)
        loop = measured("loop", folder / "set", side)
        print(
            f"{make.__name__:28} {ours['frames'] / ours['seconds']:8.1f} "
            f"{loop['frames'] / loop['seconds']:8.1f} {ours['pairs']:6.0f} "
            f"{ours['mb']:6.0f} MB {loop['mb']:8.0f} MB",
            flush=True,
        )
        shutil.rmtree(folder)


def many(root: Path, counts: list[int], jobs: list[int], side: int) -> None:
    sys.path.insert(0, str(ROOM))
    import adapter_room as room

    made = room.seven_scenes(root / "first")
    whole = root / "many"
    print(f"small scenes of {room.COUNT} frames, squares of {side}")
    print(f"{'scenes':>7} {'jobs':>5} {'seconds':>8} {'pairs':>7} {'frames/s':>9} {'MB':>6}")
    made_so_far = 0
    for count in sorted(counts):
        for number in range(made_so_far, count):
            shutil.copytree(made.source / "room", whole / f"room{number}")
        made_so_far = count
        for processes in jobs:
            options = json.dumps(made.options)
            out = root / f"out{count}-{processes}"
            facts = measured("import", "7-scenes", whole, out, options, side, processes)
            print(
                f"{count:7} {processes:5} {facts['seconds']:8.1f} {facts['pairs']:7.0f} "
                f"{facts['frames'] / facts['seconds']:9.1f} {facts['mb']:6.0f} MB",
                flush=True,
            )
            shutil.rmtree(out)


def main() -> None:
    if sys.argv[1:2] == ["--step"]:
        kind, *words = sys.argv[2:]
        if kind == "import":
            layout, source, target, options, side, jobs = words
            import_step(layout, Path(source), Path(target), options, int(side), int(jobs))
        else:
            loop_step(Path(words[0]), int(words[1]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=40, help="a layout; 0: none")
    parser.add_argument("--side", type=int, default=224, help="of squares, pixels")
    parser.add_argument("--scenes", type=int, nargs="*", default=[10, 1000])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dust-import-") as folder:
        if options.frames:
            layouts(Path(folder), options.frames, options.side)
        if options.scenes:
            many(Path(folder), options.scenes, options.jobs, 64)


if __name__ == "__main__":
    main()
