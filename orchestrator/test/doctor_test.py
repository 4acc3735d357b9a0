#!/usr/bin/env python3
"""`luctl doctor`: what is not sound is a line with a remedy, each part for itself, with lud or without.

Usage: doctor_test.py BUILD [NAME...]
"""

import os
import shutil
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


def test_certificates(world):
    """Of the hosts file, of lud's configuration and of a CA: what ends soon, what has ended, what cannot be used."""
    ca, tls = world.dir + '/ca', world.dir + '/tls'
    os.environ['SAMSARA_CA'], os.environ['SAMSARA_HOSTS'] = ca, world.dir + '/hosts.yaml'

    def found(verdict, *words):
        line = doctor(world, '--config', world.config, code=1)['certificates']
        assert line['verdict'] == verdict and all(word in line['text'] + line['remedy'] for word in words), (words, line)
    found('ok', 'no connections')
    os.mkdir(tls)
    world.luctl('cert', 'init')
    found('ok', 'are good')
    files = {}
    for kind, name in (('host', 'plant'), ('user', 'alice')):
        world.luctl('cert', 'request', f'{kind}/{name}', '--dir', tls)
        world.luctl('cert', 'issue', f'{kind}/{name}', f'{tls}/{name}.req', '--out', f'{tls}/{name}.crt')
        files[name] = {'ca': ca + '/ca.crt', 'crl': tls + '/ca.crl', 'certificate': f'{tls}/{name}.crt',
                       'key': f'{tls}/{name}.key'}
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('remote:\n  listen: 127.0.0.1:7700\n' + ''.join('  %s: %s\n' % row for row in files['plant'].items()))
    found('bad', 'lud: ' + tls + '/ca.crl', 'cannot be read')
    shutil.copy(ca + '/ca.crl', tls)
    found('ok', 'are good, for')
    os.rename(tls + '/plant.key', tls + '/key')
    shutil.copy(tls + '/alice.key', tls + '/plant.key')
    found('bad', 'not the key of the certificate')
    os.rename(tls + '/key', tls + '/plant.key')

    world.luctl('host', 'add', 'plant', '127.0.0.1:7700', '--offline', *(
        word for key, value in files['alice'].items() for word in ('--' + key, value)))
    found('ok', 'are good, for')
    world.shifted(-80, 'cert', 'renew', 'user/alice', '--ca', ca, '--out', tls + '/alice.crt')
    found('warn', 'host plant', 'ends in', 'luctl cert renew')
    world.luctl('cert', 'revoke', 'user/alice')
    shutil.copy(ca + '/ca.crl', tls)
    found('bad', 'host plant', 'its certificate is revoked')
    world.luctl('host', 'remove', 'plant')
    found('ok', 'are good, for')
    world.shifted(-20, 'cert', 'crl', '--ca', ca)
    found('warn', ca, 'the list of revoked certificates ends in', 'luctl cert crl')
    world.shifted(-40, 'cert', 'crl', '--ca', ca)
    found('bad', ca, 'the list of revoked certificates has ended')
    world.luctl('cert', 'crl')
    os.unlink(ca + '/ca.crl')
    found('bad', 'with it who was revoked')


harness.main(globals(), 4)
