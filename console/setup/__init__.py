"""From a checkout to running processes: what `make run` and `make demo` do after the packages.

translations compiles the catalogues, data makes the database and the first admin ready,
identity decides whom the console's processes run as, supervisor keeps them running, and
rules holds the checks of `make lint` that no linter on the market knows.
"""
