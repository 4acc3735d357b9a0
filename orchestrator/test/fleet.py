"""What the tests of rollouts share: a few machines under a policy with two rings, and looks at what becomes of it."""

import contextlib
import os
import sqlite3

import peer

RINGS = '''update: {mode: apply}
rollout:
  rings:
    - {name: first, size: %d, soak: %s, healthy: 60s, deadline: 60s, %s}
    - {name: all, size: 100%%, soak: 1s, healthy: 30s, deadline: 60s, error_budget: 2}
'''


def add(world):
    """The next release, which the policy has all machines updated to; a lud that dies meanwhile answers nothing."""
    world.kits.append(world.kit('ds', len(world.kits) + 1))
    world.luctl('release', 'add', world.kits[-1], code=None)


@contextlib.contextmanager
def fleet(world, ring, n=3, soak='1s', before=lambda: None, size=1):
    """n machines under a policy with two rings, which has all of them updated to release 2."""
    world.prepare(2)
    before()
    with contextlib.ExitStack() as stack:
        world.peers = {'m': world.peer}
        for i in range(1, n):
            other = peer.Peer(os.path.join(world.dir, 'p%d.sock' % i))
            other.add_service('ds', world.release_id(world.kits[0]))
            stack.enter_context(other)
            world.luctl('machine', 'start', 'm%d' % i, '--attach', other.path)
            world.peers['m%d' % i] = other
        path = os.path.join(world.dir, 'p.yaml')
        with open(path, 'w', encoding='ascii') as f:
            f.write('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n' + RINGS % (size, soak, ring))
        world.luctl('policy', 'apply', path)
        yield
        world.kill(15)


def rollout(world, number=1):
    return world.json('rollout', 'status', str(number))['rollouts'][0]


def state(world, wanted, number=1):
    world.until(lambda: rollout(world, number)['state'] == wanted)
    return rollout(world, number)


def until_up(world):
    world.until(lambda: all(m['state'] == 'up' for m in world.json('machine', 'list')['machines']))


def dies(world, death, act):
    """lud kills itself at this point, of what is done to it or of what follows, and is started again."""
    world.kill()
    world.start(die_at=death)
    act()
    world.wait_dead()
    world.start()
    until_up(world)


def write(world, *statements):
    """Changes the record while lud is away."""
    world.kill()
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    world.start()


NUMBERS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) '


def run(world):
    return sorted(name for name, machine in world.peers.items() if machine.runs)


def history(world, number):
    return [c['what'] for c in rollout(world, number)['changes']]


def told(world, last):
    """What was said of rollouts to whoever watches, up to this word."""
    found = []
    with world.control() as control:
        control.send(watch={'run': 'of another lud', 'after': 0})
        while last not in found:
            found += [e['state'] for e in control.receive(100)['events'].get('events', []) if e['kind'] == 'rollout']
    return found


def amiss(world):
    return [(row['level'], row['text']) for row in world.json('status')['overview']['amiss'] if row['kind'] == 'rollout']
