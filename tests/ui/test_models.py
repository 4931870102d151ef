"""The picker: links, downloads that move, stop and fail, models that do not fit, two viewers on two models."""

import threading

import pytest
from streamlit.testing.v1 import AppTest

from core.checkpoints import DownloadFailed, NotEnoughMemory, load_model
from core.checkpoints.background import Downloads
from core.checkpoints.cache import new_folder, stop_if, write_manifest
from core.measure.fidelity import offered_modes
from core.quantization.kernels import supported
from core.ui import models
from tests.ui.conftest import ROOT, WITH_MODEL, said

AWAY = "smollm2-360m"


class Source:
    """A source that gives a byte whenever the test says so."""

    def __init__(self, total=10):
        self.total, self.go_on, self.arrived = total, threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, name, progress, cancelled):
        with new_folder(name) as folder:
            for done in range(self.total + 1):
                progress(done, self.total)
                self.arrived.release()
                while not self.go_on.acquire(timeout=0.01):
                    stop_if(cancelled)
            (folder / "weights.bin").write_bytes(b"0" * self.total)
            write_manifest(folder, name, "a test", {"title": "SmolLM2 360M", "parameters": 1000, "licence": "Apache-2.0"})

    def give(self, n):
        for _ in range(n):
            self.arrived.acquire(timeout=10)
            self.go_on.release()
        assert self.arrived.acquire(timeout=10)
        self.arrived.release()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder: nothing but the bundled model is here."""
    monkeypatch.setenv("GLASSBOX_CACHE", str(tmp_path))
    for name in ("GLASSBOX_MODEL", "GLASSBOX_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GLASSBOX_DOWNLOADS", raising=False)
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """served(fetch): the server's downloads come from `fetch`."""

    def replaced(fetch):
        found = Downloads(fetch)
        monkeypatch.setattr(models, "downloads", lambda: found)
        return found

    return replaced


def opened(name="timeline", lang="en", **link):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page(f"pages/{name}.py")
    at.query_params["lang"] = lang
    for key, value in link.items():
        at.query_params[key] = value
    return at.run()


def finished(job):
    for thread in threading.enumerate():
        if thread.name == f"download {job.name}":
            thread.join(10)
    return job.status


def used(at):
    return at.session_state["_model"]


def linked(at):
    value = at.query_params["model"]
    return value if isinstance(value, str) else value[0]


def picker(at):
    return at.sidebar.selectbox(key="_model_choice")


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_model_of_the_list_has_its_words(lang):
    at = opened(lang=lang)
    assert not at.exception and not at.warning and used(at) == "mini" and "model" not in at.query_params
    assert [option.split(" ·")[0] for option in picker(at).options][:2] == ["Glassbox mini", "SmolLM2 135M"]
    for name, words in [("mini", ("24", "62" if supported("fp16") else "120", "CC BY-SA 4")), ("gpt2", ("124", "622", "MIT")), ("qwen3-0.6b", ("596", "Apache"))]:
        picker(at).set_value(name).run()
        card = next(c.value for c in at.sidebar.caption).replace("\\", "")
        assert all(word in card for word in words) and "\n" in card, card


@pytest.mark.parametrize("name", ["nothing", "/etc/passwd", "org/name", "<b>x</b>", "a" * 5000])
def test_an_unknown_name_in_the_link_is_one_sentence(name):
    at = opened(model=name)
    assert not at.exception and len(at.warning) == 1 and "no model called" in said(at) and "Glassbox mini" in said(at)
    assert len(said(at)) < 200 and used(at) == "mini" and "model" not in at.query_params
    assert not at.run().warning


def test_a_model_that_is_not_here_is_offered_fetched_and_then_used(served, monkeypatch):
    source = Source()
    downloads = served(source)
    loaded = []
    monkeypatch.setattr("core.checkpoints.load_model", lambda name="mini", mode="fp32": loaded.append(name) if name == AWAY else load_model(name, mode))
    at = opened(model=AWAY)
    assert used(at) == "mini" and linked(at) == AWAY and not loaded
    assert any("not on this machine" in m.value for m in at.markdown)
    at.button(key="_model_get").click().run()
    source.give(5)
    at.run()
    assert "50%" in at.get("progress")[0].proto.text.replace("\\", "")
    other = opened()  # somebody else sees it, and goes on with the bundled model
    assert "50%" in other.sidebar.get("progress")[0].proto.text.replace("\\", "") and used(other) == "mini"
    assert downloads.start("gpt2") is downloads.job and downloads.job.name == AWAY  # one at a time
    source.give(5)
    source.go_on.release()
    assert finished(downloads.job) == "done"
    at.run()
    assert used(at) == AWAY and loaded == [AWAY] and not at.get("progress")
    assert used(other.run()) == "mini"


