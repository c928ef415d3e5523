"""The data that everything is measured on, and the protocol."""

from typing import Annotated, Literal

from pydantic import Field

from dust_core.declared.specs.models.base import SpecFile, SpecModel
from dust_core.declared.specs.models.constraints import (
    Bool,
    Int,
    Number,
    OneOf,
    RelativePath,
    Sha256,
    Text,
    Within,
)

Metric = Literal["absrel", "rmse", "delta1", "chamfer"]

_STATIC = "engines are built for one shape, two images of 1x3x512x512"
_GRAPH = "the workload is a swin-4 graph of 20 pairs"
Side = Annotated[Int, OneOf((512,), "static_shape", _STATIC)]
Batch = Annotated[Int, OneOf((1,), "static_shape", _STATIC)]


class Images(SpecModel):
    """The input shape, the same for all networks."""

    height: Side = Field(description="Height of an image, in pixels.", examples=[512])
    width: Side = Field(description="Width of an image, in pixels.", examples=[512])
    batch: Batch = Field(description="Pairs in one call.", examples=[1])


class PairGraph(SpecModel):
    """Which images form pairs."""

    kind: Annotated[str, OneOf(("swin",), "pair_graph", _GRAPH)] = Field(
        description="Graph of pairs: each image with its K neighbours.", examples=["swin"]
    )
    k: Annotated[Int, OneOf((4,), "pair_graph", _GRAPH)] = Field(
        description="Neighbours of an image.", examples=[4]
    )
    pairs: Annotated[Int, OneOf((20,), "pair_graph", _GRAPH)] = Field(
        description="Pairs in all.", examples=[20]
    )


class Quality(SpecModel):
    """Metrics, and how predictions are aligned to the truth before them."""

    metrics: Annotated[
        tuple[Metric, ...],
        OneOf(
            (("absrel", "rmse", "delta1", "chamfer"),), "quality_metrics", "all four are reported"
        ),
    ] = Field(
        description="absrel (ratio), rmse (m), delta1 (share below 1.25), chamfer (m).",
        examples=[["absrel", "rmse", "delta1", "chamfer"]],
        json_schema_extra={"const": ["absrel", "rmse", "delta1", "chamfer"]},
    )
    primary: Annotated[Metric, OneOf(("delta1",), "primary_metric", "the lines bind delta1")] = (
        Field(description="The metric that the lines bind.", examples=["delta1"])
    )
    alignment: Literal["median_scale_view1"] = Field(
        description="One scale a pair: the median ratio of view 1's true to predicted depths.",
        examples=["median_scale_view1"],
    )
    chamfer_points: Int = Field(
        ge=1000, le=1_000_000,
        description="Points drawn from each cloud for chamfer, with the workload's seed.",
        examples=[20000],
    )  # fmt: skip
    bootstrap: Int = Field(
        ge=1000, le=100_000, description="Resamples of the pairs for an interval.", examples=[10000]
    )
    confidence: Number = Field(
        gt=0.5, lt=1, description="Level of every interval, as a fraction.", examples=[0.95]
    )


class Timing(SpecModel):
    """How latency is measured."""

    warmup: Int = Field(ge=3, le=1000, description="Calls before timing starts.", examples=[5])
    repeats: Annotated[Int, Within(50, 10_000, "timing", "a median needs at least 50 repeats")] = (
        Field(description="Timed calls of the candidate and of the baseline.", examples=[50])
    )
    order: Literal["alternate"] = Field(
        description="Candidate and baseline in turn, in one process.", examples=["alternate"]
    )
    percentiles: Annotated[
        tuple[Int, ...], OneOf(((50, 95),), "timing", "records hold p50 and p95")
    ] = Field(
        description="Reported percentiles, in percent.",
        examples=[[50, 95]],
        json_schema_extra={"const": [50, 95]},
    )
    tf32: Bool = Field(description="Whether FP32 may run in TF32 on GPUs.", examples=[False])
    baseline_precision: Literal["fp32"] = Field(
        description="Precision that the baseline is pinned to.", examples=["fp32"]
    )


