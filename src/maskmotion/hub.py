"""Models of the Hugging Face hub, by name, through the cache of huggingface_hub."""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maskmotion.errors import ModelError

NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@\w[\w./-]*)?", re.ASCII)


def is_hub_name(text: str) -> bool:
    """Whether a text has the form owner/name or owner/name@revision."""
    return NAME.fullmatch(text) is not None


def fetch(name: str, files: Sequence[str]) -> Path:
    """Bring files of a hub model into the cache, where they are not yet there or have changed.

    Where the hub cannot be reached, what the cache holds is taken.

    Args:
        name: owner/name, or owner/name@revision with a branch, a tag or a full commit hash.
        files: the names of those wanted; what the model does not have is left out.
    Returns:
        The model's folder in the cache, to read from; it may not exist where there was no file.
    Raises:
        ModelError: no huggingface_hub, no such model or revision, or nothing to be had of it now.
    """
    if find_spec("huggingface_hub") is None:
        raise ModelError(
            f"there is no folder {name}; if a model of the Hugging Face hub is meant, install "
            "what loads it: pip install 'maskmotion[hub]'"
        )
    from huggingface_hub import errors, snapshot_download

    repository, _, revision = name.partition("@")
    try:
        folder = snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=[*files],
            tqdm_class=_bar_of_bytes(),
        )
    except errors.GatedRepoError:
        raise ModelError(
            f"the Hugging Face hub gives {repository} only to those whom its owner lets in; ask "
            "on its page, then run `hf auth login`"
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ModelError(
            f"there is no folder {name}, and no model {repository} on the Hugging Face hub; check "
            "the spelling, or run `hf auth login` if it is a private one"
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(
            f"{repository} on the Hugging Face hub has no revision {revision or 'main'}; give a "
            "branch, a tag or a full commit hash"
        ) from None
    except errors.LocalEntryNotFoundError as error:
        reason = _first_line(error.__cause__ or error)
        if isinstance(error.__cause__, errors.OfflineModeIsEnabled):
            reason = "HF_HUB_OFFLINE is set"
        raise ModelError(
            f"there is no folder {name}, no such model in the cache, and the Hugging Face hub "
            f"cannot be reached ({reason}); go online once, or give a model folder"
        ) from None
    except Exception as error:  # of the network, of the disk, of the hub
        raise ModelError(
            f"{name} could not be fetched from the Hugging Face hub ({_first_line(error)}); try "
            "again, or give a model folder"
        ) from None
    return Path(folder)


def _bar_of_bytes() -> type[Any]:
    """A progress bar that only shows downloads, on a terminal, and only while they run."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:
            # None: on a terminal. Bars that count files flash by at each call.
            disable = None if settings.get("unit") == "B" else True
            super().__init__(*args, **settings | {"disable": disable, "leave": False})

    return Bar


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ") or type(error).__name__


def cached_folders() -> dict[str, Path]:
    """All models in the cache, of whatever library, sorted: name as `fetch` takes it -> folder.

    Nothing where huggingface_hub is not installed, or has no cache yet.
    """
    if find_spec("huggingface_hub") is None:
        return {}
    from huggingface_hub import constants, errors, scan_cache_dir

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except (errors.CacheNotFound, ValueError, OSError):  # ValueError: it is a file
        return {}
    folders = {}
    for repository in repositories:
        if repository.repo_type != "model":
            continue
        for revision in repository.revisions:
            for name in _names(repository.repo_id, revision.refs, revision.commit_hash):
                folders[name] = revision.snapshot_path
    return dict(sorted(folders.items()))


def _names(repository: str, refs: frozenset[str], commit: str) -> list[str]:
    """What a revision is called: by its branches and tags where it has some."""
    if "main" in refs:
        return [repository]
    return [f"{repository}@{ref}" for ref in refs or {commit}]
