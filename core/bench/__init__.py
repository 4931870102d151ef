"""Measurements that can be repeated: `python -m core.bench NAME` prints a table, then one JSON line."""
