"""Loosening that is not a line: easier data, another teacher, weaker protocols."""

from declared_specs import another_precision, exp_id, more_repeats, specs

from manipulations.case import case
from manipulations.clone import Clone

PROTECTED = "Protected values"
SMALL = "specs/profiles/small.yaml"
WORKLOAD = "specs/v1/workload.yaml"
DISTILL = "specs/v1/distill.yaml"
DIFF = "diff main HEAD"


@case(
    PROTECTED,
    "The profile's teacher has fewer blocks: a lower baseline.",
    DIFF,
    "teacher.network changes so that passing is easier",
)
def weaker_teacher(clone: Clone) -> None:
    clone.edit(SMALL, "enc_depth: 6", "enc_depth: 4")


@case(
    PROTECTED,
    "Latency is taken on other threads.",
    DIFF,
    "specs/profiles/small.yaml: threads changes so that passing is easier",
)
def other_threads(clone: Clone) -> None:
    clone.edit(SMALL, "threads: 2", "threads: 1")


@case(
    PROTECTED,
    "Fewer pairs of the workload are measured.",
    DIFF,
    "5 pairs cannot be quoted: a quotable profile measures 20",
)
def fewer_pairs(clone: Clone) -> None:
    clone.edit(SMALL, "workload_pairs: 20", "workload_pairs: 5")


@case(
    PROTECTED,
    "Students are chosen on fewer pairs.",
    DIFF,
    "validation_pairs changes so that passing is easier",
)
def fewer_validation_pairs(clone: Clone) -> None:
    clone.edit(SMALL, "validation_pairs: 64", "validation_pairs: 8")


@case(
    PROTECTED,
    "The runtime's floats have another precision.",
    DIFF,
    "specs/profiles/small.yaml: runtime changes so that passing is easier",
)
def other_precision(clone: Clone) -> None:
    clone.edit(SMALL, *another_precision())


@case(
    PROTECTED,
    "The profile may no longer be quoted, so that its lines bind nothing.",
    DIFF,
    "the profile small has executions and is not quotable",
)
def unquotable(clone: Clone) -> None:
    clone.edit(SMALL, "quotable: true", "quotable: false")


@case(
    PROTECTED,
    "The profile is unquotable for one pull request, and an executed task changes.",
    DIFF,
    f"K-1 was executed as {exp_id('K-1')} and changes (patience)",
)
def unquotable_for_once(clone: Clone) -> None:
    clone.edit(SMALL, "quotable: true", "quotable: false")
    clone.edit(DISTILL, "patience: 3", "patience: 5", after="    K-1:")


@case(
    PROTECTED,
    "A new quotable profile measures fewer pairs.",
    DIFF,
    "3 pairs cannot be quoted: a quotable profile measures 20",
)
def easier_profile(clone: Clone) -> None:
    text = clone.path(SMALL).read_text().replace("name: small", "name: easy")
    text = text.replace("workload_pairs: 20", "workload_pairs: 3")
    clone.path("specs/profiles/easy.yaml").write_text(text)


@case(
    PROTECTED,
    "The workload has other pairs.",
    DIFF,
    "specs/v1/workload.yaml: data.workload changes so that passing is easier",
)
def other_workload(clone: Clone) -> None:
    clone.edit(WORKLOAD, "scenes: [nexuiz/desertfactory, openarena/oa_dm3]",
               "scenes: [nexuiz/aneurysm, openarena/oa_dm3]")  # fmt: skip


@case(
    PROTECTED,
    "The workload's digest is that of easier pairs.",
    DIFF,
    "specs/v1/workload.yaml: data.workload changes so that passing is easier",
)
def other_workload_digest(clone: Clone) -> None:
    declared = specs().workload.data.workload.sha256
    clone.edit(WORKLOAD, str(declared), "0" * 64)


@case(PROTECTED, "Latency has fewer turns.", DIFF, "a median needs at least 50 repeats")
def fewer_turns(clone: Clone) -> None:
    clone.edit(WORKLOAD, more_repeats()[0], "repeats: 10")


@case(
    PROTECTED,
    "Intervals are drawn at a lower level.",
    DIFF,
    "spec.quality.confidence: found 0.5, expected more than 0.5",
)
def lower_confidence(clone: Clone) -> None:
    clone.edit(WORKLOAD, "confidence: 0.95", "confidence: 0.5")


@case(
    PROTECTED,
    "Another metric is the primary one.",
    DIFF,
    "absrel is not delta1: the lines bind delta1",
)
def other_primary(clone: Clone) -> None:
    clone.edit(WORKLOAD, "primary: delta1", "primary: absrel")


