#!/usr/bin/env python3
"""What policies decide in lud: which machines they match, how they come into the record and out of it again, and what
they let happen.

Usage: policy_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import harness


def marks(world):
    machine, = world.json('machine', 'list')['machines']
    return machine.get('groups', ''), machine.get('labels', '')


def test_marks(world):
    """Groups and labels are set, taken away, kept and shown; one wrong word changes nothing."""
    world.prepare()
    world.luctl('machine', 'group', 'm', 'production', 'eu', '--reason', 'goes live')
    world.luctl('machine', 'label', 'm', 'role=appliance', 'site=a')
    assert 'goes live' in world.log()
    world.luctl('machine', 'label', 'm', 'site=b')
    world.kill()
    world.start()
    assert marks(world) == ('production,eu', 'role=appliance,site=b')
    assert 'production,eu' in world.luctl('machine', 'list') and 'role=appliance' in world.luctl('status')
    told = world.luctl('machine', 'label', 'm', 'x=1', 'role', code=4)
    assert 'not a label' in told and 'KEY=VALUE' in told, told
    assert 'not in this group' in world.luctl('machine', 'group', 'm', '--remove', 'eu', 'us', code=4)
    assert marks(world) == ('production,eu', 'role=appliance,site=b')
    world.luctl('machine', 'label', 'm', '--remove', 'site')
    world.luctl('machine', 'group', 'm', '--remove', 'production', 'eu')
    assert marks(world) == ('', 'role=appliance')


harness.main(globals(), 2)
