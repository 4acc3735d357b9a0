#!/usr/bin/env python3
"""Keeps the record of a lud that has done a bit of everything, as SQL: what later versions must be able to open, whatever
becomes of the tables here. Run when a version of the record is released; orchestrator/store/schema_test.c opens what is kept.

Usage: record_keep.py BUILD DIRECTORY
"""

import os
import sqlite3
import sys

import fleet
import harness


def live(world):
    """Jobs of every end, releases that are blocked and removed, policies, a rollout, holds, groups, crashes."""
    def before():
        world.peer.faults['roll_back'] = 1
        world.luctl('update', 'ds', code=5)
        world.luctl('release', 'clear', 'ds', '2')
        world.luctl('rerandomize', 'ds', '--layout', 'host')
        world.peer.faults['refuse'] = 1
        world.luctl('rerandomize', 'ds', code=7)
        world.luctl('machine', 'group', 'm', 'production')
        world.luctl('machine', 'label', 'm', 'role=appliance')
        world.peer.crash('ds')
        world.until(lambda: len(world.json('crashes')['crashes']) == 1)
    with fleet.fleet(world, 'then: next', before=before):
        fleet.state(world, 'done')
        world.luctl('rollback', 'ds')
        world.luctl('hold', 'ds', '--reason', 'to be kept')
        assert world.kill(15) == 0


def dump(path):
    with sqlite3.connect(path) as db:
        yield from (f'PRAGMA {name} = {db.execute("PRAGMA " + name).fetchone()[0]};' for name in ('user_version', 'application_id'))
        yield from db.iterdump()


def main(build, directory):
    with harness.World(build) as world:
        live(world)
        path = os.path.join(os.path.dirname(world.socket), 'lud.db')
        with sqlite3.connect(path) as db:
            version = db.execute('PRAGMA user_version').fetchone()[0]
        with open(os.path.join(directory, f'{version}.sql'), 'w', encoding='utf-8') as f:
            f.write('-- The record of a lud of this version, kept by orchestrator/test/record_keep.py. Never changed.\n')
            f.writelines(line + '\n' for line in dump(path))


if __name__ == '__main__':
    main(*sys.argv[1:])
