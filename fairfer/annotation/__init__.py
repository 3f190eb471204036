"""Inferred gender, race and age of the faces of a dataset, as a table for ``--demographics``.

Modules: `infer` (asks the networks and makes the table), `checked` (compares with checked faces), `provenance` (the TOML file).
"""
