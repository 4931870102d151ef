"""python -m core.training.curriculum --sample 20 --language de: print some documents of the curriculum."""

import argparse
import random
from itertools import islice

from core.training import curriculum
from core.training.curriculum import facts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training.curriculum", description=__doc__)
    parser.add_argument("--sample", type=int, default=20, help="how many documents")
    parser.add_argument("--language", choices=("de", "en"), help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--facts", action="store_true", help="only texts of facts")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    if args.facts:
        texts = (facts.documents(rng, args.language or rng.choice(("de", "en"))) for _ in range(args.sample))
    else:
        texts = islice(curriculum.documents(args.seed, args.language), args.sample)
    print("\n\n".join(texts))


if __name__ == "__main__":
    main()
