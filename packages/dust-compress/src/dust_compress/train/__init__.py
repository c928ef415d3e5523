"""The trainer: teacher, students, quantization-aware training and fine-tuning after pruning."""

from dust_compress.train.loop import Objective, Outcome, Validation, train
from dust_compress.train.plan import TrainingPlan

__all__ = ["Objective", "Outcome", "TrainingPlan", "Validation", "train"]