def test_a_stopped_download_keeps_nothing(served, cache):
    source = Source()
    downloads = served(source)
    at = opened(model=AWAY)
    at.button(key="_model_get").click().run()
    source.give(3)
    at.run()
    at.button(key="_model_stop").click().run()
    assert finished(downloads.job) == "stopped" and not list((cache / "models").iterdir())
    at.run()
    assert "nothing was kept" in said(at) and used(at) == "mini" and at.button(key="_model_get")


@pytest.mark.parametrize("lang, words", [("en", "failed"), ("de", "gescheitert")])
def test_a_failed_download_is_one_sentence(served, lang, words):
    def fails(name, progress, cancelled):
        raise DownloadFailed("huggingface.co is out of reach")

    downloads = served(fails)
    at = opened(lang=lang, model=AWAY)
    at.button(key="_model_get").click().run()
    assert finished(downloads.job) == "failed"
    at.run()
    assert len(at.warning) == 1 and words in said(at) and "out of reach" in said(at) and not at.exception and used(at) == "mini"


def test_whatever_a_source_raises_ends_that_download_only(served):
    def breaks(name, progress, cancelled):
        raise OSError("disk gone")

    downloads = served(breaks)
    downloads.start(AWAY)
    assert finished(downloads.job) == "failed" and downloads.running is None and downloads.job.reason == "disk gone"


def test_a_full_disk_is_said_before(served):
    job = served(Source()).start(AWAY, bytes_needed=1 << 60)
    assert job.status == "failed" and "are free" in job.reason


def test_where_downloads_are_off_only_what_is_here_is_offered(monkeypatch):
    monkeypatch.setenv("GLASSBOX_DOWNLOADS", "0")
    at = opened(model=AWAY)
    assert picker(at).options == ["Glassbox mini"] and "nothing is downloaded here" in said(at)
    assert used(at) == "mini" and "model" not in at.query_params and not at.exception


def test_a_model_too_large_to_fetch_says_both_numbers(monkeypatch):
    monkeypatch.setattr("core.checkpoints.memory.free_bytes", lambda: 500_000_000)
    at = opened(model=AWAY)
    assert ("941 MB" if supported("fp16") else "1,809 MB") in said(at) and "500 MB" in said(at)
    assert "_model_get" not in [button.key for button in at.button]


@pytest.mark.parametrize("lang, numbers", [("en", ("1,700", "600")), ("de", ("1.700", "600"))])
def test_a_model_too_large_to_load_says_both_numbers_and_the_own_goes_on(served, monkeypatch, lang, numbers):
    source = Source(0)
    source.go_on.release()
    assert finished(served(source).start(AWAY)) == "done"

    def refused(name):
        raise NotEnoughMemory(name, 1_700_000_000, 600_000_000)

    monkeypatch.setattr("core.checkpoints.load_model", lambda name="mini", mode="fp32": refused(name) if name == AWAY else load_model(name, mode))
    at = opened(lang=lang, model=AWAY)
    assert not at.exception and all(number in said(at) for number in numbers)
    assert used(at) == "mini" and picker(at).value == "mini" and "model" not in at.query_params


def test_the_models_own_page_stays_with_the_servers_default(monkeypatch):
    monkeypatch.setenv("GLASSBOX_MODEL", str(ROOT / "assets" / "models" / "mini"))
    at = opened()
    assert used(at) == str(ROOT / "assets" / "models" / "mini") and picker(at).value == used(at)
    picker(at).set_value("mini").run()
    assert used(at) == "mini" and linked(at) == "mini"


# --- how its numbers are stored ---


def modes_of(at):
    return next((box for box in at.sidebar.selectbox if box.key == "_mode_choice"), None)


@pytest.fixture
def asked(monkeypatch):
    """(name, mode) of every model that was asked for, loaded as usual."""
    found = []

    def load(name="mini", mode="fp32"):
        found.append((name, mode))
        return load_model(name, mode)

    monkeypatch.setattr("core.checkpoints.load_model", load)
    return found


@pytest.mark.parametrize("lang, words", [("en", ("8-bit (int8) · 29 MB", "needs 29 MB", "98.3%")), ("de", ("8 Bit (int8) · 29 MB", "braucht 29 MB", "98,3"))])
def test_a_mode_is_chosen_kept_in_the_link_and_dropped_again(lang, words, asked):
    at = opened("next_token", lang=lang)
    assert len(modes_of(at).options) == len(offered_modes("mini"))
    assert words[0] in modes_of(at).options and "mode" not in at.query_params and set(asked) == {("mini", "fp32")}
    asked.clear()
    modes_of(at).set_value("int8").run()
    assert not at.exception and not at.error and not at.warning and set(asked) == {("mini", "int8")}
    assert at.query_params["mode"] in ("int8", ["int8"]) and "model" not in at.query_params
    assert all(word in at.sidebar.caption[0].value.replace("\\", "") for word in words[1:])
    shared = opened("next_token", lang=lang, mode="int8")
    assert modes_of(shared).value == "int8" and not shared.warning and at.success[0].value == shared.success[0].value
    modes_of(at).set_value("fp32").run()
    assert "mode" not in at.query_params and load_model(used(at)).name == "mini"


