#!/usr/bin/env python3
"""Time of `luforge variant` for each kit, best of five, in milliseconds, as one JSON object.

usage: forge/bench.py LUFORGE KIT..."""
import json
import os
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def variant_ms(luforge, kit, out):
    best = None
    for n in range(ROUNDS):
        started = time.perf_counter()
        subprocess.run([luforge, 'variant', '--kit', kit, '--seed', f'{n:064x}', '--out', out], check=True)
        spent = (time.perf_counter() - started) * 1000
        best = spent if best is None else min(best, spent)
    return round(best, 1)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, 'payload')
        times = {os.path.basename(k.rstrip('/'))[:-4]: variant_ms(sys.argv[1], k, out) for k in sys.argv[2:]}
    print(json.dumps({'forge.variant.ms': times}))


main()
