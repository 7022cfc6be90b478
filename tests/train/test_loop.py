import copy
import json
from itertools import count

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import map_action
from pipeline.model.determinism import reproducible
from pipeline.model.loss import bce
from pipeline.model.normalize import as_clips
from pipeline.train import loop
from pipeline.train.assemble import assemble
from pipeline.train.batches import shuffled
from pipeline.train.data import Pick
from pipeline.train.distributed import DistributedContext
from pipeline.train.experiment import make_learner, open_data, renew_forms
from pipeline.train.loop import NOT_FINITE, STATE, Run, fit
from pipeline.train.optimizer import batch_norms
from pipeline.train.schedule import learning_rate
from pipeline.train.state import Progress, load_state
from tests.train.memory import held


class Stopped(Exception):  # noqa: N818  an event, no error
    """A run that is stopped in the middle."""


@pytest.fixture(scope="module")
def setup(miniature, design, small, alone, tmp_path_factory):
    """A fresh learner with its data and run; values of `train` may be changed. A run without a name is a new one."""

    def make(folder=None, *, minutes=60.0, **changes):
        train = small.train.model_copy(update=changes)
        model, _, _ = assemble(miniature.inputs, design, seed=7)
        run = Run(
            train=train, frames=design.frames, seed=7, loss=bce, metrics={"map_action": map_action}, context=alone,
            workers=0, folder=root / (folder or str(next(numbers))), checkpoint_minutes=minutes,
        )  # fmt: skip
        run.folder.mkdir(exist_ok=True)
        data = open_data(miniature.inputs, actions=3, frames=design.frames, train=train, seed=7, with_sounds=False)
        return make_learner(model, train, alone), data, run

    root, numbers = tmp_path_factory.mktemp("runs"), count()
    return make


def ignore(_):
    """What to do where nothing is to be done."""


def bits(learner):
    """Everything that a learner is, as bytes."""
    state = {**learner.model.state_dict(), **(learner.average.state_dict() if learner.average else {})}
    momenta = [learner.optimizer.state[weight]["momentum_buffer"] for weight in learner.model.parameters()]
    return [tensor.numpy().tobytes() for tensor in (*state.values(), *momenta)]


def test_an_epoch_is_plain_sgd_written_out(setup):
    """The loop against a literal one: the same examples, gradients by autograd, Nesterov's update by hand.

    The network in float64: where a batch norm sees four small clips, the rounding of float32 grows to thousandths of a
    weight within three steps.
    """
    learner, data, run = setup(epochs=1, weight_decay=0.0, precise_bn_batches=0)
    learner.model.double().register_forward_pre_hook(lambda _, inputs: (inputs[0].double(), *inputs[1:]))
    model = copy.deepcopy(learner.model)
    weights, train = list(model.parameters()), run.train
    velocity = [torch.zeros_like(weight) for weight in weights]
    batches = shuffled(12, 4, seed=7, purpose="train", epoch=0)
    losses = []
    model.train()
    for number, batch in enumerate(batches):
        examples = [data.training[pick] for pick in batch]
        clips = as_clips(torch.stack([example.pictures for example in examples]), run.frames)
        targets = torch.stack([example.targets for example in examples]).float()
        loss = F.binary_cross_entropy_with_logits(model(clips).float(), targets)
        losses.append(loss.item())
        rate = learning_rate(number / len(batches), train)
        with torch.no_grad():
            for weight, speed, gradient in zip(weights, velocity, torch.autograd.grad(loss, weights), strict=True):
                speed.mul_(train.momentum).add_(gradient)
                weight.sub_(rate * (gradient + train.momentum * speed))
    progress = fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    assert progress.history[0]["train/loss"] == pytest.approx(np.mean(losses), rel=1e-7)
    for name, weight in learner.model.named_parameters():
        torch.testing.assert_close(weight, dict(model.named_parameters())[name], rtol=1e-7, atol=1e-9)


