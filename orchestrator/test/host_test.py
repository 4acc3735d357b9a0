#!/usr/bin/env python3
"""`luctl --host`: the hosts file, whom luctl believes over TLS, and connections that are cut.

Usage: host_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import time

import harness
import remote
import tls
from harness import rows


@contextlib.contextmanager
def far(world, n_releases=1):
    """lud with a machine, listening for TLS as host/home, and alice who may do anything; luctl finds hosts in a file of this
    world."""
    world.file = tls.files(world)
    world.hosts = world.dir + '/hosts.yaml'
    with open(world.dir + '/identities.yaml', 'w', encoding='ascii') as f:
        f.write('kind: Identities\nidentities:\n  - {name: user/alice, roles: [{role: admin, everything: true}]}\n')
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('remote:\n' + ''.join('  %s: "%s"\n' % (key, value) for key, value in (
            ('listen', '127.0.0.1:0'), ('ca', world.file('ca.ca')), ('crl', world.file('ca.crl')), ('failures', 100000),
            ('certificate', world.file('home.crt')), ('key', world.file('home.key')),
            ('identities', world.dir + '/identities.yaml'))))
    world.prepare(n_releases)
    world.port = int(world.until(lambda: re.findall(r'remote: listening at 127.0.0.1:(\d+)', world.log()))[-1])
    yield


def luctl(world, *args, code=0, timeout=100, **environment):
    """luctl with nothing that says where lud is but the hosts file; both streams."""
    environment = {**{k: v for k, v in os.environ.items() if k != 'SAMSARA_SOCKET'}, 'SAMSARA_HOSTS': world.hosts, **environment}
    done = subprocess.run([world.program('ctl/luctl'), *args], env=environment, check=False, capture_output=True, text=True,
                          timeout=timeout)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout if '--json' in args else done.stdout + done.stderr


def write(world, port, text='', name='home', **files):
    """A hosts file with one host."""
    values = {'address': '127.0.0.1:%d' % port, 'ca': world.file('ca.ca'), 'crl': world.file('ca.crl'),
              'certificate': world.file('alice.crt'), 'key': world.file('alice.key'), **files}
    with open(world.hosts, 'w', encoding='ascii') as f:
        f.write(text + 'hosts:\n  %s:\n' % name + ''.join('    %s: %s\n' % value for value in values.items()))


def add(world, name, port, *more, **told):
    return luctl(world, 'host', 'add', name, '127.0.0.1:%d' % port, '--ca', world.file('ca.ca'), '--crl',
                 world.file('ca.crl'), '--certificate', world.file('alice.crt'), '--key', world.file('alice.key'), *more, **told)


def test_verbs(world):
    """A host is added after a word with its lud, listed, used, removed; the file is whole and the person's own."""
    with far(world):
        told = add(world, 'home', world.port)
        assert 'answers at 127.0.0.1:%d as samsara:host/home' % world.port in told, told
        assert stat.S_IMODE(os.stat(world.hosts).st_mode) == 0o600
        with open(world.hosts, encoding='ascii') as f:
            good = f.read()
        assert 'was not asked' in add(world, 'far', 1, '--offline')
        listed = json.loads(luctl(world, 'host', 'list', '--json'))
        assert [h['name'] for h in listed['hosts']] == ['home', 'far'] and listed['default'] == 'local', listed
        assert listed['hosts'][0]['ca'] == world.file('ca.ca') and listed['hosts'][1]['identity'] == 'samsara:host/far'
        assert '--offline' in add(world, 'none', 1, code=8)
        assert 'is missing' in luctl(world, 'host', 'add', 'x', '127.0.0.1:1', '--ca', world.file('ca.ca'), code=2)
        assert 'not samsara:host/NAME' in add(world, 'x', 1, '--identity', 'samsara:user/x', code=2)
        for name in ('local', 'UPPER', '', 'a/b'):
            add(world, name, 1, '--offline', code=2)
        assert 'not HOST:PORT' in luctl(world, 'host', 'add', 'x', '127.0.0.1', code=2)
        assert 'm ' in luctl(world, 'machine', 'list', '--host', 'home')
        assert 'm ' in luctl(world, '--host', 'home', 'machine', 'list')
        assert 'default' not in good and 'home' in luctl(world, 'host', 'use', 'home')
        assert 'm ' in luctl(world, 'machine', 'list')
        assert 'there is no host `lab`' in luctl(world, 'host', 'use', 'lab', code=3)
        assert 'm ' in luctl(world, 'machine', 'list', '--host', 'local', SAMSARA_SOCKET=world.socket)
        assert 'cannot reach' in luctl(world, 'status', SAMSARA_HOST='far', code=8)
        assert 'm ' in luctl(world, 'machine', 'list', SAMSARA_HOST='local', SAMSARA_SOCKET=world.socket)
        assert 'exclude each other' in luctl(world, 'status', '--host', 'home', '--socket', world.socket, code=2)
        assert 'given twice' in luctl(world, '--host', 'home', 'status', '--host', 'home', code=2)
        assert 'there is no host `lab`' in luctl(world, 'status', '--host', 'lab', code=3)
        assert '`local` now' in luctl(world, 'host', 'remove', 'home')
        assert 'default: \'local\'' in open(world.hosts, encoding='ascii').read()
        luctl(world, 'host', 'remove', 'home', code=3)
        error = json.loads(luctl(world, 'status', '--host', 'home', '--json', code=3))['error']
        assert error['exit'] == 3 and 'there is no host `home`' in error['cause'], error


