#!/usr/bin/env python3
"""The services that a machine ships, read from their descriptions; the build, tests and tools ask here.

usage: osd/services.py            prints their names, highest rank first: the kernel loads the first two
       osd/services.py --rooms    prints their directories, below this one
"""
import glob
import os
import re
import sys

OSD = os.path.dirname(os.path.abspath(__file__))
# Suites and their actors (osd/suites) are no part of a machine.
ROOMS = ('servers', 'drivers', 'fs')


def described(path):
    """(rank, name) of a service description."""
    with open(path, encoding='ascii') as f:
        text = f.read()
    return int(re.search(r'^rank (\d+)', text, re.M).group(1)), re.search(r'^service (\w+)', text, re.M).group(1)


def descriptions():
    return sorted(p for room in ROOMS for p in glob.glob(os.path.join(OSD, room, '*', '*.service')))


def machine():
    """Names, highest rank first."""
    return [name for _, name in sorted(map(described, descriptions()), reverse=True)]


def updatable(names):
    """Those of these services that can be updated live: they have a quiescent state, and the kernel does not load them."""
    found = set()
    for path in glob.glob(os.path.join(OSD, '*', '*', '*.service')):
        with open(path, encoding='ascii') as f:
            text = f.read()
        if not re.search(r'^state none', text, re.M):
            found.add(described(path)[1])
    return [name for name in names if name in found and name not in machine()[:2]]


def rooms():
    return [os.path.relpath(os.path.dirname(p), OSD) for p in descriptions()]


if __name__ == '__main__':
    print(' '.join(rooms() if sys.argv[1:] == ['--rooms'] else machine()))
