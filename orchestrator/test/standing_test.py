#!/usr/bin/env python3
"""Standing orders: what a machine was given, what lud believes of it, and when it is given anew.

Usage: standing_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import sqlite3
import time

import harness


def refused_standing(world, ask):
    """The code that a standing order is refused with."""
    with world.control() as control:
        try:
            control.call(standing=ask)
        except harness.wire.Refused as e:
            return e.error['cause']['name']
    return 'not refused'


def test_standing_sizes(world):
    """More services and quiet times than a standing order holds are refused, also of one that is to end another."""
    world.prepare()
    quiet = [{'from_sec': 86000 + i % 300, 'until_sec': 86399} for i in range(9)]
    for ask in ({'services': ['ds'] * 65}, {'services': ['ds'] * 4000}, {'services': ['ds'] * 4000, 'every_ms': 0},
                {'quiet': quiet}, {'quiet': quiet * 60, 'every_ms': 0}, {'quiet': quiet[:1], 'every_ms': 50},
                {'for_ms': 2 ** 63}):
        assert refused_standing(world, {'every_ms': 20000, **ask}) == 'times', ask
    # A machine whose services have longer names than a kit can give them.
    long = ['x%0200d' % i for i in range(20)]
    for name in long:
        world.peer.add_service(name, bytes(64))
    world.luctl('status')
    assert refused_standing(world, {'every_ms': 20000, 'services': long}) == 'too-many'


def test_standing_truth(world):
    """What a machine has is the machine's word: whatever the record says of it, it is brought to what is wanted, and
    until it is, the status says why not."""
    world.prepare()

    def amiss():
        return world.json('status')['standing_amiss']

    def gives_again(lost):
        taken, world.peer.standing = world.peer.n_standing, lost
        world.luctl('status')
        assert 'within some seconds' in amiss(), world.json('status')
        world.until(lambda: world.peer.n_standing == taken + 1)
        world.until(lambda: not amiss())
        world.luctl('status')
        assert world.peer.n_standing == taken + 1
    world.luctl('rerandomize', 'ds', '--every', '20s')
    first = dict(world.peer.standing)
    assert first['state'] == 'STANDING_RUNNING' and not amiss(), first
    gives_again(None)                                                   # put back to a snapshot
    assert world.peer.standing == dict(first, number=first['number'] + 1, expires=world.peer.standing['expires'])
    gives_again(dict(world.peer.standing, state='STANDING_EXPIRED'))    # the clocks do not agree
    gives_again(dict(world.peer.standing, number=70, every_ms=5000))    # the record is an old copy
    assert (world.peer.standing['number'], world.peer.standing['every_ms']) == (71, 20000)
    world.luctl('rerandomize', '--every', 'off')
    gives_again(dict(world.peer.standing, state='STANDING_RUNNING', number=80))
    assert world.peer.standing['state'] == 'STANDING_WITHDRAWN' and world.peer.standing['number'] == 81
    world.luctl('rerandomize', 'ds', '--every', '20s')
    # A newer root ends it, and the machine learns of that root by the next one: it is given a statement first.
    n_stated = len(world.peer.statements)
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: world.peer.standing['epoch'] == 2)
    assert len(world.peer.statements) == n_stated + 1 and 'the standing order' not in world.log(), world.log()
    world.until(lambda: not amiss())
    # No number is above this one: none is given, and 0 least of all.
    taken, had = world.peer.n_standing, dict(world.peer.standing)
    world.peer.standing = dict(had, state='STANDING_RUNNING', number=2 ** 64 - 1)
    world.until(lambda: 'the highest number' in amiss())
    assert 'stop the machine' in world.luctl('status') and world.peer.n_standing == taken
    world.peer.standing = had
    world.until(lambda: not amiss())
    # One that cannot be given: status says so, with the remedy, and the log once.
    world.peer.faults['refuse_standing'] = 2
    world.peer.standing = None
    world.until(lambda: 'another boot' in amiss(), seconds=40)
    told = world.luctl('status')
    assert 'standing order: the machine has not the one that is wanted: made for another boot' in told, told
    assert '`luctl status`' in told, told
    world.until(lambda: not amiss(), seconds=40)
    assert world.log().count('the standing order: made for another boot') == 1, world.log()


def standing_ends(world, sec):
    """lud comes back as if time had passed: the machine's standing order ends in so many seconds."""
    world.kill()
    ends = int(time.time()) + sec
    db = sqlite3.connect(world.state + '/lud.db')
    db.execute('UPDATE standings SET expires = ?', (ends,))
    db.commit()
    db.close()
    world.peer.standing['expires'] = ends
    world.start()