def test_file(world):
    """What is wrong in the file is told with its line, all of it; one that others may write is refused, and so is a link."""
    world.file, world.hosts = tls.files(world), world.dir + '/hosts.yaml'
    text = ('default: home\nhosts:\n  home:\n    address: nowhere\n    ca: ca.ca\n    colour: red\n    key: /k\n    key: /k\n'
            '  BAD: {}\n  lab: &a\n    address: [1, 2]\nextra: 1\n')
    with open(world.hosts, 'w', encoding='ascii') as f:
        f.write(text)
    told = luctl(world, 'status', code=1)
    for line, words in ((4, 'not HOST:PORT'), (5, 'not an absolute path'), (6, 'unknown key `colour`'), (8, 'given twice'),
                        (3, '`crl` is missing'), (9, 'not a name of a host'), (10, 'anchors'), (12, 'extra')):
        assert any('hosts.yaml:%d: ' % line in told_line and words in told_line for told_line in told.split('\n')), (line, words, told)
    for text, words in (('', 'empty'), ('[1]\n', 'not a mapping'), ('a: b: c\n', 'not YAML'), ('hosts: {}\n---\nhosts: {}\n', 'second'),
                        ('default: lab\nhosts: {}\n', 'there is no host `lab`'), ('#' * 70000, 'large')):
        with open(world.hosts, 'w', encoding='ascii') as f:
            f.write(text)
        assert words in luctl(world, 'status', code=1), words
    luctl(world, 'host', 'use', 'local', code=1)
    with open(world.hosts, 'w', encoding='ascii') as f:
        f.write('default: lab\nhosts: {}\n')
    luctl(world, 'host', 'use', 'local')  # which is the remedy that is named
    luctl(world, 'host', 'list')
    os.chmod(world.hosts, 0o620)
    assert 'others may write' in luctl(world, 'host', 'list', code=7)
    # Where a socket is named the file does not matter.
    luctl(world, 'status', '--socket', world.dir + '/none', code=8)
    os.rename(world.hosts, world.hosts + '.2')
    os.symlink(world.hosts + '.2', world.hosts)
    os.chmod(world.hosts, 0o600)
    assert 'cannot be read' in luctl(world, 'host', 'list', code=1)


