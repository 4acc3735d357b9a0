#!/usr/bin/env python3
"""QEMU halted by SIGSTOP in every phase of a job: the machine is shown as silent within seconds, the job waits, and goes
on when the machine does, without running anything twice.

lud_test is lud with places where SAMSARA_STOP_AT=STEP.PHASE halts it once (orchestrator/hook/hook.h).
"""
import os
import signal

import cases
import lab
from test_lud_kill import check_once, next_update_works

# Each takes lud's five seconds; the first before the machine has the job, the second after.
POINTS = ['stage.chunk', 'run.sent']
MORE_POINTS = ['forge.did', 'stage.begin', 'run.accepted', 'confirm.begin']


def halt_at(world, point, *command):
    """Halt the machine when a job comes to this point, until it is shown as silent; what luctl told of the job."""
    world.lud_stop()
    world.lud_start('lud_test', {'SAMSARA_STOP_AT': point})
    if command[0] != 'machine':
        world.settled()
    asker = world.luctl_begin(*command)
    lab.until('lud to halt', lab.DEADLINE, world.lud_is_halted)
    os.kill(world.qemu_pid(), signal.SIGSTOP)
    try:
        world.lud.send_signal(signal.SIGCONT)
        lab.until('the machine to be silent', lab.DEADLINE, lambda: world.status()['machine']['state'] == 'silent')
        status = world.status()
        assert status['stale'] and all(s['service']['state'] == 'none' for s in status['services'])
        assert point != 'run.sent' or status['open_jobs'], 'the job is shown while it waits'
    finally:
        os.kill(world.qemu_pid(), signal.SIGCONT)
    out, err = asker.communicate(timeout=lab.DEADLINE)
    assert asker.returncode == 0, (asker.returncode, out, err)
    return err


def case_update(point):
    def case(world, rng):
        before = world.settled()
        told = halt_at(world, point, 'update', 'ds', *lab.HOST)
        assert 'is silent' in told and 'answers' in told, told
        _, committed = check_once(world, before, 1)
        assert len(committed) == 1, 'nothing stood against this update'
        next_update_works(world)
    return case


def case_start(world, rng):
    """While it boots: the start goes on where it was."""
    world.luctl('machine', 'stop', '--force', check=True)
    halt_at(world, 'launch.did', 'machine', 'start')
    world.wait_up()
    next_update_works(world)


def all_cases(args):
    points = POINTS + (MORE_POINTS if args.all_points else [])
    return [(f'halted at {point}', case_update(point)) for point in points] + [('halted while it boots', case_start)]


if __name__ == '__main__':
    cases.run(__doc__, all_cases, extra=[('all-points', 0, '1: more places of an update')])