def test_standing_renewal(world):
    """An order is renewed when a quarter of a day is left of it, and under a newer root, each time after the kits that it
    needs; one that is to end is not made longer."""
    hour = 3600
    world.prepare()
    world.luctl('update', 'ds')
    assert not world.peer.kits
    # The kit of what the host made is shown first; one that the machine does not take is told.
    world.peer.faults['refuse_kit'] = 1
    assert 'its key is over' in world.luctl('rerandomize', 'ds', '--every', '20s', code=4)
    assert not world.peer.n_standing
    world.until(lambda: world.peer.n_standing == 1 and not world.json('status')['standing_amiss'])
    kit, = world.peer.kits.values()
    assert kit.release_id == world.release_id(world.kits[0])
    # A look at the machine ends with its status: two of them, and nothing was given.
    standing_ends(world, 6 * hour + 600)
    statuses = world.peer.n_status
    world.until(lambda: world.peer.n_status >= statuses + 3)
    assert world.peer.n_standing == 1
    standing_ends(world, 6 * hour - 600)
    world.until(lambda: world.peer.n_standing == 2)
    assert world.peer.standing['expires'] > time.time() + 23 * hour, world.peer.standing
    epoch = world.peer.standing['epoch']
    world.peer.kits.clear()
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.until(lambda: world.peer.n_standing == 3)
    assert world.peer.standing['epoch'] > epoch and kit.release_id in world.peer.kits
    # One that is wanted for an hour ends then.
    world.luctl('rerandomize', 'ds', '--every', '20s', '--for', '1h')
    assert world.peer.n_standing == 4 and world.peer.standing['expires'] <= time.time() + hour + 2
    world.kill()
    world.start()
    statuses = world.peer.n_status
    world.until(lambda: world.peer.n_status >= statuses + 3)
    assert world.peer.n_standing == 4


def test_standing_watched(world):
    """Each machine is looked at for itself: those that have another order than is wanted are told, by name, one that was removed is
    forgotten, and the others are looked at as before."""
    world.prepare()

    def amiss():
        return [row['machine'] for row in world.json('status')['overview']['amiss'] if 'standing order' in row['text']]
    others = {name: harness.peer.Peer(os.path.join(world.dir, name + '.sock')) for name in ('c', 'a')}
    with others['a'], others['c']:
        for name, machine in others.items():
            machine.add_service('ds', world.release_id(world.kits[0]))
            world.luctl('machine', 'start', name, '--attach', machine.path)
        for name in ('m', 'c', 'a'):
            world.luctl('rerandomize', 'ds', '--every', '20s', '-m', name)
        world.until(lambda: not amiss())
        for machine in (world.peer, others['a']):
            machine.faults['refuse_standing'] = 1 << 30
            machine.standing = None
        world.until(lambda: amiss() == ['a', 'm'])
        world.luctl('machine', 'stop', 'a')
        assert amiss() == ['m']
        world.luctl('machine', 'remove', 'a')
        world.peer.faults.clear()
        world.until(lambda: not amiss() and world.peer.standing)
        taken = others['c'].n_standing
        others['c'].standing = None
        world.until(lambda: others['c'].n_standing == taken + 1)
        # One that comes again is looked at again, by another lud, too.
        world.kill()
        others['c'].standing = None
        world.start()
        world.until(lambda: others['c'].n_standing == taken + 2)


harness.main(globals(), 3)
