"""What is to be done on a machine with a GPU: python -m bench.gpu (see __main__.py)."""
