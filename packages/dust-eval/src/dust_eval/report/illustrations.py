"""What the networks themselves give the page: pictures of pairs, and a scene in 3-D."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.tracked import remedy
from dust_eval.report.eight_bits import EightBits

if TYPE_CHECKING:
    from dust_core.declared.records import Result
    from dust_core.declared.specs import ResolvedTask
    from dust_eval.report.gallery import PairPictures
    from dust_eval.runtimes import PairModel

MOST_POINTS = 90_000  # points of the scene on the page, which is to be small

NOT_ASKED = "Pictures were left out by --no-pictures."
NO_NETWORK = "No result of an INT8 network beside its FP32 network is here."


@dataclass(frozen=True)
class Illustrations:
    """Pictures and a scene, or why there are none.

    Attributes:
        key: what they are drawn from: the digests of both networks and of the workload.
        pairs: the chosen pairs.
        scene: the page of a scene in 3-D, which stands in a frame.
        no_pairs, no_scene: why they are absent; empty where they are here.
    """

    key: tuple[str, ...] = ()
    pairs: "tuple[PairPictures, ...]" = ()
    scene: str = ""
    no_pairs: str = ""
    no_scene: str = ""


def without(reason: str) -> Illustrations:
    """No illustration, for one reason."""
    return Illustrations(no_pairs=reason, no_scene=reason)


def illustrate(
    task: "ResolvedTask | None",
    view: EightBits | None,
    folder: Path,
    before: Illustrations | None = None,
) -> Illustrations:
    """Run both networks on the chosen pairs, and INT8 on the scene that is timed.

    What cannot be drawn, because a file or a package is absent, has a reason instead.

    Args:
        task: the task of `view`, resolved.
        folder: the profile's folder of artifacts.
        before: earlier illustrations, which are taken where they are of the same networks.
    """
    if task is None or view is None:
        return without(NO_NETWORK)
    digest = task.data.workload.sha256
    key = (_recorded(view.fp32, ".pth")[1], _recorded(view.int8, ".onnx")[1], str(digest))
    if before is not None and before.key == key:
        return before
    try:
        fp32, int8 = (
            _load(task, side, suffix, folder)
            for side, suffix in ((view.fp32, ".pth"), (view.int8, ".onnx"))
        )
    except (DustError, ModuleNotFoundError) as error:
        return without(_reason(error))
    pairs, no_pairs = _pairs(task, view, fp32, int8)
    scene, no_scene = _scene(task, int8, _recorded(view.int8, ".onnx")[0])
    return Illustrations(key, pairs, scene, no_pairs, no_scene)


def _recorded(result: "Result", suffix: str) -> tuple[str, str]:
    """Name and SHA-256 of the file of that kind which a result measured; empty without one."""
    files = result.provenance.artifacts.items()
    return next(((name, sha) for name, sha in files if name.endswith(suffix)), ("", ""))


def _load(task: "ResolvedTask", result: "Result", suffix: str, folder: Path) -> "PairModel":
    """The network of a result, proven by its digest.

    Raises:
        DustError: the file is absent or another one, or its runtime cannot read it.
        ModuleNotFoundError: a package of its runtime is not installed.
    """
    from dust_eval.runtimes import RuntimeOptions, load_any

    (name, sha256), runtime = _recorded(result, suffix), result.provenance.runtime
    path = folder / name
    if not name or not path.is_file():
        raise DustError(
            f"{name or f'a {suffix} file'} of {result.exp_id} is not here", fix=remedy(path)
        )
    if sha256_file(path) != sha256:
        raise DustError(f"{name} is not the file that was measured", fix=remedy(path))
    narrow = runtime is not None and runtime.precision.endswith("bf16")
    threads = task.profile.threads
    options = RuntimeOptions(precision="bf16" if narrow else "fp32", threads=threads)
    return load_any(path, options)


def _pairs(
    task: "ResolvedTask", view: EightBits, fp32: "PairModel", int8: "PairModel"
) -> "tuple[tuple[PairPictures, ...], str]":
    chosen = view.chosen()
    try:
        from dust_eval.measure.samples import workload_samples
        from dust_eval.report.gallery import draw_pairs

        wanted = islice(workload_samples(task), 1 + max(chosen))
        samples = {number: sample for number, sample in enumerate(wanted) if number in chosen}
        return draw_pairs(fp32, int8, samples, chosen, view.pairs), ""
    except (DustError, ModuleNotFoundError, ValueError, KeyError) as error:
        return (), _reason(error)


def _scene(task: "ResolvedTask", network: "PairModel", name: str) -> tuple[str, str]:
    try:
        from dust_eval.report.scene_frame import scene_page

        return scene_page(task, network, name, MOST_POINTS), ""
    except (DustError, ModuleNotFoundError, ValueError) as error:
        return "", _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, DustError):
        advice = f" {error.fix[0].upper()}{error.fix[1:]}." if error.fix else ""
        return f"{error.where + ': ' if error.where else ''}{error.what}.{advice}"
    return f"{error}."