class Alignment(SpecModel):
    """Global alignment of all pairs of a scene (Wang et al., 2023, section 3.3)."""

    init: Literal["mst_pnp"] = Field(
        description="Start: minimum spanning tree with PnP.", examples=["mst_pnp"]
    )
    solver: Literal["irls"] = Field(
        description="Solver: each group of unknowns in closed form given the others, "
        "by iteratively reweighted least squares.",
        examples=["irls"],
    )
    rounds: Int = Field(
        ge=1, le=1000, description="Largest number of rounds over all unknowns.", examples=[60]
    )
    tolerance: Number = Field(
        gt=0,
        le=0.1,
        description="Relative decrease of the objective below which a round is the last.",
        examples=[1e-4],
    )
    focals: Literal["from_pairs"] = Field(
        description="Focal lengths: estimated from each image's own pairs.",
        examples=["from_pairs"],
    )
    distance: Literal["l1"] = Field(
        description="Norm of the residual: l1, the mean Euclidean distance.", examples=["l1"]
    )
    weight: Literal["log_conf"] = Field(
        description="Weight of a pixel: the logarithm of its confidence.", examples=["log_conf"]
    )
    min_confidence: Number = Field(
        ge=1, le=100, description="Smallest confidence of the pixels in the cloud.", examples=[3.0]
    )


class Scene(SpecModel):
    """How t_scene_s is measured."""

    images: Annotated[Int, OneOf((5,), "scene", "a swin-4 clique has five images")] = Field(
        description="Images of a scene.", examples=[5]
    )
    symmetric: Annotated[Bool, OneOf((True,), "scene", "alignment reads each pair both ways")] = (
        Field(description="Whether each pair runs both ways.", examples=[True])
    )
    encode_once: Bool = Field(
        description="Whether an image's encoding is reused in all its pairs.", examples=[True]
    )
    repeats: Int = Field(ge=1, le=100, description="Timed scenes; the median counts.", examples=[3])
    alignment: Alignment = Field(description="Global alignment.")


class DataSplit(SpecModel):
    """One frozen set of pair shards."""

    manifest: RelativePath = Field(
        description="The set's manifest, relative to the repository.",
        examples=["data/workload/manifest.json"],
    )
    sha256: Sha256 = Field(
        description="SHA-256 of the manifest, which has its shards' digests.",
        examples=["0" * 64],
    )
    pairs: Int = Field(ge=1, le=100_000_000, description="Pairs in the set.", examples=[20])
    scenes: tuple[Text, ...] = Field(
        min_length=1, description="Scenes in the set; no two sets share one.", examples=[["q3dm1"]]
    )


class DataSplits(SpecModel):
    """The four sets, by scene."""

    workload: DataSplit = Field(description="The 20 pairs that every figure is measured on.")
    calibration: DataSplit = Field(description="Images that set quantization ranges.")
    training: DataSplit = Field(description="Pairs that networks are trained on.")
    validation: DataSplit = Field(description="Pairs that stop training and choose students.")


class WorkloadSpec(SpecModel):
    """The protocol and the frozen data."""

    PROSE = frozenset({"licence"})

    images: Images = Field(description="Input shape.")
    pair_graph: PairGraph = Field(description="Which images form pairs.")
    seed: Annotated[Int, OneOf((42,), "seed", "one seed makes runs comparable")] = Field(
        description="Seed of every random choice.", examples=[42]
    )
    quality: Quality = Field(description="Quality metrics.")
    timing: Timing = Field(description="Timing protocol.")
    scene: Scene = Field(description="Scene protocol.")
    data: DataSplits = Field(
        description="The embedded sets; a profile may name other sets of the same shape."
    )
    licence: Text = Field(
        description="Licence of the embedded data.", examples=["see data/LICENCES.md"]
    )


class Workload(SpecFile):
    """workload.yaml: data and protocol, the same for every task."""

    kind: Literal["Workload"] = Field(description="The kind of file.", examples=["Workload"])
    spec: WorkloadSpec = Field(description="Protocol and data.")