def test_believed(world):
    """Whom luctl does not believe, and who does not believe it: each with words of its own."""
    with far(world):
        cases = [
            ({'identity': 'home-other'}, {}, 7, 'not from a CA that is believed'),
            ({'identity': 'lab'}, {}, 7, 'another host'),
            ({'identity': 'home-use'}, {}, 7, 'not for this end'),
            ({'identity': 'home-old'}, {}, 7, 'has expired'),
            ({'identity': 'home-gone'}, {}, 7, 'is revoked'),
            ({}, {'crl': world.file('ca-old.crl')}, 7, 'ca-old.crl'),
            ({}, {'crl': world.file('none.crl')}, 7, 'none.crl'),
            ({}, {'certificate': world.file('alice-old.crt'), 'key': world.file('alice-old.key')}, 7, 'alice-old.crt'),
            ({'alpn': None}, {}, 7, 'does not speak samsara-control/1'),
            ({'alpn': 'http/1.1'}, {}, 7, 'does not speak samsara-control/1'),
            ({'newest': ssl.TLSVersion.TLSv1_2}, {}, 7, 'no TLS 1.3'),
            ({'ca': 'other.ca'}, {}, 7, 'does not know the CA'),
            ({'identity': 'home-gone'}, {'crl': world.file('ca-none.crl')}, 0, ''),
        ]
        for server, files, code, words in cases:
            with tls.to_lud(world, world.file, **server) as there:
                write(world, there.port, **files)
                told = luctl(world, 'version', '--host', 'home', code=code)
                assert words in told, (words, told)
                assert not code or told.count('\n') >= 2 or words.endswith('.crt'), told
        write(world, 1)
        assert 'Connection refused' in luctl(world, 'version', '--host', 'home', code=8)
        # And what lud itself has against whoever asks.
        write(world, world.port, crl=world.file('ca-none.crl'), certificate=world.file('alice-gone.crt'),
              key=world.file('alice-gone.key'))
        assert 'has revoked the certificate of this end' in luctl(world, 'version', '--host', 'home', code=7)
        with open(world.dir + '/identities.yaml', 'w', encoding='ascii') as f:
            f.write('kind: Identities\nidentities: []\n')
        remote.reload(world)
        write(world, world.port)
        told = luctl(world, 'version', '--host', 'home', code=7)
        assert 'lud says that user/alice has no role there' in told and 'have an admin of that host put it into' in told, told


def test_strange(world):
    """Servers that are silent, slow, or no lud at all end luctl in time and with words; Ctrl-C ends it at once."""
    world.file, world.hosts = tls.files(world), world.dir + '/hosts.yaml'
    held = []
    for answer, words in ((b'HTTP/1.1 400 Bad Request\r\n\r\n', 'TLS: '), (b'\x17' * 300, 'TLS: '), (b'', 'broke off')):
        def serve(sock, answer=answer):
            sock.recv(4096)
            sock.sendall(answer)
        with tls.Server(serve) as server:
            write(world, server.port)
            told = luctl(world, 'version', '--host', 'home', code=8 if not answer else 7)
            assert words in told, told
        assert answer or 'no role there' in told, told
    with tls.Server(lambda sock: held.append(sock.dup())) as server:
        write(world, server.port)
        begun = time.monotonic()
        silent = subprocess.Popen([world.program('ctl/luctl'), 'version', '--host', 'home'], stderr=subprocess.PIPE, text=True,
                                  env={**os.environ, 'SAMSARA_HOSTS': world.hosts})
        assert 'not over after 10 s' in luctl(world, 'version', '--host', 'home', code=8)
        assert 9 < time.monotonic() - begun
        assert silent.wait(100) == 8
        told = luctl(world, 'update', 'ds', '--wait=2s', '--host', 'home', code=8)
        left = re.search(r'the handshake was not over after ([0-9.]+) s', told)
        assert left and 1 <= float(left.group(1)) <= 2, told
        interrupted = subprocess.Popen([world.program('ctl/luctl'), 'version', '--host', 'home'], stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, 'SAMSARA_HOSTS': world.hosts})
        world.until(lambda: len(held) == 4)
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(100) == 130 and 'interrupted' in interrupted.stderr.read()
    write(world, 1, address='no-such-name.invalid:1')
    assert 'where `no-such-name.invalid` is' in luctl(world, 'version', '--host', 'home', code=8)


