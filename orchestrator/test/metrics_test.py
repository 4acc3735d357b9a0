#!/usr/bin/env python3
"""What lud measures: the text format, to the letter; values that are those of `luctl`; readers and machines that mean no good.

Usage: metrics_test.py BUILD [NAME...]
"""

import contextlib
import http.client
import os
import re
import resource
import signal
import select
import socket
import time

import harness
import remote

PORT = 20000 + os.getpid() % 12000  # of an address that is nobody's; below those that the kernel draws
NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[ !#-\[\]-~]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(r'(%s)(?:\{(%s(?:,%s)*)\})? (-?[0-9.e+-]+|\+Inf)' % (NAME, LABEL, LABEL))


def check_histogram(name, samples):
    """Of each set of labels: buckets that rise, the last one of all, as many as are counted."""
    series = {}
    for (of, labels), value in samples.items():
        bound = [label for label in labels if label.startswith('le="')]
        series.setdefault(frozenset(labels) - set(bound), {})[of[len(name):] + ''.join(bound)] = value
    for labels, values in series.items():
        counts = [value for key, value in values.items() if key.startswith('_bucket')]
        bounds = [float(key[11:-1]) for key in values if key.startswith('_bucket')]
        assert len(counts) > 5 and counts == sorted(counts) and bounds == sorted(bounds), (name, labels)
        assert bounds[-1] == float('inf') and counts[-1] == values['_count'] and '_sum' in values, (name, values)


def family(lines):
    """One metric: HELP, TYPE, its samples."""
    said = re.fullmatch(r'# HELP (samsara_[a-z_]+) ([^\n\\]+\.)', lines[0])
    name = said[1]
    kind, = re.fullmatch(r'# TYPE %s (gauge|counter|histogram)' % name, lines[1]).groups()
    samples = {}
    for line in lines[2:]:
        of, labels, value = SAMPLE.fullmatch(line).groups()
        key = (of, tuple(re.findall(LABEL, labels or '')))
        assert key not in samples, 'twice: %s' % line
        assert of == name or kind == 'histogram' and of in (name + '_bucket', name + '_sum', name + '_count'), line
        samples[key] = float(value)
    assert (kind == 'counter') == name.endswith('_total'), name
    assert kind != 'counter' or all(value >= 0 for value in samples.values()), name
    if kind == 'histogram':
        check_histogram(name, samples)
    return name, samples


def parse(text):
    """{(name, labels): value} of an answer that breaks no rule of the text format; labels as they are written, in order."""
    assert text.endswith('\n') and text.isascii(), text[-100:]
    found, names, lines = {}, [], text.split('\n')[:-1]
    heads = [n for n, line in enumerate(lines) if line.startswith('# HELP')]
    assert heads[0] == 0
    for begin, end in zip(heads, heads[1:] + [len(lines)]):
        name, samples = family(lines[begin:end])
        assert name not in names, 'in two pieces: %s' % name
        names.append(name)
        found.update(samples)
    return found


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('lud', timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def ask(connection, path='/metrics', method='GET'):
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def serve(world, listen=None):
    """lud is to serve its metrics there from its next start on; by default at a socket."""
    world.metrics = listen or os.path.join(world.dir, 'metrics.sock')
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('metrics:\n  listen: "%s"\n' % world.metrics)


def scrape(world):
    """All samples, by name and the values of their labels."""
    answer, body = ask(Unix(world.metrics))
    assert answer.status == 200 and answer.getheader('Content-Type') == 'text/plain; version=0.0.4; charset=utf-8', answer
    return {(name.removeprefix('samsara_'), *(label.split('"', 1)[1][:-1] for label in labels)): value
            for (name, labels), value in parse(body).items()}


def test_values(world):
    """After updates the numbers are those that luctl has; the next lud begins to count anew, and says when."""
    serve(world)
    world.prepare(2)
    before = scrape(world)
    assert before['jobs_total', 'update', 'confirmed'] == before['blackout_seconds_count', 'update'] == 0, before
    world.luctl('update', 'ds')
    world.luctl('update', 'ds', '--release', '9', code=3)
    world.luctl('update', 'ds', '--prepare-only')
    world.peer.services['ds']['restarts'] = 3
    status = world.json('status')
    now = world.until(lambda: (found := scrape(world))['machines_well',] == found['machine_up', 'm'] == 1 and found)
    ds, = [s for s in status['services'] if s['service']['name'] == 'ds']
    assert now['jobs_total', 'update', 'confirmed'] == 1 and now['jobs_total', 'update', 'failed'] == 0
    assert now['service_generation', 'm', 'ds'] == ds['service']['generation'] > 1, ds
    assert now['service_release', 'm', 'ds'] == ds['service']['counter'], ds
    assert now['service_up', 'm', 'ds'] == now['machine_info', 'm', 'up'] == 1
    assert now['machines', 'up'] == 1 and now['machines', 'stopped'] == 0
    assert now['service_restarts_total', 'm', 'ds'] == 3
    assert now['blackout_seconds_count', 'update'] == 1 and now['blackout_seconds_sum', 'update'] == 0.001234
    assert now['blackout_seconds_bucket', 'update', '0.001'] == 0 and now['blackout_seconds_bucket', 'update', '0.0025'] == 1
    assert now['job_duration_seconds_count', 'update'] == 1 and 0 < now['job_duration_seconds_sum', 'update'] < 300
    assert now['jobs_total', 'prepare', 'could be updated'] == 1 and now['job_duration_seconds_count', 'prepare'] == 0
    assert now['requests_total', 'not_found'] + now['requests_total', 'refused'] == 1 and now['requests_total', 'ok'] > 3
    assert now['connections_total', 'admitted'] > 3 and now['record_well',] == 1 and now['record_bytes', 'database'] > 4096
    assert abs(now['machine_status_timestamp_seconds', 'm'] - time.time()) < 200
    assert now['key_expiry_timestamp_seconds', 'root'] > time.time() and ('key_expiry_timestamp_seconds', 'order') in now
    world.kill(signal.SIGTERM)
    assert not os.path.exists(world.metrics)
    world.start()
    assert not [key for key in now if key[0].startswith('remote_')]
    after = world.until(lambda: ('service_generation', 'm', 'ds') in (found := scrape(world)) and found)
    assert after['jobs_total', 'update', 'confirmed'] == 0 and after['service_generation', 'm', 'ds'] == world.running()
    assert after['start_time_seconds',] > now['start_time_seconds',] > time.time() - 1000


def test_waits(world):
    """What waits, and for how long; holds; what policies want of a layout; what befalls services; rollouts that are open."""
    serve(world)
    world.prepare(2)
    with open(world.dir + '/p.yaml', 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"], services: [ds]}\nrerandomize: {every: 90d, max_age: 100d}\n')
    world.luctl('policy', 'apply', world.dir + '/p.yaml')
    world.luctl('hold', 'ds')
    world.luctl('update', 'ds', '--no-wait')
    now = world.until(lambda: (found := scrape(world))['open_jobs', 'held'] and found['open_jobs_oldest_wait_seconds',] and found)
    assert now['holds',] == 1
    assert now['service_layout_max_age_seconds', 'm', 'ds'] == 100 * 86400
    assert ('service_layout_max_age_seconds', 'm', 'rs') not in now and ('service_layout_timestamp_seconds', 'm', 'rs') in now
    world.luctl('unhold', 'ds')
    world.until(lambda: not scrape(world)['open_jobs_oldest_wait_seconds',])
    assert scrape(world)['service_changes_total', 'CRASHED'] == 0
    world.peer.crash('ds')
    world.until(lambda: scrape(world)['service_changes_total', 'CRASHED'] == 1)
    with open(world.dir + '/q.yaml', 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: q\nmatch: {machines: ["*"]}\nupdate: {mode: apply}\n'
                'rollout:\n  rings: [{name: all, size: 100%, soak: 10min, healthy: 20min, deadline: 1h}]\n')
    world.luctl('policy', 'apply', world.dir + '/q.yaml')
    world.luctl('release', 'add', world.kit('ds', 3))
    world.until(lambda: scrape(world)['rollouts', 'running'] == 1)


def test_hostile(world):
    """A machine may call its services what it likes: the answer keeps its form, and its size."""
    serve(world)
    world.prepare()
    names = ['a"b', 'a\\b', 'a\nb', '"} 1\n', 'b{', 'é', '\x7f', 'x' * 200, 'x' * 201, 'ä', '']
    for name in names + ['s%d' % n for n in range(100)]:
        world.peer.add_service(name, bytes(64))
    world.luctl('status', code=None)
    now = world.until(lambda: (found := scrape(world)).get(('service_up', 'm', 's1')) and found)
    told = [key[2] for key in now if key[0] == 'service_up']
    assert len(told) == 64 and {'ds', r'a\"b', r'a\\b', 'a?b', '??', '?', 'x' * 63, ''} <= set(told), told
    assert told.count('x' * 63) == 1 and told.count('??') == 1
    with world.control() as control:  # more than are told of in one piece
        for n in range(70):
            control.call(machine_add={'machine': 'z%d' % n})
    now = scrape(world)
    assert {key[1] for key in now if key[0] == 'machine_up'} == {'m', *('z%d' % n for n in range(70))}
    assert now['machines', 'up'] + now['machines', 'silent'] <= 1 and sum(now[key] for key in now if key[0] == 'machines') == 71


def address():
    """Of this host itself, and so far nobody's."""
    return '127.%d.%d.%d' % tuple(1 + byte % 250 for byte in os.urandom(3))


def is_over(connection):
    return bool(select.select([connection.sock], [], [], 0)[0])


def is_served(connection):
    """Whether lud's end of a connection is open, as the kernel has it: whoever reads would see only what is left."""
    ends = ':%04X' % PORT, ':%04X' % connection.sock.getsockname()[1]
    with open('/proc/net/tcp', encoding='ascii') as f:
        rows = [line.split()[1:4] for line in f]
    return any(ours.endswith(ends[0]) and theirs.endswith(ends[1]) and state == '01' for ours, theirs, state in rows)


def test_readers(world):
    """Readers that do not speak, or slowly, or do not read, have their time; lud goes on, and others have their turn."""
    at = address()
    serve(world, '%s:%d' % (at, PORT))
    world.prepare()
    for n in range(62):
        world.peer.add_service('%d' % n * 30, bytes(64))
    world.json('status')
    body = ask(http.client.HTTPConnection(at, PORT, timeout=60))[1]
    assert parse(body)['samsara_machine_up', ('machine="m"',)] == 1 and len(body) > 1 << 16, len(body)
    places = [http.client.HTTPConnection(at, PORT, timeout=60) for _ in range(7)]
    slow = places[0]
    for connection in places:
        connection.connect()
    deaf = http.client.HTTPConnection(at, PORT, timeout=60)
    deaf.sock = socket.socket()
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    deaf.sock.connect((at, PORT))  # the last of them, whose time is over last
    deaf.request('GET', '/metrics')
    assert is_served(deaf)
    assert world.json('status')['services']
    last = http.client.HTTPConnection(at, PORT, timeout=60)
    last.request('GET', '/metrics')
    while not is_over(slow):
        with contextlib.suppress(OSError):
            slow.sock.sendall(b'G')
        assert not is_over(last) or any(is_over(connection) for connection in places), 'there is no end of places'
        select.select([slow.sock], [], [], 0.2)
    answer = last.getresponse()
    assert answer.status == 200 and parse(answer.read().decode())
    for connection in places:
        with contextlib.suppress(ConnectionResetError):
            assert connection.sock.recv(1) == b''
    world.until(lambda: not is_served(deaf))
    try:
        deaf.getresponse().read()
    except (http.client.IncompleteRead, ConnectionResetError):
        pass
    else:
        raise AssertionError('the answer to one that does not read is kept for it')
    gone = http.client.HTTPConnection(at, PORT, timeout=60)
    gone.request('GET', '/metrics')
    gone.close()
    for connection in (*places, deaf, last):
        connection.close()
    assert ask(http.client.HTTPConnection(at, PORT, timeout=60), '/')[0].status == 404
    assert ask(http.client.HTTPConnection(at, PORT, timeout=60), method='POST')[0].status >= 400


def test_descriptors(world):
    """When they run out a reader waits, and lud does not do nothing but look for one."""
    serve(world)
    world.start()
    limits = resource.prlimit(world.lud.pid, resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as reader:
        resource.prlimit(world.lud.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        reader.connect(world.metrics)
        reader.sendall(b'GET /metrics HTTP/1.1\r\nHost: lud\r\n\r\n')
        world.until(lambda: 'Too many open files' in world.log())
        resource.prlimit(world.lud.pid, resource.RLIMIT_NOFILE, limits)
        reader.settimeout(60)
        assert reader.recv(4096).startswith(b'HTTP/1.1 200')
    assert world.log().count('Too many open files') == world.log().count('metrics: a reader waits') == 1, world.log()[:5000]


def test_users(world):
    """At the socket whoever may see may read; at an address of this host everybody. Nowhere else is listened."""
    serve(world)
    world.start()
    if os.getuid() == 0:
        world.roles = harness.roles(world)

        def status():
            connection = Unix('')
            connection.sock = harness.connect_as(65534, world.metrics)
            connection.sock.settimeout(60)
            return ask(connection)[0].status
        world.roles('user/1', 'viewer')
        assert status() == 403
        world.roles('user/65534', 'viewer@edge')  # not of everything, as the metrics are
        assert status() == 403
        world.roles('user/65534', 'viewer')
        assert status() == 200
        world.roles()
    world.kill(signal.SIGTERM)
    with open(world.config, encoding='ascii') as f:
        config = f.read()
    at = address()
    for listen, said in (('%s:%d' % (at, PORT), ''), ('0.0.0.0:9464', 'can be reached from outside'), ('127.0.0.1', 'no place'),
                         (world.config, 'cannot be listened at')):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(config.replace(os.path.join(world.dir, 'metrics.sock'), listen))
        if said:
            world.start(die_at='nowhere')
            world.wait_dead()
            assert said in world.log().split('\n')[-2], world.log()[-500:]
        else:
            world.start()
            answer, body = ask(http.client.HTTPConnection(at, PORT, timeout=60))
            assert answer.status == 200 and ('samsara_build_info', ) in [key[:1] for key in parse(body)], body
            world.kill(signal.SIGTERM)


def test_next(world):
    """Whoever comes right after a reader, and has the number of its connection, is heard."""
    serve(world)
    remote.prepare(world)
    at, made = (remote.HOST, int(remote.port(world))), remote.context(world)
    for _ in range(20):
        reader = Unix(world.metrics)
        reader.connect()
        with reader.sock as sock:
            sock.sendall(b'GET /metrics HTTP/1.1\r\n\r\n')
            while sock.recv(1 << 16):
                pass
        sock = socket.create_connection(at, 60)  # at once
        with remote.wire.Client(made.wrap_socket(sock), remote.wire.CONTROL) as far:
            far.hello(60)
            far.call(version={})


def test_far(world):
    """Of the listener for other hosts: who is connected, what became of each connection, what ends when, what is amiss."""
    serve(world)
    remote.prepare(world, 'alice', failures=4, failures_period='1h', handshake_timeout='60s')
    world.ca.issue('carol')
    world.ca.list(end=5 * 86400)
    remote.reload(world)
    begin = time.time()
    with remote.connect(world), remote.dial(world):
        now = world.until(lambda: (found := scrape(world))['remote_handshakes',] == 1 and found)
    assert now['remote_connections',] == now['remote_well',] == now['remote_connections_total', 'admitted'] == 1
    ends = {key[1]: value - begin for key, value in now.items() if key[0] == 'remote_expiry_timestamp_seconds'}
    assert {name: round(left / 86400) for name, left in ends.items()} == {'certificate': 1, 'ca': 30, 'crl': 5}, ends
    world.until(lambda: (found := scrape(world))['remote_handshakes',] == found['remote_connections',] == 0)
    with remote.connect(world, 'carol'):  # to hear that she has no role
        pass
    for _ in range(2):
        assert remote.refused(world, remote.context(world, None))
    assert remote.refused(world, remote.context(world))  # its address failed four times: nobody is looked at who comes from it
    now = {key[1]: value for key, value in scrape(world).items() if key[0] == 'remote_connections_total'}
    assert {name: n for name, n in now.items() if n} == {'admitted': 1, 'handshake': 3, 'roleless': 1, 'banned': 1}, now
    assert len(now) == 13
    os.unlink(world.ca.path('ca.crl'))
    remote.reload(world)
    now = scrape(world)
    assert now['remote_well',] == 0 and now['remote_expiry_timestamp_seconds', 'crl'] - begin == ends['crl'], now
    world.kill(signal.SIGTERM)
    world.start()
    assert scrape(world)['remote_well',] == 0 and not [key for key in scrape(world) if key[0] == 'remote_expiry_timestamp_seconds']


harness.main(globals(), 5)
