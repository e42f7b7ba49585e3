"""The benchmark of own data: our network, scikit-learn's and linear models on the same tables."""
