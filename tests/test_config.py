from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maskmotion.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    MotionConfig,
    ScheduleConfig,
    TrainConfig,
    load_preset,
    override,
    parse_yaml,
    preset_names,
    to_yaml,
    validate,
)
from maskmotion.errors import ConfigError

finite = {"allow_nan": False, "allow_infinity": False}


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    weight = draw(st.floats(0, 100))
    return TrainConfig(
        seed=draw(st.integers(0, 2**63)),
        model=ModelConfig(
            width=draw(st.floats(0.01, 4)),
            image_size=128 * draw(st.integers(1, 8)),
            threshold=draw(st.floats(0, 1, exclude_max=True)),
            animation_scale=draw(st.floats(0.01, 2)),
            background_networks=draw(st.booleans()),
            mask_input=draw(st.sampled_from(["binary", "soft", "none"])),
            padded_masks=draw(st.booleans()),
        ),
        data=DataConfig(
            folders=draw(st.lists(st.sampled_from([Path("a"), Path("b: c"), Path("/ä 'x'")]))),
            cache=draw(st.sampled_from([None, Path("cache"), Path("no")])),
            jitter=draw(st.floats(0, 0.5)),
        ),
        loss=LossConfig(
            perceptual=draw(st.floats(0, 1e30)),
            vgg_layers=draw(st.sampled_from([(1, 2, 3), (1, 2, 3, 4, 5), (3,)])),
            scales=draw(st.sampled_from([(1, 2, 4, 8), (1,)])),
        ),
        motion=MotionConfig(weight=weight, only=weight > 0 and draw(st.booleans())),
        schedule=ScheduleConfig(
            learning_rate=draw(st.floats(0, exclude_min=True, **finite)),
            milestones=draw(st.lists(st.integers(0, 200)).map(tuple)),
        ),
    )


@given(configs())
def test_yaml_round_trip(config: TrainConfig) -> None:
    assert validate(parse_yaml(to_yaml(config), "text"), "text") == config


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ModelConfig().width = 0.5  # type: ignore[misc]


def test_defaults_are_the_papers() -> None:
    config = TrainConfig()
    assert (config.model.width, config.model.image_size) == (1, 256)
    assert config.model.threshold == 60 / 255
    assert config.model.mask_input == "binary"
    assert not config.model.padded_masks
    assert config.data.jitter == 0.1
    assert (config.loss.perceptual, config.loss.refiner) == (10, 100)
    assert (config.loss.vgg_layers, config.loss.scales) == ((1, 2, 3), (1, 2, 4, 8))
    assert config.motion.weight == 0
    assert config.schedule.learning_rate == 2e-4
    assert (config.schedule.epochs, config.schedule.milestones) == (100, (60, 90))
    assert (config.schedule.refiner_epoch, config.schedule.background_epoch) == (1, 2)


def test_every_bad_key_is_named_at_once() -> None:
    data = {
        "model": {"width": -1, "wdith": 2},
        "loss": {"vgg_layers": [1, 6]},
        "optimiser": {},
        "schedule": {"batch_size": "many"},
    }
    with pytest.raises(ConfigError) as error:
        validate(data, "my.yaml")
    message = str(error.value)
    assert message.startswith("my.yaml: ")
    for key in (
        "model.width",
        "model.wdith",
        "loss.vgg_layers.1",
        "optimiser",
        "schedule.batch_size",
    ):
        assert f"{key}: " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.width", 0),
        ("model.width", 4.1),
        ("model.width", float("nan")),
        ("model.image_size", 100),
        ("model.image_size", 0),
        ("model.threshold", 1),
        ("model.mask_input", "hard"),
        ("data.repeats", 0),
        ("data.pair_candidates", 17),
        ("data.jitter", 0.6),
        ("loss.scales", [3]),
        ("schedule.batch_size", 1),
        ("schedule.learning_rate", 0),
        ("run.precision", "float16"),
        ("seed", -1),
    ],
)
def test_values_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        validate(override({}, [f"{key}={yaml.safe_dump(value, default_flow_style=True)}"]), "test")


@pytest.mark.parametrize("motion", [{"only": True}, {"alone_samples": 16}, {"truth": True}])
def test_learning_from_motion_needs_a_weight(motion: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"motion\.weight above 0"):
        validate({"motion": motion}, "test")
    assert validate({"motion": motion | {"weight": 1}}, "test").motion.weight == 1


