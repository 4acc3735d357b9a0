#!/usr/bin/env python3
"""A boot image of real kits in fixed layouts, for the fuzzer of RS.

usage: make_image.py LUFORGE OUT KIT...        the first two are loaded by the kernel
"""
import os
import subprocess
import sys
import tempfile


def main():
    luforge, out, *kits = sys.argv[1:]
    seed = '5a' * 32
    lines = ['machine_id ' + '11' * 16, 'random_seed ' + seed, 'boot_time 1800000000', 'cmdline test=fuzz']
    with tempfile.TemporaryDirectory() as at:
        for n, kit in enumerate(kits):
            name = os.path.basename(kit).removesuffix('.kit')
            payload = os.path.join(at, name)
            subprocess.run([luforge, 'variant', '--kit', kit, '--seed', seed, '--out', payload], check=True)
            lines.append('service %s %skit %s payload %s generation 1' % (
                name, 'kernel ' if n < 2 else '', kit, payload))
        listing = os.path.join(at, 'list')
        with open(listing, 'w', encoding='ascii') as f:
            f.write('\n'.join(lines) + '\n')
        subprocess.run([luforge, 'image', '--out', out, listing], check=True)


main()
