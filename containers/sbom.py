"""What an image holds, as a CycloneDX document: the same image gives the same bytes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from check import normal
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL


def sbom(image: str, digest: str, contents: Mapping[str, Any]) -> str:
    """The document, CycloneDX 1.6 in JSON.

    Args:
        image: name and tag.
        digest: the image's id, 64 hexadecimal digits. The serial number follows from it.
        contents: what containers/contents.py prints.
    """
    whole = Component(name=image, version=digest, type=ComponentType.CONTAINER, bom_ref=digest)
    parts = [
        *map(_distribution, contents["distributions"]),
        *map(_debian_package, contents["debian"]),
    ]
    document = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, digest),
        metadata=BomMetaData(component=whole, timestamp=datetime.fromtimestamp(0, UTC)),
    )
    document.register_dependency(whole, parts)
    written = make_outputter(document, OutputFormat.JSON, SchemaVersion.V1_6)
    return written.output_as_string(indent=2) + "\n"


def _distribution(found: Sequence[str]) -> Component:
    name, version, expression = found
    purl = PackageURL("pypi", None, normal(name), version)
    licences = [LicenseFactory().make_from_string(expression)] if expression else []
    return Component(
        name=name, version=version, purl=purl, bom_ref=purl.to_string(), licenses=licences
    )


def _debian_package(found: Sequence[str]) -> Component:
    name, version, architecture = found
    purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
    return Component(name=name, version=version, purl=purl, bom_ref=purl.to_string())
