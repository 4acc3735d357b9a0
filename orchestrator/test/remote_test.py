#!/usr/bin/env python3
"""lud asked over TLS: who is let in, who is not, and that neither keeps it from its work.

Usage: remote_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time

import harness
import remote
import wire
from authority import Authority
from remote import answers, connect, context, dial, ended, port, refused

ASK = {'version': {}}


def refusal(world, words, made):
    """A client that is not let in, and what the log says of it."""
    n = world.log().count(words)
    assert refused(world, made), words
    world.until(lambda: world.log().count(words) > n)


def test_rules(world):
    """Each rule of a connection, broken by a client that keeps all others."""
    remote.prepare(world, 'alice', failures=1000)
    ca = world.ca
    other = Authority(os.path.join(world.dir, 'other'))
    other.issue('alice')
    for name, says in (('server', {'use': 'serverAuth'}), ('both', {'use': 'clientAuth,serverAuth'}), ('none', {'use': ''}),
                       ('old', {'start': -7200, 'end': -60}), ('early', {'start': 3600, 'end': 7200}), ('unnamed', {'name': ''}),
                       ('host', {'name': 'host/alice'}), ('revoked', {}), ('stranger', {}),
                       ('huge', {'name': 'user/alice', 'more': 'nsComment = ' + 'x' * 8200})):
        ca.issue(name, **says)
    ca.revoke('revoked')
    remote.reload(world)
    for words, made in (
            ('not from a CA that is believed', context(world, ca=other)),
            ('not for this end of a connection', context(world, 'server')),
            ('exactly one of clientAuth and serverAuth', context(world, 'both')),
            ('exactly one of clientAuth and serverAuth', context(world, 'none')),
            ('has expired', context(world, 'old')),
            ('is not valid yet', context(world, 'early')),
            ('names nobody', context(world, 'unnamed')),
            ('does not fit its name', context(world, 'host')),
            ('is revoked', context(world, 'revoked')),
            ('more than 8 KiB', context(world, 'huge')),
            ('shows no certificate', context(world, None)),
            ('does not speak samsara-control/1', context(world, alpn=None)),
            ('does not speak samsara-control/1', context(world, alpn='h2')),
            ('unsupported protocol', context(world, version=ssl.TLSVersion.TLSv1_2))):
        refusal(world, words, made)
    with connect(world) as client:
        sock = client.sock
        assert sock.version() == 'TLSv1.3' and sock.selected_alpn_protocol() == remote.PROTOCOL
        client.call(**ASK)
        assert not sock.session.has_ticket
    for suite, group in (('TLS_CHACHA20_POLY1305_SHA256', 'P-256'), ('TLS_AES_256_GCM_SHA384', 'X25519')):
        assert by_openssl(world, '-ciphersuites', suite, '-groups', group) == 'TLSv1.3, Cipher is ' + suite
    assert not by_openssl(world, '-ciphersuites', 'TLS_AES_128_CCM_SHA256')
    assert not by_openssl(world, '-groups', 'P-384')


def by_openssl(world, *args):
    """What openssl(1) has agreed on; '': nothing."""
    done = subprocess.run(
        ['openssl', 's_client', '-connect', '127.0.0.1:' + port(world), '-alpn', remote.PROTOCOL, '-cert', world.ca.path('alice.crt'),
         '-key', world.ca.path('alice.key'), *args], check=False, capture_output=True, text=True, timeout=100, input='')
    for line in done.stdout.splitlines():
        if line.startswith('New, '):
            return '' if '(NONE)' in line else line[5:]
    return ''


def test_roleless(world):
    """Who is known and has no role hears that and nothing else, and takes nobody's place by it."""
    remote.prepare(world, 'alice', connections=2, failures=1000000, hello_timeout='60s')
    world.ca.issue('bob')
    alice = connect(world)
    alice.call(**ASK)
    with connect(world, 'bob') as bob:
        for _ in range(2):
            try:
                bob.call(**ASK)
                raise AssertionError('bob may ask')
            except wire.Ended as error:
                said = str(error)
            assert 'NO_ROLE' in said or 'no session' in said, said
        world.until(lambda: 'user/bob at 127.0.0.1 has no role' in world.log())
        second = connect(world)  # bob's place, not alice's
        assert ended(bob.sock)
    assert refused(world, context(world, 'bob')), 'all places are taken'
    alice.call(**ASK)
    second.call(**ASK)


