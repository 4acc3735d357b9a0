#!/usr/bin/env python3
"""lud killed at every step of a job, at any moment, and together with its machine: the record is settled by what
the machine says, nothing is done twice, and the next update works.

lud_test is lud with places where SAMSARA_DIE_AT=STEP.PHASE ends it by SIGKILL (orchestrator/hook/hook.h).
"""
import os
import random
import signal
import subprocess
import time

import cases
import lab

PHASES = ('begin', 'did', 'end')
UPDATE_STEPS = ('pair', 'seed', 'forge', 'sign', 'stage', 'order', 'run', 'check', 'confirm')
MADE_STEPS = ('pair', 'stage', 'order', 'run', 'check', 'confirm')
BETWEEN = ['stage.chunk', 'run.sent', 'run.accepted', 'confirm.sent', 'confirm.accepted']
MOVE_STEPS = ('move',)
START_STEPS = ('seed', 'forge', 'sign', 'image', 'launch', 'confirm')


def check_once(world, before, jobs, name='ds'):
    """The jobs made at most one committed generation each, and the machine runs the newest of them."""
    after = world.check_truth(name)
    new = [g for g in world.history(name) if g['generation'] > before['generation']]
    committed = [g for g in new if g['state'] in ('running', 'past')]
    by_job = [g['job']['id'] for g in committed]
    assert len(by_job) == len(set(by_job)), f'a job committed twice: {new}'
    for g in new:
        # What a job drew before its seed was lost with lud never ran.
        last = g['generation'] == g['job']['generation']
        assert (g['job']['state'] == 'confirmed' and last) == (g in committed), g
        assert last or g['state'] == 'never ran', g
    assert len({g['job']['id'] for g in new}) == jobs, f'{jobs} jobs expected: {new}'
    assert after['generation'] == max([g['generation'] for g in committed] + [before['generation']])
    results = world.results()
    assert results and len(results) == len(set(results)), 'a transaction ended twice'
    return after, committed


def next_update_works(world):
    answer = world.luctl('rerandomize', 'ds', as_json=True)
    assert answer.code == 0 and answer.json['jobs'][0]['state'] == 'confirmed', answer.out + answer.err
    figures = world.metrics()
    assert figures['errors'] == 0, figures


def case_update(point, *words):
    def case(world, rng):
        world.lud_stop()
        world.lud_start('lud_test', {'SAMSARA_DIE_AT': point})
        before = world.settled()
        lost = world.luctl('update', 'ds', *words)
        assert lost.code == 8, (lost.code, lost.err)
        assert world.lud_has_died()
        world.lud_start()
        _, committed = check_once(world, before, 1)
        assert len(committed) == 1, 'nothing stood against this update'
    return case


def case_next(world, rng):
    next_update_works(world)


