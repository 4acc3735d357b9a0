#!/usr/bin/env python3
"""Removes from the directory of generated code what no kit takes any more.

usage: osd/prune.py DIRECTORY STAMP KIT...

`luforge kit --cache DIRECTORY` names an object by a hash of what it is made from, so an edit leaves the old one
behind, and lists what it took in DIRECTORY/KIT.uses. The build runs this when a kit was made, after all of them:
nobody fills the directory then. STAMP is written at the end.
"""
import os
import sys


def used(directory, kits):
    """Names that may stay."""
    keep = set()
    for kit in kits:
        keep.add(kit + '.uses')
        with open(os.path.join(directory, kit + '.uses'), encoding='ascii') as f:
            for name in f.read().split():
                keep |= {name, name.removesuffix('.o') + '.debug.o', name.removesuffix('.o') + '.sum'}
    return keep


def prune(directory, kits):
    for name in set(os.listdir(directory)) - used(directory, kits):
        os.unlink(os.path.join(directory, name))


def main():
    directory, stamp, *kits = sys.argv[1:]
    prune(directory, kits)
    with open(stamp, 'w', encoding='ascii'):
        pass


if __name__ == '__main__':
    main()
