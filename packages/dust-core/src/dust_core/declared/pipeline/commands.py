"""The verbs `dust pipeline` and `dust device`."""

from typing import Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.pipeline.stages import dvc_yaml
from dust_core.declared.project import (
    ARTIFACTS,
    DEVICE_FILE,
    EMBEDDED_PROFILE,
    SPECS,
    pipeline_path,
)
from dust_core.errors import DustError
from dust_core.files import atomic_write_text


def pipeline(
    check: Annotated[bool, typer.Option("--check", help="Compare, and write nothing.")] = False,
    specs: SpecsOption = SPECS,
) -> None:
    """Write dvc.yaml, and pipelines/PROFILE/dvc.yaml, from the specs."""
    from dust_core.declared.specs import load_specs

    spec_set = load_specs(specs)
    stale = []
    for profile in spec_set.profiles:
        path, text = pipeline_path(profile), dvc_yaml(spec_set, profile)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            atomic_write_text(path, text)
    if stale and check:
        raise DustError(
            f"out of date with the specs: {', '.join(stale)}",
            fix="write them again with 'dust pipeline' and commit them with the specs",
            exit_code=1,
        )
    typer.echo(f"written: {', '.join(stale)}" if stale else "the pipelines match the specs")


def device(profile: ProfileOption = EMBEDDED_PROFILE, specs: SpecsOption = SPECS) -> None:
    """Write what identifies this device.

    Stages with latency lines depend on this file, so that they are stale on another device.
    """
    from dust_core.declared.records.environment import described_device
    from dust_core.declared.specs import load_specs

    here = described_device(load_specs(specs).profile(profile).device.kind)
    atomic_write_text(ARTIFACTS / profile / DEVICE_FILE, here.as_text())
    typer.echo(f"device: {here.name} ({here.kind})")