def test_a_scaled_loss_is_the_rate_times_the_scale_and_the_decay_through_it(setup):
    """By a power of two, so that nothing is rounded otherwise; the curves show the loss as it is."""
    plain, data, run = setup(epochs=1, weight_decay=0.04, learning_rate=0.02)
    scaled, _, other = setup(epochs=1, weight_decay=0.16, learning_rate=0.005, loss_scale=4.0)
    histories = [
        fit(learner, data, one, on_epoch_start=ignore, log=ignore).history
        for learner, one in ((plain, run), (scaled, other))
    ]
    for name, weight in plain.model.state_dict().items():
        assert torch.equal(weight, scaled.model.state_dict()[name]), name
    assert histories[0][0]["train/loss"] == histories[1][0]["train/loss"]


def test_training_learns(setup):
    """By far: rounding sends a run of so few videos another way, as another seed would.

    Over six seeds the losses fell to 0.39 of what they were or less, and the metric reached 78 or more.
    """
    learner, data, run = setup(epochs=20, learning_rate=0.02, milestones=(16,), validate_every=20)
    history = fit(learner, data, run, on_epoch_start=ignore, log=ignore).history
    losses = [record["train/loss"] for record in history]
    assert np.median(losses[-6:]) < 0.6 * max(losses[:3])
    assert history[-1]["val/map_action"] > 65  # a stripe's direction tells two actions of three; chance is 44


@pytest.fixture(scope="module")
def straight(setup):
    """Learners and histories of runs that nothing stopped, by their decay of averaged weights."""
    ended = {}

    def of(ema):
        if ema not in ended:
            learner, data, run = setup(f"straight-{ema}", ema=ema)
            history = fit(learner, data, run, on_epoch_start=ignore, log=ignore).history
            ended[ema] = (bits(learner), history, (run.folder / STATE).read_bytes())
        return ended[ema]

    return of


def test_the_same_run_gives_the_same_bits(setup, straight):
    learner, data, run = setup()
    history = fit(learner, data, run, on_epoch_start=ignore, log=ignore).history
    assert (bits(learner), history) == straight(None)[:2]


@pytest.mark.parametrize(("steps", "ema"), [(1, None), (3, 0.5), (5, None), (8, 0.5)])
def test_a_run_stopped_anywhere_goes_on_with_the_same_bits(setup, straight, monkeypatch, steps, ema):
    folder = f"stopped-{steps}"
    stopped = setup(folder, ema=ema, minutes=1e-9)
    left = [steps]

    def stop_before(*args):
        if left[0] == 0:
            raise Stopped
        left[0] -= 1
        return step(*args)

    step = loop.step
    with monkeypatch.context() as patch:
        patch.setattr(loop, "step", stop_before)
        with pytest.raises(Stopped):
            fit(*stopped, on_epoch_start=ignore, log=ignore)

    learner, data, run = setup(folder, ema=ema)
    place = load_state(run.folder / STATE, setup(folder, ema=ema)[0])
    assert (place.epoch, place.step) == divmod(steps, 3)
    history = fit(learner, data, run, on_epoch_start=ignore, log=ignore).history
    assert (bits(learner), history, (run.folder / STATE).read_bytes()) == straight(ema)


def test_records_of_the_interrupted_part_are_logged_again(setup):
    records = []
    with pytest.raises(Stopped):
        fit(*setup("logged"), on_epoch_start=ignore, log=lambda record: stop_after(records, record, 2))
    again = []
    history = fit(*setup("logged"), on_epoch_start=ignore, log=again.append).history
    assert records == again[:2]
    assert list(history) == again
    assert [sorted(record) for record in again] == [
        ["train/learning_rate", "train/loss"],
        ["train/learning_rate", "train/loss", "val/loss", "val/map_action"],
        ["train/learning_rate", "train/loss", "val/loss", "val/map_action"],
    ]


def stop_after(records, record, count):
    records.append(record)
    if len(records) == count:
        raise Stopped


