"""The front matter of a card, in the format of the Hugging Face Hub.

https://huggingface.co/docs/hub/model-cards#model-card-metadata describes the keys.
"""

from typing import Any

from dust_core.declared.records.record import QUALITY_METRICS
from dust_eval.cards.networks import Network

_NON_COMMERCIAL = "CC BY-NC-SA 4.0"
_KIND = "depth-estimation"


def front_matter(network: Network) -> str:
    """The YAML between the first two lines of three dashes.

    Raises:
        ModuleNotFoundError: huggingface-hub is not installed.
    """
    from huggingface_hub import EvalResult, ModelCardData

    task = network.made_by
    places = ", ".join(task.data.workload.scenes or ())
    figures = [
        EvalResult(
            task_type=_KIND,
            dataset_type="dust-pairs",
            dataset_name=f"the frozen workload ({places})",
            metric_type=metric,
            metric_value=round(getattr(network.record, metric), 4),
        )
        for metric in QUALITY_METRICS
    ]
    data = ModelCardData(
        **licence(network),
        library_name="dust",
        pipeline_tag="image-to-3d",
        tags=["dust3r", "3d-reconstruction", "pointmap", _KIND, *_format_tags(network)],
        metrics=[*QUALITY_METRICS],
        model_name=f"dust-{task.profile_name}-{network.file.partition('.')[0]}",
        eval_results=figures,
    )
    return str(data.to_yaml(line_break="\n"))


def licence(network: Network) -> dict[str, Any]:
    """The keys on the licence: that of the published checkpoint, or what NOTICE says."""
    checkpoint = network.made_by.profile.teacher.checkpoint
    if checkpoint is not None and checkpoint.licence.startswith(_NON_COMMERCIAL):
        return {"license": "cc-by-nc-sa-4.0"}
    name = "see-notice" if checkpoint is None else checkpoint.licence
    return {"license": "other", "license_name": name, "license_link": "NOTICE"}


def _format_tags(network: Network) -> list[str]:
    bits = network.record.bits_w
    form = "onnx" if network.file.endswith(".onnx") else "pytorch"
    return [form] if bits is None else [form, f"int{bits}"]
