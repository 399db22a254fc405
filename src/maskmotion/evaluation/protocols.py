"""The four protocols: who contends, on what, and how it is measured (docs/evaluation.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from maskmotion.evaluation import measures
from maskmotion.evaluation.cases import Batch, Case
from maskmotion.evaluation.face_meter import Against
from maskmotion.evaluation.measures import L1_CHANGED, Measure, Output, against
from maskmotion.evaluation.results import BaselineRole, ContenderKind
from maskmotion.models.animator import Animation, Animator, SourceState, large

# Of a table, its forms: what each contender showed.
Shown = dict[str, dict[str, Output]]


@dataclass(frozen=True)
class Form:
    """A way to come to a picture.

    Attributes:
        kind, about: for the report.
        by_model: one contender for each model; else one in all.
        rivals: the forms that it is compared with.
        role: what a baseline does, by which metrics know those that cannot lose.
    """

    kind: ContenderKind
    about: str
    by_model: bool = True
    rivals: tuple[str, ...] = ()
    role: BaselineRole | None = None


@dataclass(frozen=True)
class Task:
    """A table of the report.

    Attributes:
        title, about: for the reader.
        forms: name -> form, in the table's order.
        measures: its columns.
        columns: what its sheets show before the contenders: title -> pictures of a batch.
        subject: in which pictures the models' masks find the subject, where no truth tells:
            "driving" frames, which the output should resemble, or the "output" itself.
        faces: as FaceMeter takes it.
    """

    title: str
    about: str
    forms: dict[str, Form]
    measures: tuple[Measure, ...]
    columns: dict[str, Callable[[Batch], Tensor | None]]
    subject: Literal["none", "driving", "output"] = "none"
    faces: Against | None = None


@dataclass(frozen=True)
class Run:
    """A model on one case; its source is encoded once."""

    model: Animator
    state: SourceState
    scale: float | None

    def mask(self, soft: Tensor) -> Tensor:
        """(B, 1, h, w) in [0, 1] -> (B, 1, S, S) bool, cut at the model's threshold."""
        return large(soft.float()) > self.model.config.threshold

    def animate(self, batch: Batch) -> Animation:
        return self.model.animate(self.state, batch.driving, scale=self.scale)


@dataclass(frozen=True)
class Protocol:
    """Cases, and what models and baselines make of them.

    Attributes:
        name, about: for the report.
        cases: at least one.
        tasks: by title.
        perform: pictures of a model's forms.
    """

    name: str
    about: str
    cases: Sequence[Case]
    tasks: dict[str, Task]
    perform: Callable[[Run, Batch], Shown]


REPEAT = "repeat the source"
REPEATED = Form(
    "baseline",
    "the source frame itself, whatever the driver does",
    by_model=False,
    role="repeat",
)


def contender_name(form: str, model: str | None) -> str:
    """What tables call a contender."""
    return form if model is None else f"{model}: {form}"


def repeated(batch: Batch) -> Output:
    """The baseline that no network is needed for."""
    return Output(batch.source.expand_as(batch.driving))


def pasted(picture: Tensor, alpha: Tensor, background: Tensor) -> Tensor:
    """The foreground of a picture over a background, by an alpha (B, 1, S, S) in [0, 1]."""
    return alpha * picture + (1 - alpha) * background


def _target(batch: Batch) -> Tensor:
    assert batch.target is not None
    return batch.target


def _swapped(batch: Batch) -> Tensor:
    assert batch.swapped is not None
    return batch.swapped


SEEN = {"source": lambda batch: batch.source, "driving": lambda batch: batch.driving}
TARGET = {"truth": lambda batch: batch.target}


# Reconstruction ----------------------------------------------------------------------------

RECONSTRUCTED, ANIMATED = "reconstructed", "animated"
SELF_PASTED = "reconstructed, pasted on the source by its mask"
SAME = "The clip from its first frame"


