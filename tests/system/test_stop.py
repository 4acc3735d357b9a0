#!/usr/bin/env python3
"""A machine that stands still for a while: QEMU is stopped as a whole, under load, at rest and in an update. Nobody in
the machine had time meanwhile, so nothing may be late: no service is restarted, no update ends by a time limit.
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
            [world.program('ctl', 'luctl'), 'update', 'ds', '--state', 'unreachable', '--timeout', '4s', '--json',
             '--socket', world.socket], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lab.until('the update to prepare', lab.DEADLINE, lambda: world.service('ds')['state'] == 'updating')
        stop(world, seconds)
        out, _ = update.communicate(timeout=lab.DEADLINE)
        assert '"rolled_back"' in out, out
        assert noticed(world) > seen
        assert restarts(world) == before
        world.check_truth()
    return case


def case_next_update(world, rng):
    """The machine takes the next update as ever."""
    assert world.luctl('rerandomize', 'ds').code == 0
    world.check_truth()
    assert world.wait_load()['errors'] == 0


def all_cases(args):
    return [('a stop under load', case_under_load(args.seconds)),
            ('a stop in an update', case_in_a_prepare(args.seconds)), ('the next update', case_next_update)]


if __name__ == '__main__':
    cases.run(__doc__, all_cases, [('seconds', STOP, 'how long QEMU is stopped each time')])
