"""The stand that trains glasshouse beside its peers on real tables: `python benchmarks/bench_tables.py --help`."""