def case_random_kills(times):
    """kill -9 at any moment of an update of any service."""
    def case(world, rng):
        for n in range(times):
            name = rng.choice(('ds', 'tty', 'agent', 'assist'))
            before = world.settled(name)
            asker = subprocess.Popen([world.program('ctl', 'luctl'), 'update', name, '--socket', world.socket],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            moment = rng.uniform(0.005, 0.6)
            time.sleep(moment)  # not a wait for anything: the moment of the blow
            world.lud_kill()
            asker.wait(lab.DEADLINE)
            world.lud_start()
            world.settled()
            made = {g['job']['id'] for g in world.history(name) if g['generation'] > before['generation']}
            try:
                check_once(world, before, len(made), name)
            except AssertionError as e:
                raise AssertionError(f'kill {n}, update of {name}, {moment:.3f} s after the request: {e}') from e
        next_update_works(world)
    return case


def case_terminate(world, rng):
    """SIGTERM ends lud and not the machine; the next lud attaches to it."""
    before = world.settled()
    machine = world.qemu_pid()
    boot = world.status()['machine']['boot_id']
    assert world.lud_stop() == 0
    assert world.luctl('status').code == 8
    assert machine and world.qemu_pid() == machine
    world.lud_start()
    after = world.check_truth('ds')
    assert world.status()['machine']['boot_id'] == boot and after['build_id'] == before['build_id']
    assert after['uptime_ns'] > before['uptime_ns']
    next_update_works(world)


def machine_state(world):
    machines = world.luctl('machine', 'list', check=True, as_json=True).json['machines']
    return machines[0]['state']


def case_machine_killed(world, rng):
    """A machine that ends is shown as down; started again, it runs and can be updated."""
    before = world.settled()
    os.kill(world.qemu_pid(), signal.SIGKILL)
    lab.until('the machine to be shown as down', lab.DEADLINE, lambda: machine_state(world) == 'down')
    assert world.luctl('update', 'ds').code == 8
    assert world.status()['stale']
    world.luctl('machine', 'start', check=True)
    after = world.check_truth('ds')
    assert after['generation'] > before['generation'] and after['release_id'] == before['release_id']
    # Layouts of the boot image are drawn for each start.
    for service in (s['service'] for s in world.status()['services']):
        first = world.show(service['name'], 1)['base_address']
        assert service['base_address'] and first and service['base_address'] != first, service
    next_update_works(world)


def case_killed_together(world, rng):
    """lud and machine end in the middle of an update: what became of it is not guessed."""
    world.lud_stop()
    world.lud_start('lud_test', {'SAMSARA_DIE_AT': 'run.accepted'})
    world.settled()
    assert world.luctl('update', 'ds').code == 8 and world.lud_has_died()
    os.kill(world.qemu_pid(), signal.SIGKILL)
    world.lud_start()
    lab.until('the machine to be shown as down', lab.DEADLINE, lambda: machine_state(world) == 'down')
    world.luctl('machine', 'start', check=True)
    world.check_truth('ds')
    newest = [g for g in world.history('ds') if g['job']['kind'] == 'update'][0]
    assert newest['job']['state'] in ('inconsistent', 'failed', 'expired'), newest
    next_update_works(world)


def case_start(point):
    def case(world, rng):
        world.luctl('machine', 'stop', '--force', check=True)
        world.lud_stop()
        world.lud_start('lud_test', {'SAMSARA_DIE_AT': point})
        lost = world.luctl('machine', 'start')
        assert lost.code == 8, (lost.code, lost.err)
        assert world.lud_has_died()
        world.lud_start()
        world.check_truth('ds')
        jobs = world.record("SELECT kind, state, COUNT(*) FROM jobs WHERE state = 1 GROUP BY kind, state")
        assert not jobs, jobs
    return case


def boot_layouts(world, word):
    with open(world.config) as f:
        lines = [line for line in f if 'boot_layouts' not in line]
    with open(world.config, 'w') as f:
        f.writelines(lines + [f'  boot_layouts: {word}\n'])  # the section `machine` is the last one


def moved(world):
    names = lab.shipped.updatable(world.services.split())
    return world.is_up() and not world.status().get('open_jobs') and all(
        world.service(name)['machine_made'] for name in names)


def case_move(point):
    """Killed in the job that moves services out of the layouts that the machine was booted with."""
    def case(world, rng):
        world.luctl('machine', 'stop', '--force', check=True)
        world.lud_stop()
        boot_layouts(world, 'moved')
        before, = world.record('SELECT max(id) FROM jobs')[0]
        world.lud_start('lud_test', {'SAMSARA_DIE_AT': point})
        started = world.luctl('machine', 'start')
        assert started.code in (0, 8), (started.code, started.err)  # it dies as the start ends
        assert world.lud_has_died()
        world.lud_start()
        lab.until('the boot layouts to be left', lab.DEADLINE, lambda: moved(world))
        job, = world.record('SELECT id FROM jobs WHERE kind = 8 AND state = 2 AND id > ?', before)
        children = [name for name, in world.record('SELECT service FROM jobs WHERE parent = ?', *job)]
        assert sorted(children) == sorted(lab.shipped.updatable(world.services.split())), children
        for name in children:
            assert world.check_truth(name)['machine_made'], name
        boot_layouts(world, 'kept')
        next_update_works(world)
    return case


def all_cases(args):
    rng = random.Random(args.seed)

    def points(steps):
        return [f'{step}.{phase}' for step in steps for phase in (PHASES if args.all_points else [rng.choice(PHASES)])]
    updates, starts = points(UPDATE_STEPS) + BETWEEN, points(START_STEPS)
    made = points(MADE_STEPS) + ['stage.drawn', 'run.accepted']
    moves = points(MOVE_STEPS) + ['move.planned']
    return ([('update, killed at ' + p, case_update(p, *lab.HOST)) for p in updates]
            + [('layout by the machine, killed at ' + p, case_update(p, '--layout', 'machine')) for p in made]
            + [('next update', case_next)]
            + [('killed at random moments', case_random_kills(args.kills)), ('SIGTERM', case_terminate),
               ('machine killed', case_machine_killed), ('machine and lud killed', case_killed_together)]
            + [('start, killed at ' + p, case_start(p)) for p in starts]
            + [('boot layouts, killed at ' + p, case_move(p)) for p in moves] + [('next update after starts', case_next)])


if __name__ == '__main__':
    cases.run(__doc__, all_cases, extra=(('kills', 4, 'kills at random moments'),
                                         ('all-points', 0, '1: every place of an update and a start, not one a step')))
