"""The benchmarks: fitreel compared with what most people would write; python -m benchmarks."""
