"""Glassbox: `streamlit run app.py`. The frame draws the navigation and then the page; see core/ui/frame.py."""

from core.ui import frame

frame.run()
