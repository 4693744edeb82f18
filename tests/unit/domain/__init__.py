"""The rules: plain functions over values, as tables and as properties."""