@pytest.mark.parametrize("mode", ["int3", "mixed", "<b>x</b>", "a" * 5000])
def test_a_mode_that_is_not_offered_is_one_sentence(mode):
    assert "mixed" not in offered_modes("mini")  # it was measured and failed
    at = opened(mode=mode)
    assert not at.exception and len(at.warning) == 1 and "is not offered" in said(at) and mode[:40] in said(at) and len(said(at)) < 200
    assert modes_of(at).value == "fp32" and "mode" not in at.query_params and not at.run().warning


def test_a_model_with_one_mode_only_shows_no_choice(monkeypatch):
    at = opened(mode="int8")
    assert modes_of(at).value == "int8"
    at.sidebar.selectbox(key="_model_choice").set_value("gpt2").run()  # nobody measured it
    assert not at.exception and not at.warning and modes_of(at) is None and "mode" not in at.query_params
    monkeypatch.setenv("GLASSBOX_MODEL", str(ROOT / "assets" / "models" / "mini"))
    assert modes_of(opened()) is None


def test_the_way_it_is_stored_goes_along_to_a_model_that_is_fetched():
    at = opened(model="smollm2-135m", mode="mixed")
    assert not at.exception and not at.warning and modes_of(at).value == "mixed" and at.query_params["mode"] in ("mixed", ["mixed"])
    assert used(at) == "mini" and models.EXACT == at.session_state["_mode"]  # what computes until it is here
    assert "needs 430 MB" in at.sidebar.caption[0].value.replace("\\", "")


@pytest.mark.parametrize("lang, sentence", [("en", "needs the exact weights"), ("de", "braucht die genauen Gewichte")])
def test_a_page_that_needs_the_exact_weights_takes_them_and_says_so(lang, sentence, asked):
    at = opened("quantization", lang=lang, mode="int8")
    assert not at.exception and not at.error and not at.warning and len(at.success) == 1 and set(asked) == {("mini", "fp32")}
    assert len([c for c in at.main.caption if sentence in c.value]) == 1 and at.query_params["mode"] in ("int8", ["int8"])
    at.switch_page(str(ROOT / "pages" / "next_token.py")).run()
    assert not at.exception and ("mini", "int8") in asked and not any(sentence in c.value for c in at.main.caption)


def test_an_exact_page_without_room_says_so_and_the_choice_is_kept(served, monkeypatch):
    monkeypatch.setattr("core.measure.fidelity.offered_modes", lambda name: ("fp32", "int8"))
    source = Source(0)
    source.go_on.release()
    assert finished(served(source).start(AWAY)) == "done"

    def scarce(name="mini", mode="fp32"):
        if (name, mode) == (AWAY, "fp32"):
            raise NotEnoughMemory(name, 1_700_000_000, 600_000_000)
        return load_model("mini", mode)

    monkeypatch.setattr("core.checkpoints.load_model", scarce)
    at = opened("quantization", model=AWAY, mode="int8")
    assert not at.exception and not at.error and len(at.warning) == 1 and "1,700" in said(at) and used(at) == "mini"
    assert picker(at).value == AWAY and linked(at) == AWAY and not any("exact weights" in c.value for c in at.main.caption)
    at.switch_page(str(ROOT / "pages" / "next_token.py")).run()
    assert not at.exception and not at.warning and used(at) == AWAY and at.session_state["_mode"] == "int8"


@pytest.mark.parametrize("name", WITH_MODEL)
def test_every_page_works_with_every_mode_that_is_offered(name):
    for mode in offered_modes("mini")[1:]:
        at = opened(name, mode=mode)
        assert not at.exception and not at.error and not at.warning, (mode, said(at))
        assert at.session_state["_mode"] == mode and any("32-bit numbers of" in c.value for c in at.main.caption) == (name in models.EXACT_PAGES)


def test_the_server_may_store_its_own_model_in_fewer_bits(monkeypatch, asked):
    monkeypatch.setenv("GLASSBOX_MODE", "int8")
    at = opened("next_token")
    assert modes_of(at).value == "int8" and "mode" not in at.query_params and set(asked) == {("mini", "int8")} and not at.warning
    modes_of(at).set_value("fp32").run()
    assert at.query_params["mode"] in ("fp32", ["fp32"]) and ("mini", "fp32") in asked
    assert "they are 8-bit" in said(opened(mode="int3")).replace("\\", "")
    monkeypatch.setenv("GLASSBOX_MODE", "nonsense")
    at = opened()
    assert modes_of(at).value == "fp32" and not at.warning
