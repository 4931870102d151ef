"""Glassbox: `streamlit run app.py`. The frame draws the navigation and then the page; see core/ui/frame.py."""

import os

# SciPy looks when it is imported: its fits are many times slower on two threads that wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from core.ui import frame  # noqa: E402

frame.run()