def reconstruction(cases: Sequence[Case]) -> Protocol:
    """The paper's evaluation: a clip's first frame in the poses of its other frames."""
    forms = {
        REPEAT: REPEATED,
        SELF_PASTED: Form(
            "baseline", "l's and h's picture inside m's mask, the source outside", role="paste"
        ),
        RECONSTRUCTED: Form(
            "model",
            "m's mask goes to l and h as it is: the paper's evaluation",
            rivals=(REPEAT, SELF_PASTED),
        ),
        ANIMATED: Form(
            "model", "as users run it: m's mask is perturbed and refined", rivals=(REPEAT,)
        ),
    }
    about = "Source: the first frame. Driver and truth: the later frames of the same clip."
    task = Task(
        *(SAME, about, forms, (*against(_target, "the clip's own frame"), L1_CHANGED), SEEN),
        faces="target",
    )

    def perform(run: Run, batch: Batch) -> Shown:
        moved = run.animate(batch)
        # As Animator.reconstruct, which would compute the driver's mask again.
        same = run.model.paint(run.state, moved.driving_mask)
        mask, cover = run.mask(moved.driving_mask), large(moved.driving_mask)
        return {
            SAME: {
                RECONSTRUCTED: Output(same.high_res, mask),
                SELF_PASTED: Output(pasted(same.high_res, cover, batch.source), mask),
                ANIMATED: Output(moved.high_res, run.mask(moved.refined_mask)),
            }
        }

    return Protocol(
        "reconstruction",
        "Each clip is rebuilt from its first frame and its own motion, as the paper evaluates. "
        "It tells how well a model paints what it has seen move; not how well it gives one's "
        "motion to another.",
        cases,
        {SAME: task},
        perform,
    )


# Cross -------------------------------------------------------------------------------------

MOVED_PASTED = "animated, pasted on the source by its mask"
CROSSED = "In another's motion"
MOVED_FORMS = {
    REPEAT: REPEATED,
    MOVED_PASTED: Form(
        "baseline", "the animated picture inside its mask, the source outside", role="paste"
    ),
    ANIMATED: Form("model", "as users run it", rivals=(REPEAT, MOVED_PASTED)),
}


def _moves(run: Run, moved: Animation, source: Tensor) -> dict[str, Output]:
    """An animation, and pasted on its source (1, 3, S, S)."""
    mask, alpha = run.mask(moved.refined_mask), large(moved.refined_mask)
    return {
        ANIMATED: Output(moved.high_res, mask),
        MOVED_PASTED: Output(pasted(moved.high_res, alpha, source), mask),
    }


def cross(cases: Sequence[Case]) -> Protocol:
    """Sources in the motion of other identities; there is no truth."""
    columns = (
        measures.BACKGROUND_KEPT,
        measures.FLICKER,
        measures.POSE_IOU,
        measures.STILL_IOU,
    )
    about = (
        "Source: a clip's first frame. Driver: a clip of another identity. Nobody knows the true "
        "picture; a subject is where the mask generator of any of the models finds it, in every "
        "contender's pictures."
    )
    task = Task(CROSSED, about, MOVED_FORMS, columns, SEEN, subject="output", faces="driving")

    def perform(run: Run, batch: Batch) -> Shown:
        return {CROSSED: _moves(run, run.animate(batch), batch.source)}

    return Protocol(
        "cross",
        "Each source is driven by another identity, as in use. Without truth, what is measured is "
        "what should stay (background, identity) and what should follow (pose).",
        cases,
        {CROSSED: task},
        perform,
    )


# Truth -------------------------------------------------------------------------------------

SWAPPED = "swapped"
PASTED = "animated, pasted on the new background by its mask"
TRUE_PASTED = "animated, pasted by the true mask"
THAT_MOTION, ELSEWHERE = "This person in that motion", "This person in that motion, elsewhere"
SWAP_FORMS = {
    REPEAT: REPEATED,
    PASTED: Form(
        "baseline", "the animated picture over the new background by its mask", role="paste"
    ),
    SWAPPED: Form(
        "model", "BGBase and BGRefine put it on the new background", rivals=(REPEAT, PASTED)
    ),
}