def test_there_are_presets_for_the_papers_classes() -> None:
    assert {"vox", "taichi", "bair"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid(name: str) -> None:
    validate(load_preset(name), name)


@pytest.mark.parametrize(
    ("name", "threshold", "batch_size", "repeats"),
    [("vox", 100, 16, 75), ("taichi", 60, 20, 150), ("bair", 60, 18, 1)],
)
def test_presets_of_the_paper(name: str, threshold: int, batch_size: int, repeats: int) -> None:
    config = validate(load_preset(name), name)
    assert config.model.threshold == pytest.approx(threshold / 255, abs=1e-6)
    assert config.schedule.batch_size == batch_size
    assert config.data.repeats == repeats
    paper = TrainConfig()
    assert config.model.width == paper.model.width
    assert config.model.image_size == paper.model.image_size
    assert config.loss == paper.loss
    assert config.motion == paper.motion
    assert config.schedule.model_copy(update={"batch_size": 16}) == paper.schedule


def test_people_are_tinys_networks_taught_by_alpha() -> None:
    people, tiny = (validate(load_preset(name), name) for name in ("people", "tiny"))
    assert people.model == tiny.model.model_copy(update={"animation_scale": 1.0, "warp": False})
    assert (people.motion.truth, tiny.motion.truth) == (True, False)


def test_people_256_is_people_at_the_next_size() -> None:
    people, large = (validate(load_preset(name), name) for name in ("people", "people-256"))
    assert large.model == people.model.model_copy(update={"image_size": 256, "warp": True})
    assert large.motion.fixed
    assert large.data == people.data.model_copy(update={"repeats": 1})
    assert (large.loss, large.motion.truth, large.start) == (people.loss, True, "people-tiny")


def test_painting_by_refined_masks_needs_a_refiner_that_learns() -> None:
    settings = {"motion": {"refined": 0.5}, "schedule": {"refiner_epoch": 0}}
    assert validate(settings, "test").motion.refined == 0.5
    with pytest.raises(ConfigError, match=r"motion\.refined needs schedule\.refiner_epoch=0"):
        validate(settings | {"schedule": {"refiner_epoch": 1}}, "test")


def test_fixed_masks_must_come_from_somewhere() -> None:
    with pytest.raises(ConfigError, match=r"motion\.fixed keeps m and r as they are: start with"):
        validate({"motion": {"fixed": True}}, "x")
    assert validate({"motion": {"fixed": True}, "start": "people-tiny"}, "x").motion.fixed
    alone = {"fixed": True, "alone_samples": 1, "weight": 1}
    assert validate({"motion": alone}, "x").motion.fixed


def test_zoom_is_for_m_and_r_alone() -> None:
    motion = {"weight": 1, "zoom": 2, "alone_samples": 32}
    assert validate({"motion": motion}, "test").motion.zoom == 2
    with pytest.raises(ConfigError, match=r"motion\.zoom.*set motion\.alone_samples"):
        validate({"motion": motion | {"alone_samples": 0}}, "test")


@pytest.mark.parametrize("lacks", [{"start": None}, {"motion": {"weight": 1}}])
def test_m_and_r_alone_need_the_other_networks(lacks: dict[str, object]) -> None:
    whole = {
        "start": "people-tiny",
        "motion": {"weight": 1, "alone_samples": 32},
        "schedule": {"epochs": 0},
    }
    assert validate(whole, "test").schedule.epochs == 0
    with pytest.raises(ConfigError, match=r"schedule\.epochs=0 trains m and r alone.*--from MODEL"):
        validate(whole | lacks, "test")


def test_robots_are_tinys_networks_on_another_schedule() -> None:
    robot, tiny = (validate(load_preset(name), name) for name in ("robot", "tiny"))
    assert (robot.model, robot.loss) == (tiny.model, tiny.loss)
    assert robot.data == tiny.data.model_copy(update={"pasted": 0.5})
    assert not robot.motion.truth
    assert robot.start == "people-tiny"


def test_plus_is_the_papers_networks_with_what_tiny_has() -> None:
    plus, tiny = (validate(load_preset(name), name) for name in ("plus", "tiny"))
    paper = {"width": TrainConfig().model.width, "image_size": TrainConfig().model.image_size}
    assert plus.model == tiny.model.model_copy(update=paper)
    assert plus.loss == tiny.loss


@pytest.mark.parametrize("missing", [{"motion": {"weight": 1}}, {"schedule": {"refiner_epoch": 1}}])
def test_twins_need_the_alpha_and_r_from_the_start(missing: dict[str, object]) -> None:
    whole = {
        "data": {"twins": 0.5},
        "motion": {"weight": 1, "truth": True},
        "schedule": {"refiner_epoch": 0},
    }
    assert validate(whole, "test").data.twins == 0.5
    with pytest.raises(ConfigError, match=r"data\.twins needs motion\.truth=true and schedule"):
        validate(whole | missing, "test")


def test_a_preset_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("model: {width: 0.5}\n")
    assert load_preset(str(path)) == {"model": {"width": 0.5}}


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'voxx'.*" + ", ".join(preset_names())):
        load_preset("voxx")


@pytest.mark.parametrize(
    "text", ["a: [1", "a: 2001-13-01", "a: 1\n b: 2\n", "\t: 1", "- 1\n- 2", "text", "42"]
)
def test_what_is_not_a_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^here ") as error:
        parse_yaml(text, "here")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "null"])
def test_an_empty_file_sets_nothing(text: str) -> None:
    assert parse_yaml(text, "here") == {}


def test_overrides_are_read_as_yaml() -> None:
    data = {"model": {"width": 1.0, "padded_masks": False}, "seed": 1}
    merged = override(
        data,
        [
            "model.width=0.25",
            "model.padded_masks=yes",
            "data.folders=[a, b]",
            "data.cache=x=y",
            "loss.vgg_layers=[1, 2]",
            "seed=7",
            "seed=8",
        ],
    )
    assert merged == {
        "model": {"width": 0.25, "padded_masks": True},
        "data": {"folders": ["a", "b"], "cache": "x=y"},
        "loss": {"vgg_layers": [1, 2]},
        "seed": 8,
    }
    assert data == {"model": {"width": 1.0, "padded_masks": False}, "seed": 1}
    assert validate(merged, "test").data.folders == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    "assignment", ["model.width", "=1", "", "model.width=[1", "data.cache=2001-13-01", "seed.x=1"]
)
def test_broken_overrides_are_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set") as error:
        override({"seed": 1}, [assignment])
    assert "\n" not in str(error.value)


def test_an_override_may_not_name_an_unknown_setting() -> None:
    with pytest.raises(ConfigError, match=r"model\.wdith"):
        validate(override({}, ["model.wdith=1"]), "test")
