#!/usr/bin/env python3
"""What a variant of each kit costs in CPU time of one core, in milliseconds, best of some, as JSON objects:
forge.variant.ms.cold, a whole process of luforge; forge.variant.ms.warm, in a process that has the kit;
forge.layer.ms, a variant of each kit before `--besides` in such a process. And the bytes of each kit's flat file and
state description, which is what a machine keeps of it.

usage: forge/bench.py LUFORGE KIT... [--besides KIT...]"""
import json
import os
import resource
import subprocess
import sys
import tempfile

ROUNDS = 9
PARTS = ('manifest', 'state', 'flat')


def spent_ms():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (children.ru_utime + children.ru_stime) * 1000


def cold_ms(luforge, kit, out):
    best = None
    for n in range(ROUNDS):
        before = spent_ms()
        subprocess.run([luforge, 'variant', '--kit', kit, '--seed', f'{n:064x}', '--out', out], check=True)
        took = spent_ms() - before
        best = took if best is None else min(best, took)
    return round(best, 1)


def figure(name, value, unit, note):
    print(json.dumps({'name': name, 'value': round(value, 3), 'unit': unit, 'better': 'lower', 'note': note}))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    luforge, words = sys.argv[1], [*sys.argv[2:], '--besides']
    at = words.index('--besides')
    kits = [word for word in words if word != '--besides']
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, 'payload')
        cold = {os.path.basename(k.rstrip('/'))[:-4]: cold_ms(luforge, k, out) for k in kits}
    print(json.dumps({'forge.variant.ms.cold': cold}))
    timer = os.path.join(os.path.dirname(luforge), 'variant-time')
    warm = json.loads(subprocess.run([timer, *kits], capture_output=True, text=True, check=True).stdout)
    print(json.dumps({'forge.variant.ms.warm': warm}))
    layer = list(warm.values())[:at]
    figure('forge.layer.ms', sum(layer), 'ms', 'a variant of each of %d services, warm, CPU time; aim 8' % len(layer))
    for kit in kits:
        figure('kit.bytes.' + os.path.basename(kit.rstrip('/'))[:-4],
               sum(os.path.getsize(os.path.join(kit, part)) for part in PARTS), 'bytes',
               'what a machine keeps of a release: ' + ', '.join(PARTS))


main()
