#!/usr/bin/env python3
"""kill -9 of lud instead of any call on its record while it carries out what a person asked for: what was answered
stands, of what was not all does or nothing, and whoever asks again has it. And while it ends: nothing is lost.

Usage: asked_killed_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import itertools
import os
import signal
import subprocess
import time

import harness
from harness import points, record, rows

# What it says changes nothing; each one says something else.
POLICY = ('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n'
          'windows: {deny: [{start: "2020-01-01 %s", length: 1s}]}\n')
TURNS = itertools.count(1)
# So long nothing is written before nothing more is expected.
REST_SECONDS = 0.5


class Policy:
    """A policy that says something else each time."""

    def prepare(self, world):
        self.time, self.before = '00:%02d:%02d' % divmod(next(TURNS), 60), self.version(world)
        self.path = os.path.join(world.dir, 'p.yaml')
        with open(self.path, 'w', encoding='ascii') as f:
            f.write(POLICY % self.time)

    def words(self):
        return 'policy', 'apply', self.path

    def version(self, world):
        return record(world, 'SELECT coalesce(max(id), 0) FROM policy_versions')[0]

    def is_done(self, world):
        counts = self.time in world.luctl('policy', 'show')
        assert self.version(world) == self.before + counts, (self.version(world), self.before, counts)
        return counts


class Remove:
    """A policy that counts no more: who asks again with the id is not told that there is none."""

    def prepare(self, world):
        policy = Policy()
        policy.prepare(world)
        world.luctl(*policy.words())
        self.name = 'turn.%d' % next(TURNS)

    def words(self):
        return 'policy', 'remove', 'p', '--request-id', self.name

    def is_done(self, world):
        return not world.json('policy', 'show')['policies']


class Block:
    """A release that is blocked, or cleared."""

    def __init__(self, blocks):
        self.blocks = blocks

    def prepare(self, world):
        self.name = 'turn.%d' % next(TURNS)
        if self.is_done(world):
            world.luctl('release', 'clear' if self.blocks else 'block', 'ds', '1')

    def words(self):
        return 'release', 'block' if self.blocks else 'clear', 'ds', '1', '--request-id', self.name

    def is_done(self, world):
        release, = world.json('release', 'list')['releases']
        assert bool(release['blocked']) == bool(release['blocked_why']), release
        return bool(release['blocked']) == self.blocks


class Hold:
    """All that is held, or let go."""

    def __init__(self, holds):
        self.holds = holds

    def prepare(self, world):
        self.name = 'turn.%d' % next(TURNS)
        if self.is_done(world):
            world.luctl('unhold' if self.holds else 'hold', '--all')

    def words(self):
        return ('hold', '--all') if self.holds else ('unhold', '--all', '--request-id', self.name)

    def is_done(self, world):
        n = len(world.json('holds')['holds'])
        assert n < 2, n
        return bool(n) == self.holds


def n_calls(world):
    """How many calls on the record there were so far, once there are no more: the session's own are over."""
    path = os.path.join(world.dir, 'calls')
    seen = [-1, 0]

    def rests():
        size = os.path.getsize(path)
        if size != seen[0]:
            seen[:] = size, time.monotonic()
        return time.monotonic() - seen[1] > REST_SECONDS
    world.until(rests)
    with open(path, 'rb') as f:
        found = f.read()
    at = n = 0
    # What was written follows its line, and may look like one.
    while (end := found.find(b'\n', at)) >= 0:
        words = found[at:end].split()
        n, at = max(n, int(words[0])), end + 1 + (int(words[5]) if words[1] == b'write' else 0)
    return n


def up(world):
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


def is_told(world, words):
    """Asks, and whether the answer is that it is done."""
    return subprocess.run([world.program('ctl/luctl'), *words, '--socket', world.socket], check=False,
                          capture_output=True, timeout=100).returncode == 0


def is_well(world):
    """The record is whole, and lud says so."""
    world.luctl('db', 'check')
    status = world.json('status')
    assert status['record']['state'] == 'well', status['record']


def mortal(world):
    """lud anew, which ends at the k-th call from when k is written to the file that is returned."""
    die = os.path.join(world.dir, 'die')
    with contextlib.suppress(FileNotFoundError):
        os.unlink(die)
    world.kill()
    world.start(faults={'LIST': os.path.join(world.dir, 'calls'), 'DIE_IN': die})
    up(world)
    return die


def asked(world, request, k):
    """The request, of a lud that ends instead of the k-th call from here on. False: it came to no such call."""
    die = mortal(world)
    request.prepare(world)
    with open(die + '.new', 'w', encoding='ascii') as f:
        f.write('%d' % (n_calls(world) + k))
    os.rename(die + '.new', die)
    told = is_told(world, request.words())
    n_calls(world)
    has_died = world.lud.poll() is not None
    world.kill()
    world.start()
    up(world)
    was_done = request.is_done(world)
    assert was_done or not told, k
    is_well(world)
    assert is_told(world, request.words()) and request.is_done(world), k
    return has_died