def test_reload(world):
    """What is read anew ends the connections of those who lost theirs, and no others; what is not good changes nothing."""
    remote.prepare(world, 'alice', 'bob', 'carol')
    users = {name: connect(world, name) for name in ('alice', 'bob', 'carol')}
    world.ca.revoke('bob')
    remote.reload(world)
    assert ended(users['bob'].sock) and refused(world, context(world, 'bob'))
    remote.identify(world, alice='viewer')
    remote.reload(world)
    assert ended(users['carol'].sock)
    users['alice'].call(**ASK)
    error = harness.refused_call(users['alice'], machine_remove={'machine': 'm'})
    assert 'admin' in str(error), error

    with open(world.ca.path('ca.crl'), 'w', encoding='ascii') as f:
        f.write('nothing\n')
    remote.reload(world)
    users['alice'].call(**ASK)
    assert 'what was read before stays' in world.log()
    amiss, = [a for a in world.json('status', code=None)['overview']['amiss'] if a['kind'] == 'remote']
    assert amiss['level'] == 'wrong' and 'ca.crl' in amiss['text'] and 'luctl cert' in amiss['remedy'], amiss
    with connect(world) as again:
        again.call(**ASK)
    ends(world, users['alice'])


def half(world, user):
    """A handshake up to the client's certificate, which is not sent yet: a function that sends it and has the session."""
    sock, came, goes = dial(world), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(world, user).wrap_bio(came, goes)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            sock.sendall(goes.read())
            came.write(sock.recv(65536))

    def finish():
        sock.sendall(goes.read())
        return sock
    return finish


def test_half(world):
    """What counts is what is believed when somebody comes in, not when the handshake began."""
    remote.prepare(world, 'alice', 'bob', handshake_timeout='60s')
    alice, bob = half(world, 'alice'), half(world, 'bob')
    world.ca.revoke('bob')
    remote.reload(world)
    with bob() as sock:
        assert ended(sock)
    world.until(lambda: 'user/bob at 127.0.0.1 is not let in: its certificate is revoked' in world.log())
    assert 'user/bob at 127.0.0.1 is connected' not in world.log()
    with alice():
        world.until(lambda: 'user/alice at 127.0.0.1 is connected' in world.log())


def soon(make, seconds=2):
    """Something that ends soon, but not before it was used: longer each time that this machine was too slow for it."""
    while not make(seconds):
        seconds *= 2


def ends(world, alice):
    """A certificate that ends takes its connection along, a list all of them; the next list lets everybody in again."""
    made = []

    def short(seconds):
        world.ca.issue('alice', end=seconds)
        with contextlib.suppress(ConnectionError, ssl.SSLError, wire.Ended):
            made.append(connect(world))
        return made

    def short_list(seconds):
        n = world.log().count('are read again')
        world.ca.list(end=seconds)
        remote.reload(world)
        return world.log().count('are read again') > n

    world.ca.list()
    remote.reload(world)
    soon(short)
    assert ended(made[0].sock)
    alice.call(**ASK)
    soon(short_list)
    assert ended(alice.sock)
    assert 'the list of revoked certificates is too old' in world.log()
    world.ca.issue('alice')
    assert refused(world, context(world))
    world.ca.list()
    remote.reload(world)
    with connect(world) as alice:
        alice.call(**ASK)


def test_nowhere(world):
    """Without words of its own there is no listener, and none everywhere; without its files nobody is let in, but lud works."""
    def checked(**keys):
        remote.configure(world, **keys)
        return subprocess.run([world.program('orchestrator/lud'), '--config', world.config, '--check-config'], check=False,
                              capture_output=True, text=True, timeout=100)

    world.ca = Authority(os.path.join(world.dir, 'ca'))
    for listen in ('0.0.0.0:1', '[::]:1', '[::ffff:0.0.0.0]:1'):
        done = checked(listen=listen)
        assert done.returncode == 3 and 'every address' in done.stderr and 'any_address' in done.stderr, done
        assert checked(listen=listen, any_address='yes').returncode == 0
    for listen in ('127.0.0.1', 'localhost:1', '127.0.0.1:65536', ':1', '::1:1', '[::1]', '[]:1', '127.1:1', '127.0.0.1:'):
        done = checked(listen=listen)
        assert done.returncode == 3 and 'no address with a port' in done.stderr, done
    remote.configure(world)
    world.start()
    amiss, = [a for a in world.json('status', code=None)['overview']['amiss'] if a['kind'] == 'remote']
    assert 'lets nobody in' in amiss['text'] and 'lud.crt' in amiss['text'], amiss
    assert 'listening at' not in world.log()
    world.ca.issue('lud', 'host/lud', 'serverAuth')
    world.ca.issue('alice')
    remote.identify(world, alice='viewer')
    os.chmod(world.ca.path('lud.key'), 0o640)
    remote.reload(world)
    assert 'lud.key: others could read' in world.log() and 'listening at' not in world.log()
    os.chmod(world.ca.path('lud.key'), 0o600)
    remote.reload(world)
    with connect(world) as alice:
        alice.call(**ASK)
    assert 'remote' not in [a['kind'] for a in world.json('status', code=None)['overview']['amiss'] if a['level'] == 'wrong']


