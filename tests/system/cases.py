"""Runs the cases of a whole-system test as TAP, all in one lab.

    CASES = [('what is shown', case_function), ...]      # case(lab, rng)
    cases.run(__doc__, CASES, start)
"""
import argparse
import os
import random
import sys
import time
import traceback

import lab


def arguments(doc, extra):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--build', default=os.path.join(lab.ROOT, 'build'))
    p.add_argument('--keep', help='directory to leave everything in')
    p.add_argument('--seed', default=os.environ.get('SAMSARA_SEED', '1'), help='of the random choices of a run')
    p.add_argument('--only', default='', help='run only cases whose names contain this')
    for name, default, text in extra:
        p.add_argument('--' + name, type=type(default), default=default, help=text)
    return p.parse_args()


def one(number, name, case, world, rng):
    started = time.monotonic()
    try:
        case(world, rng)
        print(f'ok {number} - {name} # {time.monotonic() - started:.1f} s', flush=True)
        return 0
    except Exception:  # pylint: disable=broad-except
        print(f'not ok {number} - {name}')
        print('# ' + traceback.format_exc().replace('\n', '\n# '))
        print(''.join('# ' + line.rstrip('\n') + '\n' for line in world.tails()), flush=True)
        world.recover()
        return 1


def run(doc, cases, extra=(), world_type=lab.Lab):
    """cases: (name, function) pairs, or a function of the arguments that gives them. Does not return."""
    args = arguments(doc, extra)
    cases = [c for c in (cases(args) if callable(cases) else cases) if args.only in c[0]]
    rng = random.Random(args.seed)
    print(f'# seed {args.seed}')
    print(f'1..{len(cases)}', flush=True)
    failed = 0
    with world_type(args.build, keep=args.keep) as world:
        world.start()
        for number, (name, case) in enumerate(cases, 1):
            failed += one(number, name, case, world, rng)
    sys.exit(1 if failed else 0)