def cut_at(world, limits, *command, code=0):
    """A command over connections that are cut there."""
    with tls.Cut(world.port, limits) as cut:
        write(world, cut.port)
        return luctl(world, *command, '--host', 'home', code=code)


def traffic(world, *command):
    """How many bytes a command sends, and gets."""
    seen = {True: 0, False: 0}

    def watch(is_luctl, piece):
        seen[is_luctl] += len(piece)
        return True
    cut = tls.Server(lambda sock: cut.pump(sock, socket.create_connection(('127.0.0.1', world.port)), watch))
    with cut:
        write(world, cut.port)
        luctl(world, *command, '--host', 'home')
    return seen


def test_cut(world):
    """Wherever the connection is cut, what changes something is carried out once and its outcome is told."""
    with far(world, 2):
        seen = traffic(world, 'machine', 'add', 'first')
        n = 0
        for is_luctl in (True, False):
            places = {1, seen[is_luctl] // 2, seen[is_luctl] - 60, seen[is_luctl]} | set(
                range(seen[is_luctl] - 600, seen[is_luctl], 150))
            for place in sorted(place for place in places if place > 0):
                n += 1
                told = cut_at(world, [(is_luctl, place)], 'machine', 'add', 'm%d' % n)
                assert 'm%d' % n in told, (is_luctl, place, told)
        names = [name for name, in rows(world, 'SELECT name FROM machines')]
        assert sorted(names) == sorted(['m', 'first'] + ['m%d' % i for i in range(1, n + 1)]), names


def test_cut_job(world):
    """A job is waited for over connections that break while it runs, and is one job; so is one that a control key signs."""
    with far(world, 2):
        before = len(rows(world, 'SELECT id FROM jobs'))
        seen = traffic(world, 'update', 'ds')
        for n, share in enumerate((0.5, 0.8, 0.95), 1):
            cut_at(world, [(False, int(seen[False] * share))] * 2, 'rerandomize', 'ds')
            assert len(rows(world, 'SELECT id FROM jobs')) == before + 1 + n
        world.peer.faults['hold_prepare'] = 1
        with tls.Cut(world.port) as cut:
            write(world, cut.port)
            waits = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--release', '1', '--host', 'home'],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     env={**os.environ, 'SAMSARA_HOSTS': world.hosts})
            world.until(lambda: world.peer.preparing)
            n_connections = cut.n
            cut.drop()
            world.until(lambda: cut.n > n_connections)
            job, = rows(world, 'SELECT max(id) FROM jobs')[0]
            world.luctl('job', 'cancel', str(job))
            told = waits.communicate(timeout=100)
            assert waits.returncode == 4 and 'asking again' in told[1] and 'cancelled' in told[0], told
        told = cut_at(world, [], 'restart', 'ds', '--keys', world.dir + '/keys')
        assert 'confirmed' in told or 'committed' in told, told


def test_lost(world):
    """While lud does not come back it is asked again, which is told; Ctrl-C ends that at once."""
    with far(world):
        write(world, world.port)
        world.peer.faults['hold_prepare'] = 1
        with open(world.dir + '/told', 'wb') as told:
            waits = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--host', 'home'], stdout=told, stderr=told,
                                     env={**os.environ, 'SAMSARA_HOSTS': world.hosts})

        def said():
            with open(world.dir + '/told', encoding='utf-8') as f:
                return f.read()
        world.until(lambda: world.peer.preparing)
        world.kill()
        world.until(lambda: 'asking again' in said())
        waits.send_signal(signal.SIGINT)
        assert waits.wait(100) == 130 and 'interrupted' in said(), said()


