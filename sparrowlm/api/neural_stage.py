"""The network's part of a training: plan, probes, loop, weights as they will be stored."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch

from sparrowlm.corpora.token_files import TokenSplit
from sparrowlm.foundation import atomic
from sparrowlm.foundation.hardware import Machine
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.network import Network
from sparrowlm.planner import plan as planning
from sparrowlm.planner.plan import Budget, Plan, Shape
from sparrowlm.planner.probe import LearningProbe, build_network, fastest_step, probe_learning
from sparrowlm.runtime.scoring import BITS_PER_NAT
from sparrowlm.training.batches import WindowBatches, evaluation_windows
from sparrowlm.training.loop import LoopResult, LoopSettings, Observer, TrainingLoop
from sparrowlm.training.objectives import NextIdObjective
from sparrowlm.training.optimizers import OptimizerSettings
from sparrowlm.training.schedule import Schedule

PLAN_FILE = "plan.json"
_CONTEXT_TOKENS = 128
_PROBE_SHARE = 0.02
_SHORTEST_PROBE_STEPS, _LONGEST_PROBE_STEPS = 8, 60
_MOST_EVALUATION_TOKENS = 16_384
# Weights times targets of a step from which more than one thread pays.
_WORK_FOR_ALL_CORES = 200_000_000
# A look at held-out text and a sample; seen on small networks, on two cores.
_SECONDS_PER_EVALUATION = 0.15


@dataclass(frozen=True, kw_only=True, slots=True)
class NeuralTask:
    """What the stage needs to know.

    Attributes:
        kind: "transformer", "lstm" or "rnn".
        train: training ids.
        held_out: held-out ids.
        vocab_size: V.
        budget: size, and seconds or steps.
        seed: the run's.
        machine: measured abilities.
        characters_per_token: of the held-out text, to turn nats into bits per character.
        floor_nats: the n-gram's loss per token on held-out text, None where not measured.
        ngram_bytes: its size.
        start: weights to start from, with their shape; None for fresh ones.
        recent_gain: share of the loss that the text so far takes away, see mixture_stage.
    """

    kind: str
    train: TokenSplit
    held_out: TokenSplit
    vocab_size: int
    budget: Budget
    seed: int
    machine: Machine
    characters_per_token: float
    floor_nats: float | None
    ngram_bytes: int
    start: tuple[Shape, dict[str, torch.Tensor]] | None = None
    recent_gain: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Precision of products."""
        is_bfloat16 = self.machine.precision == "bfloat16" and self.kind == "transformer"
        return torch.bfloat16 if is_bfloat16 else torch.float32


def make_plan(task: NeuralTask) -> Plan:
    """Probe machine and data, then decide.

    Raises:
        SettingError: the size or the memory does not suffice.
    """
    num_tokens = len(task.train.ids)
    context = max(min(_CONTEXT_TOKENS, num_tokens - 1), 1)
    shape = task.start[0] if task.start else _chosen_shape(task, context)
    window = shape.context_tokens if isinstance(shape, TransformerShape) else 128
    batch = planning.batch_windows(num_tokens, window)
    num_threads, seconds_per_step = fastest_step(
        shape, batch, min(window, num_tokens - 1), task.dtype, task.machine.num_cores
    )
    if task.budget.steps is not None:
        # What a clock says must not decide about the bits of a run that can be repeated.
        work = planning.work_per_token(shape) * batch * window
        num_threads = 1 if work < _WORK_FOR_ALL_CORES else task.machine.num_cores
    num_steps = _num_steps(task, shape, 0.9 * (task.budget.seconds or 60.0) / seconds_per_step)
    settings = _settings(task, shape, num_steps, num_threads)
    probe = _probe(task, shape, settings)
    if probe is not None:
        seconds_per_step = probe.seconds_per_step
        if task.budget.steps is None and task.budget.seconds is not None:
            num_steps = _num_steps(task, shape, task.budget.seconds / seconds_per_step)
            settings = _settings(task, shape, num_steps, num_threads)
    return _described(task, shape, settings, probe, seconds_per_step)