def sweep(world, request):
    """Each call in turn, until there is none left."""
    world.prepare()
    n = next(k - 1 for k in itertools.count(1) if not asked(world, request, k))
    print('# %d calls' % n)
    assert n >= 2, n


def test_policy(world):
    """A policy is applied."""
    sweep(world, Policy())


def test_remove(world):
    """A policy is removed."""
    sweep(world, Remove())


def test_block(world):
    """A release is blocked."""
    sweep(world, Block(True))


def test_clear(world):
    """A release is cleared."""
    sweep(world, Block(False))


def test_hold(world):
    """Everything is held."""
    sweep(world, Hold(True))


def test_unhold(world):
    """Everything is let go."""
    sweep(world, Hold(False))


class Away:
    """What a lud that ends leaves behind: a job that the machine is at, one that is put off, a hold, a policy."""

    def __init__(self, world):
        world.prepare()
        self.policy = Policy()
        self.policy.prepare(world)
        world.luctl(*self.policy.words())
        world.peer.faults['hold_result'] = 1
        self.runs = self.ask(world)
        world.until(lambda: world.peer.withheld)
        world.luctl('hold', 'ds')
        self.waits = self.ask(world)
        world.until(lambda: self.state(world, self.waits) == 'JOB_STATE_HELD')

    def ask(self, world):
        return world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']

    def state(self, world, job):
        with world.control() as control:
            return control.call(job_show={'job': job})['state']

    def check(self, world):
        """All of it is there, and the machine was asked for nothing twice."""
        is_well(world)
        assert self.policy.is_done(world) and [h['service'] for h in world.json('holds')['holds']] == ['ds']
        assert self.state(world, self.waits) == 'JOB_STATE_HELD' and len(world.peer.runs) == 1, world.peer.runs
        assert self.state(world, self.runs) in ('JOB_STATE_ORDERED', 'JOB_STATE_PREPARING', 'JOB_STATE_SWITCHING')

    def end(self, world):
        """Both jobs come to their ends."""
        world.peer.release()
        assert world.settle(self.runs)['state'] == 'JOB_STATE_CONFIRMED'
        world.luctl('unhold', 'ds')
        assert world.settle(self.waits)['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 2


def ended(world, away, k):
    """SIGTERM, and kill -9 instead of the k-th call of lud's way out on its record. False: it came to no such call."""
    die = mortal(world)
    # Something is in the log of the record, and not in the record yet.
    world.luctl('hold', 'rs')
    world.luctl('unhold', 'rs')
    with open(die + '.new', 'w', encoding='ascii') as f:
        f.write('%d' % (n_calls(world) + k))
    os.rename(die + '.new', die)
    code = world.kill(signal.SIGTERM)
    assert code in (0, -signal.SIGKILL), code
    world.start()
    up(world)
    away.check(world)
    return code != 0


def test_shutdown(world):
    """lud is told to end, and is killed instead of any call of its way out: the next one finds all, and goes on with it."""
    away = Away(world)
    n = next(k - 1 for k in itertools.count(1) if not ended(world, away, k))
    print('# %d calls' % n)
    assert n >= 2, n
    away.end(world)


def the_job(world, request_id):
    """The one job of a request, once it is over or waits for a signature."""
    (job,), = rows(world, "SELECT id FROM jobs WHERE request_id = '%s'" % request_id)

    def found():
        with world.control() as control:
            shown = control.call(job_show={'job': job})
        return (shown.get('ended_us') or 'signature' in shown.get('waits_for', '')) and shown
    return world.until(found)


def signed_again(world, death, words):
    """kill -9 at this point of a command that a control key signs: its order is given once or never, and the job says which;
    whoever asks again is told of the same job. Its state."""
    n = len(world.peer.orders)
    words = [*words, '--keys', world.dir + '/keys', '--request-id', death]
    world.kill()
    world.start(die_at=death)
    up(world)
    is_told(world, words)
    world.wait_dead()
    world.start()
    up(world)
    job = the_job(world, death)
    if not job.get('ended_us'):
        # Who was to sign it has gone with the lud before.
        world.luctl('job', 'cancel', str(job['id']))
    told = is_told(world, words)
    done = the_job(world, death)
    is_given = done['state'] == 'JOB_STATE_COMMITTED'
    assert done['id'] == job['id'] and (is_given or done['state'] == 'JOB_STATE_CANCELLED'), (death, job, done)
    assert told == is_given and len(world.peer.orders) == n + is_given, (death, done, world.peer.orders[n:])
    is_well(world)
    return done['state']


def test_restart(world):
    """kill -9 at every step of a restart, which a control key signs."""
    words = 'restart', 'ds'

    def run():
        up(world)
        world.luctl(*words, '--keys', world.dir + '/keys')
    world.prepare()
    states = {signed_again(world, death, words) for death in points(world, run, ['order', 'run'])}
    assert len(states) == 2, states


harness.main(globals(), 2)
