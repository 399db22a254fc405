"""As much of the Hugging Face hub as reading a model takes, on this computer."""

import hashlib
import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants


class Hub:
    """What the hub holds, and what it was asked for.

    models: owner/name -> branch or tag -> name of a file -> content. gated: models that strangers
    may not read. asked: "METHOD PATH" of each request.
    """

    def __init__(self) -> None:
        self.models: dict[str, dict[str, dict[str, bytes]]] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []
        self.address = ""

    def put(self, name: str, folder: Path, revision: str = "main") -> str:
        """Publish the files of a folder; the commit's hash."""
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.models.setdefault(name, {})[revision] = files
        return commit_of(files)

    def downloads(self) -> list[str]:
        """The files that were fetched since the last call."""
        found = [line.rpartition("/")[2] for line in self.asked if line.startswith("GET /acme")]
        self.asked.clear()
        return sorted(found)


def commit_of(files: dict[str, bytes]) -> str:
    """A name for these contents, such as git has it."""
    listed = repr(sorted((name, hashlib.sha1(text).hexdigest()) for name, text in files.items()))
    return hashlib.sha1(listed.encode()).hexdigest()


def answer(hub: Hub, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for a path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    is_api = parts[:2] == ["api", "models"]
    owner, name, kind, revision, *rest = (parts[2:] if is_api else parts) + ["", "", ""]
    model = f"{owner}/{name}"
    if model not in hub.models:
        return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
    if model in hub.gated:
        return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
    revisions = hub.models[model]
    commits = {commit_of(files): files for files in revisions.values()}
    files = revisions.get(revision, commits.get(revision))
    if files is None:
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
    commit = commit_of(files)
    if kind == "revision":
        return 200, {}, json.dumps({"id": model, "sha": commit, "siblings": []}).encode()
    if kind == "tree":
        tree = [
            {"type": "file", "path": n, "size": len(b), "oid": hashlib.sha1(b).hexdigest()}
            for n, b in files.items()
        ]
        return 200, {}, json.dumps(tree).encode()
    content = files[rest[0]]
    tag = hashlib.sha1(content).hexdigest()
    return 200, {"ETag": f'"{tag}"', "X-Repo-Commit": commit}, content


@contextmanager
def serving(hub: Hub) -> Iterator[None]:
    """Answer requests at `hub.address`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            status, headers, body = answer(hub, urlsplit(self.path).path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        hub.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, which huggingface_hub takes for the real one, with an empty cache."""
    found = Hub()
    with serving(found):
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        for name in ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        importlib.reload(constants)  # it reads the environment once
        yield found
        huggingface_hub.close_session()
    monkeypatch.undo()
    importlib.reload(constants)


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user says that there is no network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    importlib.reload(constants)
    huggingface_hub.close_session()
