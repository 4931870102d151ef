"""Who may import whom: pages -> core.ui, core.charts -> the rest of core, and never back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p.relative_to(ROOT) for folder in ("core", "pages") for p in (ROOT / folder).rglob("*.py")) + [Path("app.py")]
UI = [p for p in FILES if p.parts[0] in ("pages", "app.py") or p.parts[:2] == ("core", "ui")]
CORE = [p for p in FILES if p.parts[0] == "core"]


def imported(file: Path) -> set[str]:
    """Every module that a file names in an import anywhere in it, absolute: "core.ui.texts", "torch"."""
    package = list(file.parts[:-1])
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def names(file: Path, module: str) -> bool:
    return any(name == module or name.startswith(module + ".") for name in imported(file))


def offenders(files, *modules):
    return [f"{file} imports {module}" for file in files for module in modules if names(file, module)]


def test_imports_are_seen(tmp_path, monkeypatch):
    """What the rules below stand on."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "core").mkdir()
    code = "import torch.nn as n\ndef f():\n    from . import ui\n    from .ui.texts import t\n    from core import costs"
    (tmp_path / "core" / "a.py").write_text(code)
    assert imported(Path("core/a.py")) == {"torch.nn", "core", "core.ui", "core.ui.texts", "core.ui.texts.t", "core.costs"}
    assert names(Path("core/a.py"), "torch") and not names(Path("core/a.py"), "tor")


def test_there_is_something_to_check():
    assert len(UI) > 5 and len(CORE) > 30 and any(names(file, "streamlit") for file in UI)


def test_only_the_interface_imports_streamlit():
    outside = Path("core/bench/_viewer.py")  # speaks its protocol, as a browser does
    assert not offenders([file for file in FILES if file not in UI and file != outside], "streamlit")


def test_nothing_in_core_but_the_interface_knows_the_interface():
    assert not offenders([file for file in CORE if file not in UI], "core.ui", "pages", "app")


def test_computing_does_not_draw():
    drawing = ("ui", "charts", "bench")
    computing = [file for file in CORE if file.parts[1] not in drawing]
    assert not offenders(computing, "core.charts", "altair", "plotly")


def test_pages_leave_arithmetic_to_core():
    assert not offenders([file for file in FILES if file.parts[0] in ("pages", "app.py")], "torch")


def test_costs_stand_alone():
    costs = [file for file in CORE if file.parts[1] == "costs"]
    assert costs and not offenders(costs, "torch", "numpy", "streamlit")
    foreign = {name for file in costs for name in imported(file) if name.startswith("core.") and not name.startswith("core.costs")}
    assert not foreign


def test_charts_know_no_page():
    charts = [file for file in CORE if file.parts[1] == "charts"]
    assert charts and not offenders(charts, "streamlit", "core.ui")


@pytest.mark.parametrize("module, absent", [
    ("core", "torch streamlit numpy"), ("core.costs", "torch streamlit numpy"), ("core.charts", "streamlit"),
    ("core.measure", "streamlit altair"), ("core.training", "streamlit altair"), ("core.decoding", "streamlit altair"),
])  # fmt: skip
def test_importing_loads_no_more_than_it_needs(module, absent):
    """Also through other modules: what `import` really brings into a fresh process."""
    code = f"import sys, {module}; print(*sorted(set({absent.split()!r}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert not loaded
