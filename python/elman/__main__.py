"""`python -m elman info`: what this installation is and what it runs on."""

import argparse

from ._info import info


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m elman", description=__doc__)
    parser.add_argument(
        "command", choices=["info"], help="info: print version, instruction set, threads, caches"
    )
    parser.parse_args()
    facts = info()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")


if __name__ == "__main__":
    main()
