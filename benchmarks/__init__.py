"""The benchmarks: fitreel beside what most people would write; python -m benchmarks."""