def test_taken(world):
    """An address that somebody else has: the status says so until it is free, and says what is wrong with the files as well."""
    def wrong():
        return [a['text'] for a in world.json('status', code=None)['overview']['amiss'] if a['kind'] == 'remote' and a['level'] == 'wrong']

    world.ca = Authority(os.path.join(world.dir, 'ca'))
    world.ca.issue('lud', 'host/lud', 'serverAuth')
    world.ca.issue('alice')
    remote.identify(world, alice='viewer')
    with socket.create_server((remote.HOST, 0)) as other:
        remote.configure(world, listen='%s:%d' % other.getsockname())
        world.start()
        text, = wrong()
        assert text.startswith('lets nobody in') and 'cannot listen' in text, text
        with open(world.ca.path('ca.crl'), 'w', encoding='ascii') as f:
            f.write('nothing\n')
        remote.reload(world)
        text, = wrong()
        assert text.startswith('lets nobody in') and 'ca.crl' in text, text
        world.ca.list()
        remote.reload(world)
        text, = wrong()
        assert 'cannot listen' in text, text
    world.until(lambda: remote.reload(world) or 'remote: listening at' in world.log())
    with connect(world) as alice:
        alice.call(**ASK)
    assert not wrong()


def halves(world, n, first=b''):
    """So many connections that do not get further than a few bytes."""
    socks = [dial(world) for _ in range(n)]
    for sock in socks:
        sock.sendall(first)
    return socks


def test_strangers(world):
    """Who is not known costs little, and keeps nobody out."""
    remote.prepare(world, handshakes=1000, handshakes_per_address=20, handshake_timeout='60s', failures=100000)
    with connect(world) as alice:
        alice.call(**ASK)
        before = remote.memory(world)
        with answers(world):
            socks = halves(world, 100, b'\x16\x03\x01\x02\x00')
            assert all(ended(sock, 40) for sock in socks[:80])
        with connect(world) as other:  # the oldest goes, not the newest
            other.call(**ASK)
        assert remote.memory(world) - before < 16 << 20
        remote.configure(world, handshakes=20, handshakes_per_address=1000, handshake_timeout='60s', failures=100000)
        remote.reload(world)
        socks += halves(world, 60)  # the same of all places
        assert all(ended(sock, 40) for sock in socks[:-20])
        with answers(world):
            for garbage in (b'GET / HTTP/1.1\r\n\r\n', b'\x17' * 4096, b'\x80' * 70000, b'\x16\x03\x01\xff\xff' + bytes(70000)):
                with dial(world) as sock, contextlib.suppress(ConnectionError):
                    sock.sendall(garbage)
                    assert ended(sock)
        alice.call(**ASK)

        remote.configure(world, handshake_timeout='300ms', failures=100000)
        remote.reload(world)
        slow, = halves(world, 1, b'\x16')
        stop = time.monotonic() + 60
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < stop:  # a byte at a time does not make it longer
                slow.sendall(b'\x03')
                time.sleep(0.01)
        assert time.monotonic() < stop
        remote.configure(world, handshake_timeout='60s', hello_timeout='300ms', failures=100000)
        remote.reload(world)
        with context(world).wrap_socket(dial(world)) as mute:
            assert ended(mute)
        world.until(lambda: 'it does not say Hello' in world.log())

        remote.configure(world, failures=3, failures_period='1h')
        remote.reload(world)
        for _ in range(3):
            with dial(world) as sock, contextlib.suppress(ConnectionError):
                sock.sendall(b'GET / HTTP/1.1\r\n\r\n')
                assert ended(sock)
        assert refused(world, context(world)), 'an address that failed often'
        alice.call(**ASK)
        remote.configure(world, failures=3, failures_period='100ms')
        remote.reload(world)
        world.until(lambda: not refused(world, context(world)))


