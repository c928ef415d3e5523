"""What an import found, used and left out, and the words for it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.importing.adapters.base import LeftOut
from dust_core.pairs.importing.view import View

_NAMES = 3
_REASONS = 20


@dataclass
class Tally:
    """What has passed so far.

    Attributes:
        scenes: with at least one pair.
        without: scenes none of whose frames make a pair.
        found: frames, used or not.
        used: frames that are in a pair.
        pairs: how many.
        left_out: what is not used and why, with its scene.
        remarks: what the user should hear, with the number of frames that it concerns; 0 where it
            concerns a recording.
        known, lost: pixels of known depth in the frames, and those whose depth no step holds.
        rejected: the covisibility measured nearest to the bounds among those outside.
    """

    scenes: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    found: int = 0
    used: int = 0
    pairs: int = 0
    left_out: list[tuple[str, LeftOut]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)
    known: int = 0
    lost: int = 0
    rejected: float | None = None

    @property
    def frames_left_out(self) -> int:
        """How many frames are left out."""
        return sum(without.kind == "frame" for _, without in self.left_out)

    def leave_out(self, scene: str, without: LeftOut, strict: bool) -> None:
        """Count what is left out.

        Raises:
            DustError: it is a fault, and the import is strict.
        """
        if strict and without.fault:
            raise without.why
        self.left_out.append((scene, without))

    def take(self, view: View) -> None:
        """Count what was read of a frame."""
        self.known += view.stored.known
        self.lost += view.stored.lost
        self.remarks.update(view.remarks)

    def add(self, scene: "Tally", outside: Callable[[float], float]) -> None:
        """Count what a scene's own tally has.

        Args:
            outside: how far a covisibility is outside the bounds.
        """
        self.scenes |= scene.scenes
        self.without |= scene.without
        self.found += scene.found
        self.used += scene.used
        self.pairs += scene.pairs
        self.left_out += scene.left_out
        self.remarks.update(scene.remarks)
        self.known += scene.known
        self.lost += scene.lost
        measured = [value for value in (self.rejected, scene.rejected) if value is not None]
        self.rejected = min(measured, key=outside, default=None)

    def lines(self) -> list[str]:
        """The report: what was found, what is used, what is left out and why."""
        alone = self.found - self.used - self.frames_left_out
        lines = [
            f"frames: {self.found} found, {self.used} used, {self.frames_left_out} left out, "
            f"{alone} in no pair"
        ]
        groups = self._groups()
        for (kind, reason), members in list(groups.items())[:_REASONS]:
            counted = f"{len(members)} {kind}{'s' if len(members) > 1 else ''}"
            lines.append(f"left out, {counted}: {reason} ({_some(members)})")
        if len(groups) > _REASONS:
            lines.append(f"left out for {len(groups) - _REASONS} more reasons")
        remarks = sorted(self.remarks.items(), key=lambda remark: natural_key(remark[0]))
        for remark, frames in remarks[:_REASONS]:
            lines.append(f"{frames} frames: {remark}" if frames else remark)
        if len(remarks) > _REASONS:
            lines.append(f"{len(remarks) - _REASONS} more remarks")
        if self.lost:
            lines.append(
                f"warning: the depth of {self.lost} of {self.known} pixels "
                f"({100 * self.lost / self.known:.2g} %) fits no step and is unknown now"
            )
        if self.without:
            names = ", ".join(sorted(self.without, key=natural_key))
            lines.append(f"no pair within the bounds in {len(self.without)} scenes: {names}")
        return lines

    def as_data(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {
            "found": self.found,
            "used": self.used,
            "pairs": self.pairs,
            "left_out": [
                {
                    "scene": scene,
                    "kind": without.kind,
                    "name": without.name,
                    "fault": without.fault,
                    "what": without.why.what,
                    "where": without.why.where,
                    "fix": without.why.fix,
                }
                for scene, without in self.left_out
            ],
            "remarks": dict(sorted(self.remarks.items())),
            "depth": {"known": self.known, "lost": self.lost},
            "scenes": sorted(self.scenes, key=natural_key),
            "scenes_without_pairs": sorted(self.without, key=natural_key),
            "nearest_outside_bounds": self.rejected,
        }

    @staticmethod
    def of_data(data: dict[str, Any]) -> "Tally":
        """The tally that `as_data` gave.

        Raises:
            LookupError, TypeError, AttributeError: it is none.
        """
        left_out = [
            (
                entry["scene"],
                LeftOut(
                    entry["name"],
                    DustError(entry["what"], where=entry["where"], fix=entry["fix"]),
                    entry["kind"],
                    entry["fault"],
                ),
            )
            for entry in data["left_out"]
        ]
        return Tally(
            scenes=set(data["scenes"]),
            without=set(data["scenes_without_pairs"]),
            found=data["found"],
            used=data["used"],
            pairs=data["pairs"],
            left_out=left_out,
            remarks=Counter(data["remarks"]),
            known=data["depth"]["known"],
            lost=data["depth"]["lost"],
            rejected=data["nearest_outside_bounds"],
        )

    def as_json(self) -> str:
        """All of it, for a file beside the shards."""
        return json.dumps(self.as_data(), indent=1) + "\n"

    def nothing_usable(self) -> DustError | None:
        """The error of an import none of whose frames could be compared, from the first reason."""
        if self.rejected is not None or not self.left_out:
            return None
        faults = [without for _, without in self.left_out if without.fault]
        first = (faults or [without for _, without in self.left_out])[0]
        why = first.why
        if len(self.left_out) == 1:
            return why
        left_out = Counter(without.kind for _, without in self.left_out)
        counted = ", ".join(f"{count} {kind}s" for kind, count in left_out.items())
        return DustError(
            f"no two frames can be compared; left out: {counted}; for example: {why.what}",
            where=why.where,
            fix=why.fix,
        )

    def _groups(self) -> dict[tuple[str, str], list[str]]:
        """The names of what is left out, by kind and reason; values in a reason do not count."""
        groups: dict[tuple[str, str], list[str]] = {}
        reasons: dict[tuple[str, str], tuple[str, str]] = {}
        for scene, without in self.left_out:
            what = without.why.what
            alike = (without.kind, what.partition(":")[0])
            key = reasons.setdefault(alike, (without.kind, what))
            name = without.name if without.kind == "scene" else f"{scene}: {without.name}"
            groups.setdefault(key, []).append(name)
        return groups


def _some(names: list[str]) -> str:
    more = [f"and {len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return "; ".join([*names[:_NAMES], *more])
