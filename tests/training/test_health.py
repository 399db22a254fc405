"""Warnings: silent in runs that go well, in words where the numbers are those of bad ones."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from maskmotion.training.health import Health

Entry = dict[str, float]
Course = Callable[[int], Entry]


def entry(step: int, **numbers: float) -> Entry:
    """A step of a healthy run, but for `numbers`."""
    healthy = {"epoch": 0, "mask_mean": 0.22, "mask_sign": 0.5, "low_res": 80, "motion": 5}
    return {"step": step, "step_s": 1.0, "waited_s": 0.0} | healthy | numbers


def words(course: Course, steps: int, refiner_epoch: int = 0) -> dict[int, str]:
    """What is said in a run, by step."""
    health, said = Health(refiner_epoch), {}
    for step in range(1, steps + 1):
        sentences = health.step(course(step))
        assert len(sentences) <= 1
        if sentences:
            said[step] = sentences[0]
    return said


def tiny_run(step: int) -> Entry:
    """What the preset tiny logs on robot arms: start, noise, and jumps at the phases."""
    noise = np.random.default_rng(step).normal(size=4)
    alone = step <= 2000
    start = math.exp(-step / 4)
    refiner = 5 + 30 * math.exp(-step / 6) + 35 * math.exp(-max(step - 2000, 0) / 20) * (not alone)
    numbers = {
        "epoch": (step - 1) // 137 - 15 if alone else (step - 2001) // 137,
        "mask_mean": 0.225 + 0.275 * start + 0.03 * noise[0],
        "mask_sign": 0.58 * (1 - math.exp(-step / 150)) + 0.03 * noise[1],
        "motion": 5 + 4.5 * math.exp(-step / 500) + 4 * start + 0.5 * noise[2],
        "refiner": refiner,
        "waited_s": 0.7 if step == 1 else 0.0,
    }
    if not alone:
        numbers["low_res"] = 65 + 80 * math.exp(-(step - 2000) / 30) + 8 * noise[3]
    values = entry(step, **numbers)
    return values if not alone else {k: v for k, v in values.items() if k != "low_res"}


def plain_run(step: int) -> Entry:
    """What the paper's recipe logs on the same clips: masks of 0.99 after fifty steps."""
    noise = np.random.default_rng(step).normal(size=2)
    return entry(
        step,
        mask_mean=0.988 - 0.28 * math.exp(-step / 8) + 0.002 * noise[0],
        mask_sign=0.005 * noise[1],
        low_res=85 + 55 * math.exp(-step / 10),
    )


def test_nothing_is_said_in_a_run_that_goes_well() -> None:
    assert words(tiny_run, 3000) == {}


def test_masks_that_saturate() -> None:
    said = words(plain_run, 1000, refiner_epoch=1)
    ((step, sentence),) = said.items()
    assert 50 < step < 150
    assert sentence.startswith(f"step {step}: the masks are 0.9")
    for part in ("nearly everywhere: they saturate", "motion.weight", "(since step "):
        assert part in sentence


@pytest.mark.parametrize(
    ("numbers", "part"),
    [
        ({"mask_mean": 0.004, "mask_sign": 0.001}, "the object vanished from them"),
        ({"mask_mean": 0.5, "mask_sign": -0.01}, "they found no object"),
        ({"mask_mean": 0.6, "mask_sign": -0.4}, "the masks lie on the background"),
        ({"waited_s": 0.35}, "35% of the time goes into waiting for clips"),
    ],
    ids=["vanished", "flat", "background", "starved"],
)
def test_what_is_wrong_is_said_once_and_when_it_has_passed(numbers: Entry, part: str) -> None:
    """Wrong in steps 500 to 1500 and 3000 to 4000."""
    said = words(lambda t: entry(t, **(numbers if 500 < t % 2500 < 1500 else {})), 5000)
    first, passed, second, passed_again = said
    assert 500 < first < 1200
    assert 1500 < passed < 2300
    assert (second, passed_again) == (first + 2500, passed + 2500)
    assert part in said[first]
    assert part in said[second]
    assert part not in said[passed]
    assert said[passed].startswith(f"step {passed}: ")


@pytest.mark.parametrize(
    "numbers",
    [
        {"mask_mean": 0.01, "mask_sign": 0.3},  # a small object
        {"mask_mean": 0.97, "mask_sign": 0.3},  # one that fills the frame
        {"waited_s": 0.1},
    ],
)
def test_what_only_looks_wrong(numbers: Entry) -> None:
    assert words(lambda t: entry(t, **numbers), 2000) == {}


def test_a_stall_is_no_slow_loader() -> None:
    def stalled(step: int) -> Entry:
        return entry(step, step_s=60.0, waited_s=59.0) if step == 100 else entry(step)

    assert words(stalled, 400) == {}


def test_masks_may_lie_on_the_background_until_their_sign_is_settled() -> None:
    """300 steps an epoch: wrong until the refiner's epoch begins, turned then; or not."""
    before = words(lambda t: entry(t, epoch=t // 300, mask_sign=-0.4 if t < 600 else 0.4), 2000, 2)
    assert before == {}
    (still,) = words(lambda t: entry(t, epoch=t // 300, mask_sign=-0.4), 2000, 2)
    assert still > 600


@pytest.mark.parametrize("name", ["motion", "low_res", "background_refiner"])
def test_losses_that_rise(name: str) -> None:
    """The motion loss of masks that turn into thumbnails of the frame, 5 to 10 in 200 steps."""

    def rising(step: int) -> Entry:
        return entry(step, **{name: 5 + 5 * min(max(step - 600, 0) / 200, 1)})

    ((step, sentence),) = words(rising, 2000).items()
    assert 600 < step < 800
    assert f"the loss {name} rises: 5 before, 7" in sentence
    assert ("motion.only=true" in sentence) == (name == "motion")


def test_the_refiners_loss_may_rise_with_its_masks() -> None:
    assert words(lambda t: entry(t, refiner=1.0 if t < 500 else 20.0), 1000) == {}