def test_streams(world):
    """watch and log -f go on where they were."""
    with far(world, 2), tls.Cut(world.port) as cut:
        write(world, cut.port)
        with open(world.dir + '/watched', 'wb') as out:
            watch = subprocess.Popen([world.program('ctl/luctl'), 'watch', '--json', '--host', 'home'], stdout=out,
                                     stderr=subprocess.PIPE, text=True, env={**os.environ, 'SAMSARA_HOSTS': world.hosts})

        def lines(**says):
            with open(world.dir + '/watched', encoding='utf-8') as f:
                found = [json.loads(line) for line in f.read().split('\n')[:-1]]
            return [line for line in found if all(line.get(key) == value for key, value in says.items())]

        def is_there():
            world.peer.crash('ds')
            return lines()
        world.until(is_there)
        for n in range(1, 4):
            cut.drop()
            world.luctl('rerandomize', 'ds')
            world.until(lambda n=n: len(lines(kind='gap', state='resumed')) == n)
        world.until(lambda: len(lines(kind='job', state='confirmed')) == 3)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(100) == 0 and not watch.stderr.read()
        numbers = [line['number'] for line in lines() if 'number' in line]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers


def test_log(world):
    """log -f goes on behind the last line that it has printed, and says so where lud does not keep it any more."""
    world.peer.says = ['one', 'two', 'two']
    with far(world), tls.Cut(world.port) as cut:
        write(world, cut.port)
        with open(world.dir + '/followed', 'wb') as out, open(world.dir + '/told', 'wb') as told:
            follows = subprocess.Popen([world.program('ctl/luctl'), 'log', '-f', '--host', 'home'], stdout=out, stderr=told,
                                       env={**os.environ, 'SAMSARA_HOSTS': world.hosts})

        def lines():
            with open(world.dir + '/followed', encoding='utf-8') as f:
                return [line.rsplit(' ', 1)[1] for line in f.read().split('\n')[:-1]]
        world.until(lambda: lines() == ['one', 'two', 'two'])
        for n in range(3):
            was = cut.n
            cut.drop()
            world.peer.say('line-%d' % n)
            world.until(lambda was=was: cut.n > was)
            world.until(lambda n=n: lines()[-1] == 'line-%d' % n)
        follows.send_signal(signal.SIGINT)
        assert follows.wait(100) == 0
        assert lines() == ['one', 'two', 'two', 'line-0', 'line-1', 'line-2'], lines()
        with open(world.dir + '/told', encoding='utf-8') as f:
            assert f.read().count('the log goes on') == 1


def test_beside(world):
    """What is done where lud is says so, before anything is asked or written; what asks no lud has no --host."""
    world.file, world.hosts = tls.files(world), world.dir + '/hosts.yaml'
    write(world, 1, 'default: home\n')
    kit = world.kit('ds', 1)
    for words in (('doctor',), ('db', 'check'), ('db', 'backup', world.dir + '/copy'), ('db', 'restore', world.dir + '/copy'),
                  ('release', 'add', kit), ('release', 'new', 'ds'), ('dev', 'ds')):
        told = luctl(world, *words, code=2)
        assert 'cannot be done on home from here' in told and '--host local' in told, told
        assert 'cannot be done on home' in luctl(world, *words, '--host', 'home', code=2)
    assert not os.path.exists(world.dir + '/copy')
    for words in (('keys', 'list'), ('policy', 'schema'), ('completion', 'bash')):
        luctl(world, *words, *(('--keys', world.dir + '/keys') if words[0] == 'keys' else ()))
        assert 'asks no lud' in luctl(world, '--host', 'home', *words, code=2)


harness.main(globals(), 3)