def test_a_finished_run_is_not_trained_again(setup, monkeypatch):
    first = fit(*setup("finished"), on_epoch_start=ignore, log=ignore)
    monkeypatch.setattr(loop, "step", None)
    assert fit(*setup("finished"), on_epoch_start=ignore, log=ignore) == first


def test_forms_are_renewed_at_the_beginning_of_each_epoch(setup):
    epochs = []
    fit(*setup(), on_epoch_start=epochs.append, log=ignore)
    assert epochs == [0, 1, 2]


def test_forms_drawn_anew_replace_the_models(setup, miniature, design):
    lexicon = design.lexicon.model_copy(update={"draw": "resample"})
    again = design.__class__(**vars(design) | {"lexicon": lexicon})
    learner, _, _ = setup(ema=0.9)
    _, forms, _ = assemble(miniature.inputs, again, seed=7)
    for epoch in range(3):
        renew_forms(learner, forms, epoch)
        for model in (learner.model, learner.result):
            held = {name: buffer for name, buffer in model.named_buffers() if name.endswith("audio.forms")}
            assert [torch.equal(buffer, forms.audio(epoch)) for buffer in held.values()] == [True]


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_videos(setup):
    learner, data, run = setup()
    batches = shuffled(12, 4, seed=7, purpose="train", epoch=0)
    before = []

    def explode(logits_BN, targets_BN):
        if len(before) == 1:
            return logits_BN.sum() * float("nan")
        before.append([weight.detach().clone() for weight in learner.model.parameters()])
        return bce(logits_BN, targets_BN)

    run = Run(**vars(run) | {"loss": explode})
    with pytest.raises(PlainError, match=r"not a finite number in epoch 1, step 2; .*not_finite\.json"):
        fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    note = json.loads((run.folder / NOT_FINITE).read_text())
    assert note["videos"] == sorted(f"v{pick.row:02d}" for pick in batches[1])
    assert (note["epoch"], note["step"]) == (0, 1)
    assert all(torch.isfinite(weight).all() for weight in learner.model.parameters())


@pytest.mark.parametrize("minutes", [60.0, 1e-9])
def test_weights_that_are_not_finite_end_the_run_and_are_not_saved(setup, minutes):
    """The loss of the last step of an epoch is finite, and its gradients are not: a rerun ends in the same way."""
    learner, data, run = setup(minutes=minutes)
    steps = len(shuffled(12, 4, seed=7, purpose="train", epoch=0))

    class Explode(torch.autograd.Function):
        @staticmethod
        def forward(context, logits):
            return logits.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * float("inf")

    taken = []

    def loss(logits_BN, targets_BN):
        taken.append(1)
        return bce(Explode.apply(logits_BN) if len(taken) == 2 * steps else logits_BN, targets_BN)

    with pytest.raises(PlainError, match="a weight is not a finite number after epoch 2: lower"):
        fit(learner, data, Run(**vars(run) | {"loss": loss}), on_epoch_start=ignore, log=ignore)
    assert not all(torch.isfinite(weight).all() for weight in learner.model.parameters())
    fresh, _, _ = setup()
    progress = load_state(run.folder / STATE, fresh)
    assert (progress.epoch, progress.step) == ((1, 0) if minutes == 60.0 else (1, steps - 1))


def test_a_batch_larger_than_the_data_is_an_error(setup):
    with pytest.raises(PlainError, match=r"train\.batch is 13, but there are only 12 training videos"):
        fit(*setup(batch=13), on_epoch_start=ignore, log=ignore)


def test_a_batch_that_cannot_be_shared_evenly_is_an_error(setup):
    learner, data, run = setup(batch=3)
    run = Run(**vars(run) | {"context": DistributedContext(rank=0, size=2, device=torch.device("cpu"))})
    with pytest.raises(PlainError, match=r"train\.batch is 3, which 2 processes cannot share evenly"):
        fit(learner, data, run, on_epoch_start=ignore, log=ignore)


