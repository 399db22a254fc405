"""Models by their names on a hub on this computer, through the real huggingface_hub."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st
from tests.hub_server import Hub, go_offline, hub  # noqa: F401
from tests.models.tiny import tiny_animator
from tests.test_card import a_card

from maskmotion.card import card_text
from maskmotion.checkpoint import describe_model, hub_models, load_model, save_model
from maskmotion.errors import ModelError
from maskmotion.hub import is_hub_name

FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def acme(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:  # noqa: F811
    """A hub with the model acme/arms, the revision v2 of it, and models of other libraries."""
    monkeypatch.chdir(tmp_path)
    for revision, threshold in (("main", 0.1), ("v2", 0.2)):
        folder = tmp_path / "published" / revision
        save_model(tiny_animator(threshold=threshold), folder, card=a_card())
        (folder / "optimiser.pt").write_bytes(b"large")
        hub.put("acme/arms", folder, revision)
    others = {
        "acme/words": {"config.json": '{"model_type": "bert"}', "model.safetensors": "large"},
        "acme/list": {"config.json": "[1]"},
        "acme/deep": {"config.json": "[" * 100_000},
        "acme/bare": {"notes.txt": "soon"},
        "acme/later": {"config.json": '{"schema": 99, "model": {}}', "model.safetensors": ""},
        "acme/half": {"config.json": (tmp_path / "published/main/config.json").read_text()},
    }
    for name, files in others.items():
        hub.models[name] = {"main": {file: text.encode() for file, text in files.items()}}
    return hub


def refusal(name: str) -> str:
    with pytest.raises(ModelError) as error:
        load_model(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def threshold(name: str) -> float:
    return load_model(name).config.threshold


def test_a_model_is_downloaded_once(acme: Hub) -> None:
    assert threshold("acme/arms") == 0.1
    assert acme.downloads() == FILES
    assert threshold("acme/arms") == 0.1
    assert acme.downloads() == []


def test_revisions(acme: Hub) -> None:
    main = acme.put("acme/arms", Path("published/main"))
    assert threshold("acme/arms@v2") == 0.2
    assert threshold(f"acme/arms@{main}") == 0.1
    assert threshold("acme/arms@main") == 0.1
    assert "acme/arms on the Hugging Face hub has no revision v9; give" in refusal("acme/arms@v9")
    # Here the hub is asked no more.
    acme.asked.clear()
    assert threshold(f"acme/arms@{main}") == 0.1
    assert acme.asked == []


def test_what_is_new_is_fetched(acme: Hub) -> None:
    assert threshold("acme/arms") == 0.1
    acme.put("acme/arms", Path("published/v2"))
    assert threshold("acme/arms") == 0.2


def test_facts_need_no_weights(acme: Hub) -> None:
    config, about = describe_model("acme/arms")
    assert (config.threshold, about) == (0.1, {"card": a_card().model_dump(mode="json")})
    assert acme.downloads() == ["README.md", "config.json"]
    assert hub_models() == {}
    load_model("acme/arms")
    assert acme.downloads() == ["model.safetensors"]
    assert list(hub_models()) == ["acme/arms"]


def test_a_folder_of_the_same_name_goes_first(acme: Hub) -> None:
    save_model(tiny_animator(threshold=0.5), Path("acme/arms"))
    assert threshold("acme/arms") == 0.5
    assert threshold("acme/arms@v2") == 0.2
    Path("acme/words").mkdir()
    assert "acme/words is not a model folder" in refusal("acme/words")


def test_paths_are_not_looked_up(acme: Hub) -> None:
    Path("acme").mkdir()
    Path("acme/arms").touch()
    for path in (Path("acme/arms2"), "acme/arms", "./acme/arms2", "acme/arms2/", "acme/a/b", "a"):
        with pytest.raises(ModelError, match="there is no model"):
            load_model(path)
    assert acme.asked == []


REFUSED = {
    "acme/nowhere": "there is no folder acme/nowhere, and no model acme/nowhere on the Hugging",
    "acme/a--b": "there is no folder acme/a--b, and no model",
    "acme/secret": "the Hugging Face hub gives acme/secret only to those whom its owner lets in",
    "acme/words": "acme/words on the Hugging Face hub is no model of maskmotion",
    "acme/list": "acme/list on the Hugging Face hub is no model of maskmotion",
    "acme/deep": "acme/deep on the Hugging Face hub is no model of maskmotion",
    "acme/bare": "acme/bare on the Hugging Face hub is no model of maskmotion",
    "acme/half": "acme/half on the Hugging Face hub has no model.safetensors",
    "acme/later": "has schema 99",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, acme: Hub) -> None:
    acme.put("acme/secret", Path("published/main"))
    acme.gated.add("acme/secret")
    assert REFUSED[name] in refusal(name)
    if name != "acme/later":
        assert "model.safetensors" not in acme.downloads()


def test_without_a_network_the_cache_is_used(acme: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    load_model("acme/arms")
    describe_model("acme/arms@v2")
    go_offline(monkeypatch)
    assert threshold("acme/arms") == 0.1
    assert describe_model("acme/arms@v2")[0].threshold == 0.2
    for name in ("acme/arms@v2", "acme/nowhere"):
        assert "cannot be reached (HF_HUB_OFFLINE is set); go online once" in refusal(name)


def test_an_unreachable_hub(acme: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    load_model("acme/arms")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    importlib.reload(constants)
    assert threshold("acme/arms") == 0.1
    assert "the Hugging Face hub cannot be reached ([Errno" in refusal("acme/nowhere")


def test_the_extra_may_be_missing(acme: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    load_model("acme/arms")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert refusal("acme/arms").endswith("loads it: pip install 'maskmotion[hub]'")
    assert hub_models() == {}


def test_models_in_the_cache(acme: Hub) -> None:
    assert hub_models() == {}  # there is no cache yet
    v2 = acme.put("acme/arms", Path("published/v2"), "v2")
    for name in ("acme/arms", "acme/arms@v2"):
        load_model(name)
    refusal("acme/words")
    found = hub_models()
    assert list(found) == ["acme/arms", "acme/arms@v2"]
    assert found["acme/arms@v2"].name == v2
    # A version that has no name any more.
    old = found["acme/arms"].name
    config = json.loads(Path("published/main/config.json").read_text())
    config["model"]["threshold"] = 0.3
    Path("published/main/config.json").write_text(json.dumps(config))
    acme.put("acme/arms", Path("published/main"))
    assert threshold("acme/arms") == 0.3
    assert sorted(hub_models()) == sorted(["acme/arms", f"acme/arms@{old}", "acme/arms@v2"])
    assert threshold(f"acme/arms@{old}") == 0.1


def test_a_cache_that_is_none(acme: Hub) -> None:
    Path(constants.HF_HUB_CACHE).parent.mkdir(parents=True, exist_ok=True)
    Path(constants.HF_HUB_CACHE).touch()
    assert hub_models() == {}
    assert "could not be fetched from the Hugging Face hub (" in refusal("acme/arms")


@pytest.mark.slow
def test_the_command_reads_the_environment(acme: Hub, tmp_path: Path) -> None:
    def told(*words: str, **variables: str) -> str:
        command = [sys.executable, "-m", "maskmotion", "models", *words]
        environment = {**os.environ, **variables}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return f"{done.returncode} {done.stdout}{done.stderr}"

    assert told("acme/arms@v2") == "0 " + card_text(
        "", *describe_model(str(tmp_path / "published/v2"))
    )
    refused = told("acme/nowhere", HF_HUB_OFFLINE="1")
    assert refused.startswith("2 maskmotion: error: there is no folder acme/nowhere, no such model")
    assert refused.count("\n") == 1


@given(
    st.from_regex(r"[a-zA-Z0-9]{1,9}/[a-zA-Z0-9_.-]{0,9}[a-z](@[a-z0-9][a-z/.]*)?", fullmatch=True)
)
def test_names(name: str) -> None:
    assert is_hub_name(name) == (name.partition("/")[2][0] not in "-.")
    for path in (f"/{name}", f"./{name}", f"../{name}", f"{name}/ ", f"C:\\{name}", f"{name}@", ""):
        assert not is_hub_name(path)