@case(
    PROTECTED,
    "Students lose less of the teacher than agreed.",
    DIFF,
    "common.student.depth changes so that passing is easier",
)
def smaller_cut(clone: Clone) -> None:
    depth = specs().common("K-1").student.depth
    clone.edit(DISTILL, f"{{depth: {depth},", f"{{depth: {depth - 0.1:.1f},")


@case(
    PROTECTED,
    "P-1 records a missed line instead of stopping.",
    DIFF,
    "P-1.on_failure changes so that passing is easier",
)
def records_instead(clone: Clone) -> None:
    clone.edit("specs/v1/prune.yaml", "on_failure: stop", "on_failure: record", after="    P-1:")


@case(
    PROTECTED,
    "ABL-1 stops nothing, and KQ-1 records instead of stopping.",
    DIFF,
    "KQ-1.on_failure changes so that passing is easier",
)
def records_instead_in_kq(clone: Clone) -> None:
    clone.edit("specs/v1/kq.yaml", "on_failure: stop", "on_failure: record", after="    KQ-1:")


@case(PROTECTED, "P-2 prunes less than agreed.", DIFF, "P-2.rho changes so that passing is easier")
def smaller_rho(clone: Clone) -> None:
    clone.edit("specs/v1/prune.yaml", "rho: 0.3", "rho: 0.15")
    now = exp_id("P-2")
    clone.edit("specs/v1/prune.yaml", now, now.replace("r030", "r015"))
    clone.edit("specs/v1/prune.yaml", "pruned_r030.pth]", "pruned_r015.pth]", after="    P-2:")
    clone.edit("specs/v1/prune.yaml", "pruned_r030.pth]", "pruned_r015.pth]", after="    P-3:")


@case(
    PROTECTED,
    "Validation has more pairs.",
    DIFF,
    "| `specs/profiles/full.yaml: validation_pairs` | **harder** |",
    code=0,
)
def more_validation_pairs(clone: Clone) -> None:
    clone.edit("specs/profiles/full.yaml", "validation_pairs: 1000", "validation_pairs: 2000")


@case(
    PROTECTED,
    "Students train on the workload.",
    DIFF,
    "specs/profiles/small.yaml: training.distill.shards changes so that passing is easier",
)
def training_on_the_workload(clone: Clone) -> None:
    shards = clone.path(SMALL).read_text()
    start = shards.index("    distill:")
    digest = shards[shards.index("sha256:", start) :].splitlines()[0]
    clone.edit(
        SMALL, "data/drawn256/manifest.json", "data/workload/manifest.json", after="    distill:"
    )
    workload = clone.path(WORKLOAD).read_text()
    clone.edit(
        SMALL, digest, workload[workload.index("sha256:") :].splitlines()[0], after="    distill:"
    )


@case(
    PROTECTED,
    "Students end on the workload.",
    DIFF,
    "specs/profiles/small.yaml: training.distill.then changes so that passing is easier",
)
def ending_on_the_workload(clone: Clone) -> None:
    workload = clone.path(WORKLOAD).read_text()
    digest = workload[workload.index("sha256:") :].splitlines()[0]
    stage = (
        "      then:\n"
        "        - {share: 0.1, pairs_per_epoch: 64, batch: 32, side: 512, patch_size: 32,\n"
        "           lr: 1.0e-4, weight_decay: 0.05, warmup: 0.05, autocast: bf16,\n"
        f"           shards: {{manifest: data/workload/manifest.json, {digest}}}}}\n"
    )
    before, distill, rest = clone.path(SMALL).read_text().partition("    distill:\n")
    recipe, qat, after = rest.partition("    qat:\n")
    first = recipe.partition("      then:\n")[0]
    clone.path(SMALL).write_text(before + distill + first + stage + qat + after)


_FULL = "specs/profiles/full.yaml"
_OPEN = "sha256: null, pairs: null, scenes: null"
_UNKNOWN = f"workload: {{manifest: data/full/workload/manifest.json, {_OPEN}}}"
_KNOWN = _UNKNOWN.replace(_OPEN, f'sha256: "{"2" * 64}", pairs: 20, scenes: [a/b]')


@case(
    PROTECTED,
    "The user's workload is filled in where nothing was agreed.",
    DIFF,
    "| `specs/profiles/full.yaml: data` | **as before** |",
    code=0,
)
def filled_in(clone: Clone) -> None:
    clone.edit(_FULL, _UNKNOWN, _KNOWN)


@case(
    PROTECTED,
    "A workload is filled in, and is another one than was declared.",
    DIFF,
    "| `specs/profiles/full.yaml: data` | **easier** |",
    code=0,
)
def filled_in_with_another(clone: Clone) -> None:
    clone.edit(_FULL, _UNKNOWN, _KNOWN.replace("full/workload", "full/easy"))