def test_gradients_are_clipped(setup):
    """With a tiny bound on the gradient's norm, no step is longer than rate x bound (no momentum, no decay)."""
    learner, data, run = setup(
        epochs=1, gradient_clip=1e-3, momentum=0.0, nesterov=False, weight_decay=0.0, learning_rate=1.0, milestones=()
    )
    start = torch.cat([weight.detach().flatten().clone() for weight in learner.model.parameters()])
    fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    end = torch.cat([weight.detach().flatten() for weight in learner.model.parameters()])
    assert 0 < (end - start).norm() <= 3 * 1e-3 * 1.001


def test_averaged_weights_are_the_result(setup):
    """Decay 0.5 over three steps: w1 once, then halves."""
    learner, data, run = setup(epochs=1, ema=0.5, precise_bn_batches=0)
    seen = []
    update = learner.average.update_parameters

    def watching(model):
        seen.append([weight.detach().clone() for weight in model.parameters()])
        update(model)

    learner.average.update_parameters = watching
    fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    for number, weight in enumerate(learner.result.parameters()):
        first, second, third = (weights[number] for weights in seen)
        torch.testing.assert_close(weight, ((first + second) / 2 + third) / 2)
    assert learner.result is not learner.model


def test_frozen_batch_norm_keeps_its_statistics(setup):
    learner, data, run = setup(epochs=1, freeze_batch_norm=True)
    before = [norm.running_mean.clone() for norm in batch_norms(learner.model)]
    fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    for norm, mean in zip(batch_norms(learner.model), before, strict=True):
        assert torch.equal(norm.running_mean, mean)


def test_a_frozen_backbone_stays_as_it_came_and_the_heads_learn(setup):
    learner, data, run = setup(epochs=2, freeze_backbone=True)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    after = learner.result.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("backbone.")} <= same
    learnt = {name for name, _ in learner.model.named_parameters() if not name.startswith("backbone.")}
    assert learnt
    assert not learnt & same


def test_precise_batch_norm_is_measured_where_it_is_used(setup, monkeypatch):
    measured = []
    monkeypatch.setattr(loop, "measure", lambda model, examples, epoch, run: measured.append(epoch))
    fit(*setup(epochs=5, validate_every=2), on_epoch_start=ignore, log=ignore)
    assert measured == [1, 3, 4]  # before each look at the validation videos, and before the end


def test_validation_sees_each_video_once(setup):
    learner, data, run = setup()
    seen = {}

    def metric(scores, targets):
        seen["scores"], seen["targets"] = scores, targets
        return 1.0

    record = loop.validate(learner.model, data.validation, Run(**vars(run) | {"metrics": {"own": metric}}))
    assert record.keys() == {"val/loss", "val/own"}
    expected = np.stack([data.validation.target(row) for row in range(7)])
    assert np.array_equal(seen["targets"], expected)
    with torch.no_grad():
        pictures = [data.validation[Pick(row, 0)].pictures for row in range(7)]
        alone = [learner.model(as_clips(picture[None], run.frames)) for picture in pictures]
    np.testing.assert_allclose(seen["scores"], torch.cat(alone).sigmoid().numpy(), rtol=1e-4)
    assert record["val/loss"] == pytest.approx(bce(torch.cat(alone), torch.from_numpy(expected)).item(), rel=1e-4)


def test_validation_lets_each_batch_of_the_loader_go(setup):
    """Else a large validation split has more open files than a process may have."""
    learner, data, run = setup(batch=1)
    kept = []

    def metric(scores, targets):
        kept.append(len(held(children=False)))
        return 1.0

    loop.validate(learner.model, data.validation, Run(**vars(run) | {"metrics": {"own": metric}, "workers": 1}))
    assert kept[0] <= 3  # pictures, targets and rows of the last of seven


class Late(DistributedContext):
    """A CPU that is treated as a GPU is: a fused update, the loss's check on the device, losses read a step late."""

    late = True


@pytest.fixture(scope="module")
def late(setup, miniature, design):
    """As `setup`, in such a context."""

    def make(folder=None, **changes):
        _, data, run = setup(folder, **changes)
        context = Late(rank=0, size=1, device=torch.device("cpu"))
        model, _, _ = assemble(miniature.inputs, design, seed=7)
        return make_learner(model, run.train, context), data, Run(**vars(run) | {"context": context})

    return make


