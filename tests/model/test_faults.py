"""What breaks while the app runs: a weight file that is cut, a disk that is full; each in a process of its own, which must survive."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "assets" / "models" / "mini"

CUT = """
import os, sys
from pathlib import Path
from core import load_model
from core.checkpoints import DamagedCheckpoint
file = Path(sys.argv[1])
lm = load_model(sys.argv[2])
before = lm.logits([1, 2, 3, 4, 5])
os.truncate(file, file.stat().st_size // 3)
assert bool((lm.logits([1, 2, 3, 4, 5]) == before).all()), "what runs goes on with the same numbers"
again = load_model(sys.argv[2])
assert again is lm, "who comes later gets the model that is in memory"
try:
    load_model(sys.argv[2], mode="bf16")
except DamagedCheckpoint as error:
    assert "\\n" not in str(error)
    print(error)
"""

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import sqlalchemy  # bytecode is written before the disk is full
from core.classroom.store import Question, RoomError, RoomStore, engine_for
store = RoomStore(engine_for("sqlite:///" + sys.argv[1]))
code, token = store.open_room()
question = Question(kind="next_token", text="?", choices=("a", "b"), truth=0)
store.ask(code, token, question)
store.answer(code, 1, "first", 0)
most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most[1]))  # what is larger can be read, and not be written on
refused = 0
for i in range(40):
    try:
        store.answer(code, 1, f"student {i}", 1)
    except RoomError as error:
        assert error.reason == "unavailable", error.reason
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, most)
kept = store.counts(code, store.current(code))
assert refused and sum(kept) == 1 + 40 - refused, (refused, kept)  # whoever was told that it was kept is counted
store.answer(code, 1, "last", 1)
assert sum(store.counts(code, store.current(code))) == sum(kept) + 1
print(refused)
"""


def alone(code: str, *arguments: str, **environment: str) -> str:
    """Run `code` in a fresh process and give what it printed; a signal or a traceback fails the test."""
    setting = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, env=setting, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout


def test_a_weight_file_cut_while_running(tmp_path):
    folder = tmp_path / "mini"
    folder.mkdir()
    for file in MINI.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    said = alone(CUT, str(folder / "model.safetensors"), str(folder))
    assert "model.safetensors" in said


def test_a_gguf_file_cut_while_running(tmp_path):
    pytest.importorskip("gguf")
    from tests.unit.test_gguf import write

    file = str(write(tmp_path / "tiny.gguf"))
    assert alone(CUT, file, file).strip()


def test_a_full_disk_loses_no_answer_that_was_promised(tmp_path):
    assert int(alone(FULL, str(tmp_path / "rooms.db"))) > 0


def test_a_download_onto_a_full_disk_leaves_nothing(tmp_path):
    code = """
import http.server, json, os, resource, signal, threading
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import hashlib
CONTENT = {"config.json": b"{}", "model.safetensors": bytes(2_000_000), "tokenizer.json": b"{}"}
class Hub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): ...
    def do_GET(self):
        name = self.path.split("?")[0].rpartition("/")[2]
        files = [{"rfilename": n, "size": len(c), "blobId": hashlib.sha1(b"blob %d\\0" % len(c) + c).hexdigest()} for n, c in CONTENT.items()]
        body = CONTENT.get(name) or json.dumps({"sha": "0" * 40, "siblings": files}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
from core.checkpoints import DownloadFailed, download
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    download("org/small")
except DownloadFailed as error:
    print(json.dumps([str(error), os.listdir(os.path.join(os.environ["GLASSBOX_CACHE"], "models"))]))
"""
    said, left = json.loads(alone(code, GLASSBOX_CACHE=str(tmp_path)))
    assert left == [] and "\n" not in said and "Traceback" not in said
