"""The steps before a network is measured: calibrate, train, export."""

from pathlib import Path

from dust_compress.quantize.bias import correct_biases
from dust_compress.quantize.calibrate import calibration_run
from dust_compress.quantize.calibrated import calibration_folder, changed_once
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.objective import QatObjective
from dust_compress.quantize.origin import Origin
from dust_compress.train import Outcome
from dust_compress.train.distributed import device_of
from dust_compress.train.task_training import train_by, work_folder
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.quant import Policy, QatSchedule, QuantTask
from dust_core.network.model import Dust3r


def quantize_by(task: ResolvedTask, network: Dust3r, policy: Policy) -> None:
    """Calibrate a network in place, without later training.

    Raises:
        DustError: the calibration set is absent or too small, or the keep-list is wrong.
    """
    kept = calibration_folder(task, network, policy, _images(task)) / "corrected.pt"

    def correct() -> None:
        _calibrate(task, network, policy)
        if policy.bias_correction:
            correct_biases(network, calibration_run(task, _images(task)))

    changed_once(kept, network, policy, correct)
    network.to(device_of(task))


def train_quantized(task: ResolvedTask, network: Dust3r, policy: Policy) -> Outcome:
    """Calibrate a network and train it by the task's schedule, in place.

    Training learns the biases from the float network, so they are not corrected.

    Raises:
        DustError: see `quantize_by`; or the training was stopped.
    """
    own = task.task
    assert isinstance(own, QatSchedule)
    recipe = task.profile.training.qat
    folder = work_folder(task, recipe, network)
    _calibrate(task, network, policy)
    objective = QatObjective(network, own)
    outcome = train_by(task, recipe, objective, epochs=own.epochs, folder=folder)
    network.load_state_dict(outcome.weights)
    return outcome


def export_by(task: ResolvedTask, network: Dust3r, path: Path, origin: Origin) -> None:
    """Write a quantized network as a graph for the workload's images.

    Raises:
        DustError: the file cannot be written.
    """
    shape = task.workload.images
    network.to("cpu")
    export_int8(network, path, origin, height=shape.height, width=shape.width)


def experiment_of(task: ResolvedTask) -> str:
    """The name of a task's experiment."""
    assert task.exp_id is not None, "every task that quantizes is an experiment"
    return task.exp_id


def _calibrate(task: ResolvedTask, network: Dust3r, policy: Policy) -> None:
    kept = calibration_folder(task, network, policy, _images(task)) / "ranges.pt"

    def calibrate() -> None:
        network.to(device_of(task))
        quantize(network, policy, calibration_run(task, _images(task)))

    changed_once(kept, network, policy, calibrate)
    network.to(device_of(task))


def _images(task: ResolvedTask) -> int:
    assert isinstance(task.task, QuantTask)
    return task.task.calibration_images
