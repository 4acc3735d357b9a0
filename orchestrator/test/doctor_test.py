#!/usr/bin/env python3
"""`luctl doctor`: what is not sound is a line with a remedy, each part for itself, with lud or without.

Usage: doctor_test.py BUILD [NAME...]
"""

import os
import time

import harness


def doctor(world, *args, code=0):
    answer = world.json('doctor', '--keys', world.dir + '/keys', *args, code=code)
    assert answer['sound'] == (code == 0)
    return {c['check']: c for c in answer['checks']}


def test_sound(world):
    """A host that is sound, with a machine that is; the words are those of the lines."""
    world.prepare()
    found = doctor(world)
    assert [found[c]['verdict'] for c in ('disk', 'permissions', 'keys', 'signer', 'lud', 'record', 'machines')] == \
        ['ok'] * 7, found
    told = world.luctl('doctor', '--keys', world.dir + '/keys')
    assert 'ok   lud' in told and '1 of 1 machines run what they should' in told, told
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        can = {'vmx', 'svm'} & set(f.read().split())
    assert can or 'this CPU has no vmx or svm' in found['kvm']['text'], found
    world.peer.services['ds']['state'] = 'SERVICE_DOWN'
    world.json('status')
    found = doctor(world, code=1)
    assert found['machines']['verdict'] == 'bad' and 'ds on m is down' in found['machines']['text'], found


def test_without_lud(world):
    """Nobody answers: that is a line, the others are looked at all the same, and nothing is said beside the lines."""
    told = world.luctl('doctor', '--keys', world.dir + '/keys', code=1)
    assert not told, told
    found = doctor(world, code=1)
    assert found['lud']['verdict'] == 'bad' and 'start lud' in found['lud']['remedy'], found
    assert found['record']['verdict'] == found['machines']['verdict'] == 'warn' and found['keys']['verdict'] == 'ok'


def test_unsound(world):
    """Keys that others can read, keys that end, files from the future, a program that is not there: each by its line."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    os.chmod(world.dir + '/keys', 0o755)
    found = doctor(world, code=1)
    assert found['permissions']['verdict'] == 'bad' and 'chmod go-rwx' in found['permissions']['remedy'], found
    os.chmod(world.dir + '/keys', 0o700)
    assert 'serves, with root 1' in doctor(world)['signer']['text']
    os.rename(world.dir + '/keys/order.pem', world.dir + '/order.pem')
    found = doctor(world, code=1)['signer']
    assert found['verdict'] == 'bad' and 'order.pem: it is not there' in found['text'], found
    os.rename(world.dir + '/order.pem', world.dir + '/keys/order.pem')
    world.shifted(-350, 'keys', 'renew', *keys)
    assert doctor(world)['keys']['verdict'] == 'warn'
    world.shifted(-400, 'keys', 'renew', *keys)
    found = doctor(world, code=1)
    assert found['keys']['verdict'] == 'bad' and 'keys renew' in found['keys']['remedy'], found
    world.luctl('keys', 'renew', *keys)
    world.kill()
    later = time.time() + 3600
    os.utime(world.state + '/lud.db', (later, later))
    assert doctor(world, code=1)['time stamps']['verdict'] == 'warn'
    os.chmod(world.state, 0o777)
    assert doctor(world, code=1)['permissions']['verdict'] == 'bad'


harness.main(globals(), 3)
