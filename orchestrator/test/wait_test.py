#!/usr/bin/env python3
"""Waiting for jobs: every wait ends by its deadline, says what the job waits for and how to come back; the job goes on.

Usage: wait_test.py BUILD [NAME...]
"""

import json
import os
import signal
import subprocess
import time

import harness


def job_of(world, number):
    return world.json('job', 'show', str(number))


def test_deadline(world):
    """A job that is held is waited for so long, told with its reason, and found again by the words of the message."""
    world.prepare(2)
    world.luctl('hold', '--reason', 'freeze')
    begun = time.monotonic()
    told = world.luctl('update', 'ds', '--wait=5s', code=9)
    assert 4.9 < time.monotonic() - begun < 100
    assert 'not over after 5 s; job 1 goes on in lud' in told and 'freeze' in told, told
    assert '`luctl job show 1 --wait`' in told, told
    # Where lud has not said by then which job it is, it can be found all the same.
    told = world.luctl('update', 'ds', '--wait=1ms', code=9)
    assert 'luctl jobs' in told or 'job show' in told, told
    told = world.luctl('update', 'ds', '--wait=1ms', '--request-id', 'again', code=9)
    assert '--request-id again' in told or 'job show' in told, told
    error = world.json('job', 'show', '1', '--wait=4s', code=9)['error']
    assert (error['code'], error['exit'], error['job']) == ('waited', 9, 1) and 'job show 1' in error['remedy'], error
    assert 'freeze' in error['cause'], error  # it was put off before anybody waited here
    assert job_of(world, 1)['state'] == 'scheduled' or job_of(world, 1)['state'] == 'held'
    world.luctl('unhold')
    assert 'update confirmed' in world.luctl('job', 'show', '1', '--wait')
    assert world.json('job', 'show', '1', '--wait')['state'] == 'confirmed'  # over already


def test_left(world):
    """Without a wait the job is only recorded; who comes back for its end gets the exit code of it."""
    world.prepare(2)
    world.peer.faults['hold_prepare'] = 1
    job = world.json('update', 'ds', '--no-wait')
    assert not job['ended_us'], job
    world.until(lambda: job_of(world, job['id'])['state'] == 'preparing')
    told = world.luctl('rerandomize', 'ds', '--wait=5s', code=9)
    assert 'its turn' in told and 'job show 2 --wait' in told, told
    world.luctl('job', 'cancel', str(job['id']))
    assert world.json('job', 'show', str(job['id']))['state'] == 'cancelled'
    error = world.json('job', 'show', str(job['id']), '--wait', code=4)['error']
    assert error['code'] == 'held' and error['job'] == job['id'] and error['name'], error
    assert world.json('job', 'show', '2', '--wait')['state'] == 'confirmed'
    told = world.luctl('update', 'ds', '--wait', '--no-wait', code=2)
    assert 'exclude each other' in told
    assert '--wait=5min' in world.luctl('update', 'ds', '--wait=5', code=2)


def test_unsigned(world):
    """Whoever leaves a job that only their own key signs is told that it does not end well by itself."""
    world.prepare()
    world.luctl('hold')
    told = world.luctl('restart', 'ds', '--wait=5s', '--keys', world.dir + '/keys', code=9)
    assert 'job 1 is with lud, and fails if it was not signed yet' in told, told
    assert '`luctl job cancel 1` ends it now' in told and '--wait' not in told, told
    world.luctl('job', 'cancel', '1')
    assert job_of(world, 1)['state'] == 'cancelled'


def test_interrupt(world):
    """Ctrl-C ends luctl and not the job, and says how to come back."""
    world.prepare(2)
    world.peer.faults['hold_prepare'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--json'], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True,
                             env={**os.environ, 'SAMSARA_SOCKET': world.socket})
    world.until(lambda: [j for j in world.json('jobs')['jobs'] if j['state'] == 'preparing'])
    luctl.send_signal(signal.SIGINT)
    out, err = luctl.communicate(timeout=100)
    assert luctl.returncode == 130 and 'interrupted; job 1 goes on in lud' in err and 'job show 1 --wait' in err, err
    error = json.loads(out)['error']
    assert error['exit'] == 130 and error['job'] == 1, out
    assert not job_of(world, 1)['ended_us']
    world.luctl('job', 'cancel', '1')


harness.main(globals(), 3)