def _swaps(run: Run, moved: Animation, background: Tensor) -> dict[str, Output]:
    """An animation on a new background (1, 3, S, S): pasted, and swapped where the model can."""
    mask, alpha = run.mask(moved.refined_mask), large(moved.refined_mask)
    shown = {PASTED: Output(pasted(moved.high_res, alpha, background), mask)}
    if run.model.background_base is not None:
        state = run.model.encode_background(background, same_class=False)
        swap = run.model.swap_background(moved.high_res, moved.refined_mask, state)
        shown[SWAPPED] = Output(swap.refined, mask)
    return shown


def truth(cases: Sequence[Case]) -> Protocol:
    """Rendered people: this person doing that motion, which was rendered too."""
    moved_forms = MOVED_FORMS | {
        TRUE_PASTED: Form(
            "bound",
            "the animated picture inside the true alpha, the true empty scene, without shadow, "
            "outside: what a perfect mask would bring with the same painting",
        ),
    }
    swapped_forms = SWAP_FORMS | {
        TRUE_PASTED: Form(
            "bound", "the animated picture over the new background by the true alpha"
        ),
    }
    truth_is = (
        "Truth: the same person, rendered doing the driver's motion. Source: that person in "
        "another pose. Driver: another person, in another scene. All cameras stand still."
    )
    ious = (measures.MASK_IOU, measures.DRIVER_IOU)
    tasks = {
        THAT_MOTION: Task(
            *(THAT_MOTION, truth_is, moved_forms),
            (*against(_target, "the truth"), L1_CHANGED, *ious),
            SEEN | TARGET,
        ),
        ELSEWHERE: Task(
            *(ELSEWHERE, truth_is + " The truth stands before a third scene.", swapped_forms),
            (*against(_swapped, "the truth"), measures.SEAM_TRUE, measures.FAR_PSNR),
            SEEN | {"background": lambda b: b.background, "truth": lambda b: b.swapped},
        ),
    }

    def perform(run: Run, batch: Batch) -> Shown:
        moved = run.animate(batch)
        true, plate, scene = batch.target_alpha, batch.plate, batch.background
        assert true is not None
        assert plate is not None
        assert scene is not None
        true_mask = true > 0.5
        here, there = _moves(run, moved, batch.source), _swaps(run, moved, scene)
        here[TRUE_PASTED] = Output(pasted(moved.high_res, true, plate), true_mask)
        there[TRUE_PASTED] = Output(pasted(moved.high_res, true, scene), true_mask)
        return {THAT_MOTION: here, ELSEWHERE: there}

    return Protocol(
        "truth",
        "Rendered people give what no camera can: the picture of this person doing that motion. "
        "The command that renders training sets makes none of these cases.",
        cases,
        tasks,
        perform,
    )


# Background --------------------------------------------------------------------------------

GIVEN = "On a given scene"


def background(cases: Sequence[Case]) -> Protocol:
    """Real clips put on given scenes, driven by themselves."""
    columns = (
        measures.FAR_PSNR,
        measures.SEAM_RING,
        measures.SHOW_THROUGH,
        measures.SUBJECT,
    )
    about = (
        "Source: a clip's first frame. Driver: the same clip. The subject is where the mask "
        "generator of any of the models finds it in the driver's frame, for all contenders."
    )
    scene = {"new background": lambda batch: batch.background}
    task = Task(GIVEN, about, SWAP_FORMS, columns, SEEN | scene, subject="driving")

    def perform(run: Run, batch: Batch) -> Shown:
        assert batch.background is not None
        return {GIVEN: _swaps(run, run.animate(batch), batch.background)}

    return Protocol(
        "background",
        "Real clips are put on given scenes. It tells how much of the new background survives, "
        "how clean the seam is, and how much of the old background still shows.",
        cases,
        {GIVEN: task},
        perform,
    )
