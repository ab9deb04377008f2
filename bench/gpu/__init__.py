"""What is to be done on a machine with a GPU: python -m bench.gpu (see __main__.py).

A stage (stages.py) is a generator of cases: names, and functions that give a row of results. A worker (worker.py) runs
them and writes every row as it comes; whoever started it kills it where a case does not end, and starts another.
"""