def _num_steps(task: NeuralTask, shape: Shape, fitting: float) -> int:
    if task.budget.steps is not None:
        return task.budget.steps
    most = planning.most_steps(len(task.train.ids), shape)
    return max(min(int(fitting), most), 1)


def _chosen_shape(task: NeuralTask, context: int) -> Shape:
    shapes = planning.candidates(task.kind, task.vocab_size, context, task.budget)
    shapes = planning.filled_by_text(shapes, len(task.train.ids))
    if len(shapes) == 1:
        return shapes[0]
    middle = shapes[len(shapes) // 3]
    window = context if task.kind == "transformer" else 128
    batch = planning.batch_windows(len(task.train.ids), window)
    window = min(window, len(task.train.ids) - 1)
    _threads, seconds = fastest_step(middle, batch, window, task.dtype, task.machine.num_cores)
    speed = planning.work_per_token(middle) * batch * window / seconds
    return planning.choose_shape(shapes, task.budget, speed)


def _settings(task: NeuralTask, shape: Shape, num_steps: int, num_threads: int) -> LoopSettings:
    settings = planning.loop_settings(shape, len(task.train.ids), num_steps, task.budget, task.seed)
    if task.start is not None:
        # Weights that already know something must not be shaken up by the full rate.
        gentle = dataclasses.replace(
            settings.optimizer,
            matrix_rate=settings.optimizer.matrix_rate * 0.3,
            other_rate=settings.optimizer.other_rate * 0.3,
        )
        settings = dataclasses.replace(settings, optimizer=gentle)
    return dataclasses.replace(settings, num_threads=num_threads)


def _probe(task: NeuralTask, shape: Shape, settings: LoopSettings) -> LearningProbe | None:
    """Learn shortly, twice; not where the run itself is as short, or nothing is held out."""
    probe_steps = min(max(int(settings.num_steps * _PROBE_SHARE), _SHORTEST_PROBE_STEPS),
                      _LONGEST_PROBE_STEPS)  # fmt: skip
    if settings.num_steps < 10 * probe_steps or len(task.held_out.ids) < 2 or task.start:
        return None
    short = dataclasses.replace(settings, num_steps=probe_steps, seconds=None)
    windows = evaluation_windows(task.held_out.ids, settings.window_tokens, 32)
    return probe_learning(shape, task.train.ids, windows, short, task.dtype)


def _described(
    task: NeuralTask,
    shape: Shape,
    settings: LoopSettings,
    probe: LearningProbe | None,
    seconds_per_step: float,
) -> Plan:
    batches = _batches(task, settings)
    num_tokens = settings.num_steps * batches.tokens_per_batch
    bits_per_nat = BITS_PER_NAT / task.characters_per_token
    expected = None
    if probe is not None:
        nats = expected_mixture_nats(probe, num_tokens, task.floor_nats)
        expected = nats * (1.0 - task.recent_gain) * bits_per_nat
    mapped = task.ngram_bytes + task.train.ids.nbytes
    ram_mib = planning.ram_mib(shape, settings, mapped)
    planning.refuse_too_little_ram(ram_mib, task.machine)
    stored = shape.num_parameters() * planning.BYTES_PER_STORED_WEIGHT
    return Plan(
        kind=task.kind,
        shape=shape,
        settings=settings,
        precision="bfloat16" if task.dtype == torch.bfloat16 else "float32",
        num_parameters=shape.num_parameters(),
        num_tokens=num_tokens,
        num_epochs=batches.epochs(settings.num_steps),
        predicted_seconds=min(
            settings.num_steps * seconds_per_step
            + settings.num_evaluations * _SECONDS_PER_EVALUATION,
            task.budget.seconds or float("inf"),
        ),
        predicted_ram_mib=ram_mib,
        predicted_file_bytes=stored + task.ngram_bytes,
        expected_bits_per_character=expected,
        floor_bits_per_character=(
            None if task.floor_nats is None else task.floor_nats * bits_per_nat
        ),
    )


def expected_mixture_nats(probe: LearningProbe, num_tokens: int, floor_nats: float | None) -> float:
    """Predict the mixture's loss from the probes and the n-gram's measured one.

    Where both experts are equally good the mixture gains most; the more one leads, the less the
    other adds. The constants were fitted on our own runs (docs/decisions).
    """
    # Four fifths of what the best expert has at the start stayed out of reach in our runs.
    alone = probe.expected_nats(num_tokens, 0.8 * min(probe.held_out_nats[1], floor_nats or 99.0))
    if floor_nats is None:
        return alone
    best, gap = min(alone, floor_nats), abs(alone - floor_nats)
    return best * (1 - 0.06 / (1 + (gap / (0.1 * best)) ** 2))


def _batches(task: NeuralTask, settings: LoopSettings) -> WindowBatches:
    return WindowBatches(
        task.train.ids,
        settings.window_tokens,
        settings.batch_windows,
        settings.seed,
        task.train.document_starts,
    )


def keep_plan(directory: Path, fingerprint: str, plan: Plan) -> None:
    """Write the plan down, so that a resumed run follows the same one."""
    record = {"fingerprint": fingerprint, **plan.record()}
    record["config"] = (
        plan.shape.hugging_face_config()
        if isinstance(plan.shape, TransformerShape)
        else plan.shape.sparrow_config()
    )
    atomic.write_json(directory / PLAN_FILE, record)


def kept_plan(directory: Path, fingerprint: str) -> Plan | None:
    """Read the plan of an earlier run of the same request; None where there is none."""
    path = directory / PLAN_FILE
    if not path.is_file():
        return None
    record = atomic.read_json(path)
    if record.pop("fingerprint", None) != fingerprint:
        return None
    shape = shape_from_config(record.pop("config"), path)
    settings = record.pop("settings")
    optimizer = settings.pop("optimizer")
    optimizer["adam_betas"] = tuple(optimizer["adam_betas"])
    loop = LoopSettings(
        optimizer=OptimizerSettings(**optimizer),
        schedule=Schedule(**settings.pop("schedule")),
        **settings,
    )
    record.pop("shape")
    return Plan(shape=shape, settings=loop, **record)


@dataclass(frozen=True)
class TrainedNetwork:
    """The outcome of the stage.

    Attributes:
        network: in evaluation mode, float32, weights rounded as they are stored.
        result: the loop's curve and figures.
    """

    network: Network
    result: LoopResult


def train_network(
    task: NeuralTask,
    plan: Plan,
    directory: Path,
    fingerprint: str,
    progress: Progress,
    stop: StopRequest,
    observe: Observer,
) -> TrainedNetwork:
    """Run the loop, from the newest checkpoint where there is one.

    Raises:
        StoppedBySignal: after saving.
    """
    network = build_network(plan.shape, task.seed, task.dtype)
    if task.start is not None:
        network.load_tensors(task.start[1], "--from")
    windows = None
    if len(task.held_out.ids) >= 2:
        most = max(_MOST_EVALUATION_TOKENS // plan.settings.window_tokens, 1)
        windows = evaluation_windows(task.held_out.ids, plan.settings.window_tokens, most)
    objective: NextIdObjective[Network] = NextIdObjective(_batches(task, plan.settings), windows)
    loop = TrainingLoop(network, objective, plan.settings, directory, fingerprint)
    loop.resume(progress.note)
    result = loop.run(progress, stop, observe)
    network.compute_dtype = torch.float32
    round_weights(network)
    return TrainedNetwork(network, result)


@torch.no_grad()
def round_weights(network: Network) -> None:
    """Round the weights to float16, the form they are stored in, so that figures are the file's."""
    for weight in network.parameters():
        weight.copy_(weight.clamp(-65_000, 65_000).half().float())