def test_limits(world):
    """What somebody known may hold and ask for; who asks for more waits, and others do not."""
    remote.prepare(world, 'alice', 'bob', connections_per_identity=2, connections=3, requests=50, bytes='64KiB')
    first, second, bob = connect(world), connect(world), connect(world, 'bob')
    first.call(**ASK)
    third = connect(world)  # takes the place of the one that is idle longest
    assert ended(second.sock)
    first.call(**ASK)
    bob_too = connect(world, 'bob')  # all places are taken: alice has more than bob has
    assert ended(third.sock)
    begin = time.monotonic()
    for number in [first.send(**ASK) for _ in range(250)]:
        first.wait_reply(number)
    assert time.monotonic() - begin > 0.5, 'four seconds of requests may come at once'
    with answers(world):
        bob.call(**ASK)
    begin = time.monotonic()
    for _ in range(4):
        harness.refused_call(bob_too, policy_apply={'policies': [{'files': [{'name': 'x', 'text': b'x' * 50000}]}]})
    assert time.monotonic() - begin > 1, 'one second of bytes may come at once'
    # The only one that an identity may have gives way to its next, and again.
    remote.configure(world, connections_per_identity=1, connections=3)
    remote.reload(world)
    last = connect(world)
    for _ in range(8):
        before, last = last, connect(world)
        assert ended(before.sock)
        last.call(**ASK)
    assert world.lud.poll() is None


def test_waits(world):
    """What somebody waits for costs little: all that one identity may wait for at once is not felt."""
    remote.prepare(world, requests=100000)
    clients = [connect(world) for _ in range(16)]
    before = remote.memory(world)
    for client in clients:
        for _ in range(32):
            client.send(watch={})
        client.call(**ASK)
    assert remote.memory(world) - before < 10 << 20
    for client in clients:
        client.sock.close()


def test_clock(world):
    """Somebody sets the clock of the host: the status says soon that nobody is let in, and why; what helps is the clock."""
    def wrong():
        return [(a['text'], a['remedy']) for a in world.json('status', code=None)['overview']['amiss']
                if a['kind'] == 'remote' and a['level'] == 'wrong']

    def is_told(words, remedy):
        return any(words in text and remedy in helps for text, helps in wrong())

    year = 400 * 86400
    world.clock()
    remote.prepare(world)
    assert not wrong(), wrong()
    world.set_clock(-year)
    world.until(lambda: is_told("lets nobody in: the CA's certificate is not valid yet", 'clock'))
    remote.reload(world)
    world.until(lambda: is_told("keeps what it had: %s: the CA's certificate is not valid yet" % world.ca.path('ca.crt'), 'clock'))
    world.set_clock(0)
    remote.reload(world)
    world.until(lambda: not wrong())
    world.set_clock(year)
    world.until(lambda: is_told('has ended', 'renew it'))
    world.set_clock(0)
    world.until(lambda: not wrong())
    with connect(world) as alice:
        alice.call(**ASK)


def test_descriptors(world):
    """When they run out, those who connect from elsewhere wait, and the control socket goes on."""
    world.ca = Authority(os.path.join(world.dir, 'ca'))
    world.ca.issue('lud', 'host/lud', 'serverAuth')
    world.ca.issue('alice')
    remote.identify(world, alice='viewer')
    remote.configure(world, connections=1000, connections_per_identity=1000, connections_per_address=1000, handshakes=1000,
                     handshakes_per_address=1000, failures=1000000)
    world.start(inside=('prlimit', '--nofile=150:150'))
    socks = [dial(world) for _ in range(120)]
    world.until(lambda: 'no descriptors left' in world.log())
    with answers(world):
        pass
    for sock in socks:
        sock.close()
    world.until(lambda: not refused(world, context(world)))
    assert world.lud.poll() is None and world.kill(signal.SIGTERM) == 0


def test_number(world):
    """Who gets the number of a descriptor that has just been closed, that of a reader of metrics, is heard."""
    metrics = world.dir + '/metrics.sock'
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('metrics:\n  listen: "%s"\n' % metrics)
    remote.prepare(world)
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as reader:
            reader.connect(metrics)
            reader.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
            assert ended(reader)
        with connect(world) as client:
            client.call(**ASK)


harness.main(globals(), 2)
