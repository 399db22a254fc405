"""Warnings in words: what the numbers of a run's last steps say about its health."""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

WINDOW = 50  # steps whose mean is judged: single ones say little
SATURATED = 0.95  # mask_mean; healthy runs: 0.2, saturated ones: 0.99
VANISHED = 0.02
CONTRAST = 0.03  # |mask_sign|; healthy runs: above 0.1 after 50 steps, saturated ones: 0.004
RISEN = 1.4  # over its lowest; healthy runs: up to 1.1, where masks became thumbnails: 1.7, 2.2
STARVED = 0.2  # of the time
# r's loss is not among them: it is low on empty masks, and rises as they fill.
LOSSES = ("low_res", "high_res", "motion", "background_base", "background_refiner")
MOTION_START = (
    "start anew with clips whose camera stands still, and a motion start (motion.weight and "
    "motion.alone_samples, as in the preset tiny)"
)


class Symptom(NamedTuple):
    """What is wrong at a step.

    patience is how many steps it must last before a word is said, and be away before it has passed.
    """

    name: str
    patience: int
    sentence: str
    passed: str


@dataclass
class _Course:
    """A symptom over time: `held` goes up with each step that shows it, and down with others."""

    symptom: Symptom
    since: int
    held: int = 0
    told: bool = False


class Health:
    """Says what is wrong with a run, once, and when it has passed.

    Args:
        refiner_epoch: before it masks on the background are no fault; their sign is still open.
    """

    def __init__(self, refiner_epoch: int) -> None:
        self.refiner_epoch = refiner_epoch
        self.recent: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self.lowest: dict[str, float] = {}
        self.courses: dict[str, _Course] = {}

    def step(self, entry: Mapping[str, float]) -> list[str]:
        """Look at a step.

        Args:
            entry: its line in the log: step, epoch, step_s, waited_s, losses, mask statistics.
        Returns:
            Sentences worth reading; mostly none.
        """
        self.recent.append(entry)
        if len(self.recent) < WINDOW:
            return []
        names = set.intersection(*map(set, self.recent))
        means = {name: sum(e[name] for e in self.recent) / WINDOW for name in names}
        masks = self._of_masks(means, entry["epoch"] >= self.refiner_epoch)
        symptoms = [*masks, *self._of_losses(means), *_waits(means)]
        return list(self._words(int(entry["step"]), symptoms))

    def _words(self, step: int, symptoms: list[Symptom]) -> Iterator[str]:
        for symptom in symptoms:
            self.courses.setdefault(symptom.name, _Course(symptom, step)).symptom = symptom
        for name, course in list(self.courses.items()):
            symptom = course.symptom
            course.held = min(course.held + (1 if symptom in symptoms else -1), symptom.patience)
            if course.held == symptom.patience and not course.told:
                course.told = True
                yield f"step {step}: {symptom.sentence} (since step {course.since})"
            if course.held == 0:
                del self.courses[name]
                if course.told:
                    yield f"step {step}: {symptom.passed}"

    def _of_masks(self, means: Mapping[str, float], settled: bool) -> Iterator[Symptom]:
        mean, sign = means["mask_mean"], means["mask_sign"]
        if sign <= -CONTRAST and settled:
            yield Symptom(
                "background",
                200,
                f"the masks lie on the background (mask_sign {sign:.2f}), and their sign is not "
                "turned any more; start anew with a motion start (motion.weight) or a later "
                "schedule.refiner_epoch",
                "the masks no longer lie on the background",
            )
        if abs(sign) >= CONTRAST:
            return
        if mean > SATURATED:
            yield Symptom(
                "saturated",
                50,
                f"the masks are {mean:.2f} nearly everywhere: they saturate, and tell no object "
                f"from its background; {MOTION_START}",
                "the masks no longer saturate",
            )
        elif mean < VANISHED:
            yield Symptom(
                "vanished",
                50,
                f"the masks are {mean:.2f} nearly everywhere: the object vanished from them; "
                f"{MOTION_START}",
                "the object is back in the masks",
            )
        else:
            yield Symptom(
                "flat",
                500,  # without a motion start masks take long to find anything
                "the masks are alike on what moves and on what stands still (mask_sign "
                f"{sign:.2f}): they found no object; {MOTION_START}",
                "the masks tell what moves from what stands still",
            )

    def _of_losses(self, means: Mapping[str, float]) -> Iterator[Symptom]:
        for name in LOSSES:
            if name not in means:
                continue
            mean = means[name]
            lowest = self.lowest[name] = min(mean, self.lowest.get(name, math.inf))
            if mean > RISEN * lowest:
                remedy = "a lower schedule.learning_rate"
                if name == "motion":
                    remedy = "motion.only=true or a higher motion.weight"
                yield Symptom(
                    f"risen {name}",
                    25,
                    f"the loss {name} rises: {lowest:.3g} before, {mean:.3g} now; if it does not "
                    f"come down, start anew with {remedy}",
                    f"the loss {name} has come down",
                )


def _waits(means: Mapping[str, float]) -> Iterator[Symptom]:
    share = means["waited_s"] / means["step_s"]
    if share > STARVED:
        yield Symptom(
            "starved",
            100,
            f"{share:.0%} of the time goes into waiting for clips; pack them (maskmotion data "
            "pack), set data.cache to a folder on a faster disk, or lower data.pair_candidates",
            "clips are read as fast as they are needed",
        )