def test_losses_that_are_read_late_are_the_same(late, straight, monkeypatch):
    """To the fused update's rounding; each is read once, after the next step was asked for."""
    order, step, loss = [], loop.step, loop.LateLoss

    class Watched(loss):
        def read(self):
            order.append("read")
            return super().read()

    def watched(*args):
        order.append("step")
        return step(*args)

    monkeypatch.setattr(loop, "LateLoss", Watched)
    monkeypatch.setattr(loop, "step", watched)
    history = fit(*late(epochs=1), on_epoch_start=ignore, log=ignore).history
    assert order == ["step", "step", "read", "step", "read", "read"]
    assert history[0]["train/loss"] == pytest.approx(straight(None)[1][0]["train/loss"], rel=1e-5)


def test_a_late_run_that_is_stopped_goes_on_with_the_same_bits(late, monkeypatch):
    whole, data, run = late()
    fit(whole, data, run, on_epoch_start=ignore, log=ignore)
    step, left = loop.step, [4]

    def stop_before(*args):
        if not left[0]:
            raise Stopped
        left[0] -= 1
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "step", stop_before)
        with pytest.raises(Stopped):
            fit(*late("late", minutes=1e-9), on_epoch_start=ignore, log=ignore)
    learner, data, run = late("late")
    fit(learner, data, run, on_epoch_start=ignore, log=ignore)
    assert bits(learner) == bits(whole)


@pytest.mark.parametrize("minutes", [60.0, 1e-9])
def test_a_loss_that_is_not_finite_is_found_late_and_still_named(late, minutes):
    """At the same step where a checkpoint is due as where none is: other processes have clocks of their own."""
    learner, data, run = late(minutes=minutes)
    batches, seen = shuffled(12, 4, seed=7, purpose="train", epoch=0), []

    def explode(logits_BN, targets_BN):
        seen.append([weight.detach().clone() for weight in learner.model.parameters()])
        return bce(logits_BN, targets_BN) * (float("nan") if len(seen) == 2 else 1.0)

    with pytest.raises(PlainError, match="not a finite number in epoch 1, step 2;"):
        fit(learner, data, Run(**vars(run) | {"loss": explode}), on_epoch_start=ignore, log=ignore)
    note = json.loads((run.folder / NOT_FINITE).read_text())
    assert note["videos"] == sorted(f"v{pick.row:02d}" for pick in batches[1])
    assert len(seen) == 3  # the next step was asked for before
    assert all(torch.equal(one, same) for one, same in zip(seen[1], seen[2], strict=True))


@pytest.mark.cuda
@pytest.mark.parametrize("mixed", [False, True])
def test_on_cuda_too_the_same_run_gives_the_same_bits(setup, miniature, design, straight, mixed):
    """Every operation has a deterministic form there; in float32 the first epoch's loss is the CPU's."""
    context, ended = DistributedContext(rank=0, size=1, device=torch.device("cuda", 0)), []
    with reproducible(threads=1):
        for _ in range(2):
            _, data, run = setup(mixed_precision=mixed)
            model, _, _ = assemble(miniature.inputs, design, seed=7)
            learner = make_learner(model, run.train, context)
            history = fit(
                learner, data, Run(**vars(run) | {"context": context}), on_epoch_start=ignore, log=ignore
            ).history
            ended.append(([weight.tobytes() for weight in numpy_weights(learner)], history))
    assert ended[0] == ended[1]
    assert history[0]["train/loss"] == pytest.approx(straight(None)[1][0]["train/loss"], rel=0.05 if mixed else 1e-3)


def numpy_weights(learner):
    return [weight.detach().cpu().numpy() for weight in learner.model.parameters()]


def test_progress_of_a_fresh_run_is_nothing(setup):
    learner, _, run = setup()
    assert load_state(run.folder / STATE, learner) == Progress()
