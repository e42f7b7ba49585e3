"""Watch a network learn a curve, and keep every run.

The library in five lines, without MLflow:

    from fitreel import evaluate, fit, generate, render
    dataset = generate()
    network, history = fit(dataset)
    print(evaluate(network.weights(), dataset))
    render(dataset, history, "rst.gif")
"""

import lazy_loader

__version__ = "0.7.0"

# Imported when first asked for: torch and mlflow take seconds, `fitreel --help` needs neither.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
