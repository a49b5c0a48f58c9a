"""Benchmarks of sklearn_intelvae: scripts that write the tables of ``benchmarks/results``.

Each is run as a module, as in ``python -m benchmarks.intelvae.holes``. ``README.md`` lists them.
"""
