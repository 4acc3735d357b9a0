#!/usr/bin/env python3
"""A machine that stands still for a while: QEMU is stopped as a whole, under load, at rest and in an update. Nobody in
the machine had time meanwhile, so nothing may be late: no service is restarted, no update ends by a time limit. And an
update that a person stops: the service runs on.
"""
import os
import signal
import subprocess
import time

import cases
import lab

# Longer than the limits that run here: heartbeats, prepare and transfer (2 s each).
STOP = 5


def stop(world, seconds):
    pid = world.qemu_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def restarts(world):
    return {s['service']['name']: s['service'].get('restarts', 0) for s in world.status()['services']}


def noticed(world):
    with open(os.path.join(world.machine_dir, 'debug.log'), errors='replace') as f:
        return f.read().count('the machine stood still')


def case_under_load(seconds):
    """The load goes on where it was, and no heartbeat is missed."""
    def case(world, rng):
        before, seen = restarts(world), noticed(world)
        stop(world, seconds)
        world.settled()
        assert noticed(world) > seen
        assert world.wait_load()['errors'] == 0
        assert restarts(world) == before
    return case


def case_in_a_prepare(seconds):
    """A service that cannot reach its state is given its time, whatever was lost between them."""
    def case(world, rng):
        before, seen = restarts(world), noticed(world)
        update = subprocess.Popen(
            [world.program('ctl', 'luctl'), 'update', 'ds', '--state', 'unreachable', '--timeout', '10s', '--json',
             '--socket', world.socket], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lab.until('the update to prepare', lab.DEADLINE, lambda: world.service('ds')['state'] == 'updating')
        stop(world, seconds)
        out, _ = update.communicate(timeout=lab.DEADLINE)
        assert '"rolled_back"' in out, out
        assert noticed(world) > seen
        assert restarts(world) == before
        world.check_truth()
    return case


def case_cancel(world, rng):
    """A real update that the machine prepares is let go of when a person says so: what ran runs on, under its load."""
    before, seen = world.service('ds'), restarts(world)
    job = str(world.luctl('update', 'ds', '--state', 'unreachable', '--timeout', '60s', '--detach', as_json=True,
                          check=True).json['id'])
    lab.until('the update to prepare', lab.DEADLINE, lambda: world.service('ds')['state'] == 'updating')
    told = world.luctl('job', 'cancel', job, '--reason', 'not today', check=True)
    ended = world.luctl('job', 'show', job, '--wait', as_json=True).json
    assert ended['state'] == 'cancelled' and ended['cause']['name'] == 'E_CANCELLED', (told.out, told.err, ended)
    assert 'not today' in ended['hint'], ended
    lab.until('the service to run on', lab.DEADLINE, lambda: world.service('ds')['state'] == 'running')
    after = world.service('ds')
    assert (after['build_id'], after['uptime_ns'] > before['uptime_ns']) == (before['build_id'], True), after
    assert restarts(world) == seen and world.wait_load()['errors'] == 0
    world.check_truth()
    assert 'no open job' in world.luctl('job', 'cancel', job).err


def case_held(world, rng):
    """A job that waits, before its turn or put off, is cancelled at once, and the machine never hears of it."""
    txn = world.newest_txn()
    world.luctl('hold', '--reason', 'freeze', check=True)
    held = str(world.luctl('update', 'ds', '--detach', as_json=True, check=True).json['id'])
    lab.until('the job to be held', lab.DEADLINE, lambda: world.luctl(
        'job', 'show', held, as_json=True).json['state'] == 'held')
    world.luctl('job', 'cancel', held, check=True)
    assert world.luctl('job', 'show', held, as_json=True).json['state'] == 'cancelled'
    world.luctl('unhold', check=True)
    assert world.newest_txn() == txn
    world.check_truth()


def case_next_update(world, rng):
    """The machine takes the next update as ever."""
    assert world.luctl('rerandomize', 'ds').code == 0
    world.check_truth()
    assert world.wait_load()['errors'] == 0


def all_cases(args):
    return [('a stop under load', case_under_load(args.seconds)),
            ('a stop in an update', case_in_a_prepare(args.seconds)), ('a cancel in an update', case_cancel),
            ('a cancel of what waits', case_held), ('the next update', case_next_update)]


if __name__ == '__main__':
    cases.run(__doc__, all_cases, [('seconds', STOP, 'how long QEMU is stopped each time')])
