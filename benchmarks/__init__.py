"""Benchmarks: one command, one table, one small file of results each."""
