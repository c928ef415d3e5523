"""What makes a stored result provable: it agrees with the specs, with the other results, and with
what git and dvc.lock recorded. `dust validate` and `dust gate` ask the same questions here."""

from dust_core.declared.records.proof.evidence import Evidence, Kind, Stored, Unproven, Written
from dust_core.declared.records.proof.gather import evidence_of, gathered, recorded_outputs
from dust_core.declared.records.proof.questions import faults_of, unproven

__all__ = [
    "Evidence",
    "Kind",
    "Stored",
    "Unproven",
    "Written",
    "evidence_of",
    "faults_of",
    "gathered",
    "recorded_outputs",
    "unproven",
]
