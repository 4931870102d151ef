"""Data in, Altair chart or Plotly figure out. No streamlit here.

Colours come from the theme (core/charts/theme.py), so every chart is right in light and dark by itself.
"""
