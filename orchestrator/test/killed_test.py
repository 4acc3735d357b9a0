#!/usr/bin/env python3
"""lud is killed at each step of its work: what was begun ends as the machine says, and nothing is run twice.

Usage: killed_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import glob
import os
import re
import signal
import sqlite3
import subprocess

import harness
from harness import MOVED, PHASES, STEP_FORGE, STEP_IMAGE, configured, die, is_moved, moves, points, record

def of_job(world, **request):
    """The same for a job of this request, all of whose steps count."""
    done = []

    def run():
        with world.control() as control:
            control.call(timeout=100, **request)
        done.append(world.settle())
        assert done[0]['state'] == 'JOB_STATE_CONFIRMED', done[0]

    found = points(world, run)
    steps = [step['name'] for step in done[0]['steps'] if step['name'] != 'plan']
    assert {'%s.%s' % (step, phase) for step in steps for phase in PHASES} <= set(found), (steps, found)
    return found


def killed_once(world, death, **request):
    """kill -9 at this point of a job: taken up again, run once, and true to the machine. The job."""
    runs = len(world.peer.runs)
    die(world, death, **request)
    world.start()
    job = world.settle()
    assert job['state'] == 'JOB_STATE_CONFIRMED', (death, job)
    assert job['generation'] == world.running(), death
    assert len(world.peer.runs) == runs + 1, (death, world.peer.runs)
    return job


def test_killed_everywhere(world):
    """kill -9 at every step of a job."""
    world.prepare()
    request = {'rerandomize': {'services': ['ds']}}
    for death in of_job(world, **request):
        killed_once(world, death, **request)


def test_points(world):
    """There is no place at which nobody ends lud: none in the sources, and none of a step that a job can have."""
    texts = ''
    for room in ('orchestrator/test', 'tests/system'):
        for path in glob.glob(os.path.join(harness.HERE, '../..', room, '*.py')):
            with open(path, encoding='utf-8') as f:
                texts += f.read()
    world.prepare()
    configured(world, MOVED)
    world.kill()
    world.peer.boot_anew()
    ended = set(points(world, lambda: world.until(lambda: is_moved(world, 1)), ['move']))
    ended |= set(of_job(world, rerandomize={'services': ['ds'], 'layout': 'host'}))
    wanted = set()
    for path in glob.glob(os.path.join(harness.HERE, '../**/*.c'), recursive=True):
        with open(path, encoding='utf-8') as f:
            wanted |= {'.'.join(pair) for pair in re.findall(r'hook_point\("([^"]+)", "([^"]+)"\)', f.read())}
    assert len(wanted) >= 20, wanted
    start = re.search(r'^START_STEPS = (.*)$', texts, re.M).group(1)
    with open(os.path.join(harness.HERE, '../../proto/words/jobs.def'), encoding='utf-8') as f:
        steps = re.findall(r'^JOB_STEP\([A-Z]+, [0-9]+, "([a-z]+)"\)', f.read(), re.M)
    steps = [step for step in steps if step != 'plan' and "'%s'" % step not in start]
    wanted |= {'%s.%s' % (step, phase) for step in steps for phase in PHASES}
    missing = {name for name in wanted - ended if "'%s'" % name not in texts}
    missing -= {'pair.' + phase for phase in PHASES if "'pair.' + phase" in texts}
    assert not missing, missing


def test_killed_while_forking(world):
    """A child that has got no further than its fork when lud is killed keeps no new lud out of the state directory."""
    world.prepare()
    world.kill()
    faults = {'LIST': os.path.join(world.dir, 'calls'), 'CHILD': os.path.join(world.dir, 'child')}
    world.start(faults=faults)
    with open(faults['CHILD'], 'wb'), open(faults['LIST'], 'rb') as calls:
        calls.seek(0, os.SEEK_END)
        with world.control() as control:
            control.send(rerandomize={'services': ['ds']})
            world.until(lambda: b' fork ' in calls.read())
        world.kill()
    world.start()
    os.unlink(faults['CHILD'])
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    world.luctl('rerandomize', 'ds')


def test_killed_while_pairing(world):
    """An update to another release pairs first; killed there, it is paired again."""
    world.prepare(2)
    for n, death in enumerate('pair.' + phase for phase in ('begin', 'did', 'end')):
        release = world.release_id(world.kits[1 - n % 2])
        job = killed_once(world, death, update={'service': 'ds', 'release': release.hex()})
        assert world.peer.services['ds']['release_id'] == release, death
        assert [s['name'] for s in job['steps']][:2] == ['plan', 'pair'], job


def test_boot_layouts_killed(world):
    """kill -9 at every step of the move, and a machine that goes away in the middle of it."""
    world.prepare()
    configured(world, MOVED)
    found = points(world, lambda: world.until(lambda: is_moved(world, 1)), ['move'])
    deaths = [death for death in found if death.startswith('move.')] + ['stage.drawn', 'run.sent', 'confirm.end']
    for n, death in enumerate(deaths, 2):
        world.kill()
        world.peer.boot_anew()
        runs = len(world.peer.runs)
        world.start(die_at=death)
        world.wait_dead()
        world.start()
        world.until(lambda k=n: is_moved(world, k))
        assert len(world.peer.runs) == runs + 1, death
        done, children = moves(world)
        assert done[0]['state'] == 'committed' and len(children) == n, (death, done[0], children)


def test_machine_made_killed(world):
    """kill -9 at every step of such a job, with files to send and without."""
    world.prepare(2)
    request = {'rerandomize': {'services': ['ds'], 'layout': 'machine'}}
    for death in of_job(world, **request):
        job = killed_once(world, death, **request)
        made = world.json('history', '--limit', '100')['generations']
        assert 'seed' not in [s['name'] for s in job['steps']] and len(made) == len(world.peer.runs), death
    for death in ('pair.end', 'stage.drawn', 'stage.chunk', 'stage.end'):
        world.peer.staged.clear()
        for kit in reversed(world.kits):
            release = world.release_id(kit)
            killed_once(world, death, update={'service': 'ds', 'release': release.hex(), 'layout': 'machine'})
            assert world.peer.services['ds']['release_id'] == release, death
            if death == 'stage.chunk':
                break  # what the machine was booted with is not sent


def test_killed_before_the_machine(world):
    """A job that the machine has not seen when lud dies is sent, once, by the next lud."""
    world.prepare()
    world.peer.faults['drop_run'] = 1
    assert world.json('update', 'ds')['state'] == 'confirmed'
    assert len(world.peer.runs) == 1


def test_reboot_before_confirm(world):
    """A confirm is for the boot that ran the order; after another boot, and after a snapshot, there is none to give."""
    world.prepare()
    for n, end_boot in enumerate((world.peer.reboot, world.peer.put_back)):
        die(world, 'check.end', rerandomize={'services': ['ds']})
        end_boot()
        world.start()
        job = world.settle()
        assert job['state'] == 'JOB_STATE_COMMITTED' and 'restarted before the confirm' in job['hint'], (n, job)
        assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 0
    assert world.json('update', 'ds')['hint'] == ''


def test_one_lud(world):
    """One lud per state directory; SIGTERM ends it in good order."""
    world.start()
    second = subprocess.run([world.program('orchestrator/lud'), '--config', world.config],
                            capture_output=True, text=True, check=False, timeout=100)
    assert second.returncode == 5 and 'another lud' in second.stderr, second
    assert world.kill(signal.SIGTERM) == 0
    assert not os.path.exists(world.socket)
    world.luctl('status', code=8)


def test_early_result(world):
    """A result that comes before lud has looked at its own order settles nothing; the job asks for it."""
    world.prepare()
    die(world, 'run.accepted', rerandomize={'services': ['ds']})
    world.until(lambda: world.peer.events)
    world.peer.faults['early_events'] = 1
    world.start()
    job = world.settle()
    assert job['state'] == 'JOB_STATE_CONFIRMED' and not job.get('hint') and len(world.peer.runs) == 1, job
    assert not world.peer.faults['early_events'] and 'given up' not in world.log()


def test_left_open(world):
    """An open job that lud cannot take up bars nobody, and nobody is kept waiting for it."""
    world.prepare()
    die(world, 'seed.end', rerandomize={'services': ['ds']})
    job, = record(world, 'SELECT id FROM jobs')
    for change, why in (('step = %d' % STEP_IMAGE, 'a job of its kind has no step %d' % STEP_IMAGE),
                        ('step = 99', 'a job of its kind has no step 99'),
                        ('step = %d, state = 17' % STEP_FORGE, 'it cannot be switching in step forge')):
        world.kill()
        with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
            db.execute('UPDATE jobs SET %s WHERE id = %d' % (change, job))
            db.commit()
        world.start()
        assert 'job %d stays open: %s' % (job, why) in world.log()
        assert world.json('update', 'ds')['state'] == 'confirmed'
        with world.control() as control:
            assert not control.call(timeout=100, job_show={'job': job, 'wait': True}).get('ended_us')


def test_interrupted(world):
    """Ctrl-C ends luctl, says that the job goes on, and it does."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    luctl.send_signal(signal.SIGINT)
    _, told = luctl.communicate(timeout=100)
    assert luctl.returncode == 130 and 'job 1 goes on in lud' in told, (luctl.returncode, told)
    assert '`luctl job show 1 --wait`' in told and 'job 1' in world.luctl('job', 'show', '1'), told
    world.peer.release()
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED'


def test_restarts(world):
    """Many services that start afresh at once cost few questions, and the last layout is the one that is recorded."""
    world.prepare()
    number = world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['generation']
    before = world.peer.n_status
    with world.peer.lock:  # no answer before all have started
        for _ in range(300):
            world.peer.crash('ds')
    world.until(lambda: f'{number}.300 ' in world.luctl('history', 'ds'))
    # One of lud's own, one behind it, and one for each look at the record, should that ask.
    assert world.peer.n_status - before < 100, world.peer.n_status - before


harness.main(globals(), 2)
