#!/usr/bin/env python3
"""`luctl watch`: what happens, once each, in order; over a lud that ends and a connection that is cut; and nothing that is
missing is passed over in silence.

Usage: watch_test.py BUILD [NAME...]
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import harness

KEPT = 1024  # events that lud keeps


class Watch:
    """A `luctl watch` that runs; its lines as they come."""

    def __init__(self, world, *args, socket_path=None):
        self.luctl = subprocess.Popen([world.program('ctl/luctl'), 'watch', *args], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True,
                                      env={**os.environ, 'SAMSARA_SOCKET': socket_path or world.socket})
        self.world, self.is_json, self.lines = world, '--json' in args, []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.luctl.stdout:
            self.lines.append(json.loads(line) if self.is_json else line.rstrip('\n'))

    def until(self, probe):
        """The first line that this is true of."""
        self.world.until(lambda: any(probe(line) for line in self.lines))
        return next(line for line in self.lines if probe(line))

    def end(self):
        """Ctrl-C ends it well, with nothing to complain about."""
        self.luctl.send_signal(signal.SIGINT)
        assert self.luctl.wait(100) == 0, self.luctl.stderr.read()
        self.reader.join(100)
        assert not self.luctl.stderr.read()
        return self.lines


def started(world, *args, socket_path=None):
    """A watch that lud has taken up: it says of a mark that is made until it does."""
    watch = Watch(world, *args, socket_path=socket_path)

    def is_there():
        world.luctl('hold', '--machine', 'm', '--reason', 'mark')
        world.luctl('unhold', '--machine', 'm')
        world.peer.crash('ds')
        return any('crashed' in str(line) for line in list(watch.lines))
    world.until(is_there)
    return watch


def numbers(lines, run=None):
    return [line['number'] for line in lines if 'number' in line and (not run or line['run'] == run)]


def test_stream(world):
    """Jobs with their states and reasons, services, machines, what is amiss; a line each, in both forms."""
    world.prepare(2)
    watch, plain = started(world, '--json'), started(world, 'm')
    world.luctl('hold', 'ds', '--reason', 'freeze')
    watch.until(lambda e: e['kind'] == 'amiss' and e['state'] in ('found', 'began') and 'ds on m is held' in e['text'])
    world.luctl('update', 'ds', '--no-wait')
    held = watch.until(lambda e: e['kind'] == 'job' and e['state'] == 'held')
    assert (held['job'], held['service'], held['machine']) == (1, 'ds', 'm') and 'freeze' in held['text'], held
    world.luctl('unhold', 'ds')
    world.settle(1)
    watch.until(lambda e: e['kind'] == 'job' and e['state'] == 'confirmed')
    watch.until(lambda e: e['kind'] == 'amiss' and e['state'] == 'over' and 'ds on m is held' in e['text'])
    seen = [e['state'] for e in watch.lines if e['kind'] == 'job']
    assert seen.index('held') < seen.index('preparing') < seen.index('switching') < seen.index('confirmed'), seen
    world.peer.cut()
    watch.until(lambda e: e['kind'] == 'machine' and e['state'] == 'connecting')
    watch.until(lambda e: e['kind'] == 'machine' and e['state'] == 'up')
    world.luctl('machine', 'stop', 'm')
    watch.until(lambda e: e['kind'] == 'machine' and e['state'] == 'stopped')
    plain.until(lambda line: line.endswith('m: stopped'))
    lines = watch.end()
    assert all(e['schema'] == 'samsara.luctl/1' and e['command'] == 'watch' for e in lines)
    assert numbers(lines) == list(range(numbers(lines)[0], numbers(lines)[0] + len(lines))), numbers(lines)
    text = '\n'.join(plain.end())
    assert 'm job 1 ds: held (step ' in text and 'm ds: crashed: crashed' in text and 'm: connecting' in text, text


def test_restart(world):
    """lud dies and comes back: the watch says so and goes on, with nothing twice; numbers are those of lud's runs."""
    world.prepare(2)
    watch = started(world, '--json')
    world.luctl('update', 'ds')
    watch.until(lambda e: e['state'] == 'confirmed')
    world.kill()
    watch.until(lambda e: e['kind'] == 'gap' and e['state'] == 'lost')
    world.start()
    gap = watch.until(lambda e: e['kind'] == 'gap' and e['state'] == 'restarted')
    assert 'may be missing' in gap['text'], gap
    watch.until(lambda e: e['kind'] == 'machine' and e['state'] == 'up')
    world.luctl('rerandomize', 'ds')
    watch.until(lambda e: e['kind'] == 'job' and e['job'] == 2 and e['state'] == 'confirmed')
    lines = watch.end()
    runs = sorted({e['run'] for e in lines if 'run' in e}, key=[e.get('run') for e in lines].index)
    assert len(runs) == 2 and [e['state'] for e in lines if e['kind'] == 'gap'] == ['lost', 'restarted'], lines
    for run in runs:
        assert numbers(lines, run) == list(range(numbers(lines, run)[0], numbers(lines, run)[-1] + 1))
    assert len([e for e in lines if e['kind'] == 'job' and e['state'] == 'confirmed']) == 2


@contextlib.contextmanager
def proxy(world):
    """A socket that leads to lud's; cut() ends what goes over it, and is_open says whether anybody gets through."""
    path = world.dir + '/proxy.sock'
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    pairs, is_open = [], threading.Event()
    is_open.set()

    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                here, _ = listener.accept()
                if not is_open.is_set():
                    here.close()
                    continue
                there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                there.connect(world.socket)
                pairs.append((here, there))
                for a, b in ((here, there), (there, here)):
                    threading.Thread(target=pump, args=(a, b), daemon=True).start()

    def cut():
        is_open.clear()
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        pairs.clear()

    threading.Thread(target=accept, daemon=True).start()
    yield path, cut, is_open
    listener.shutdown(socket.SHUT_RDWR)
    cut()
    listener.close()


def test_line_cut(world):
    """The connection is cut and lud goes on: what happened meanwhile comes afterwards, all of it and once."""
    world.prepare()
    with proxy(world) as (path, cut, is_open):
        watch = started(world, '--json', socket_path=path)
        cut()
        watch.until(lambda e: e['kind'] == 'gap' and e['state'] == 'lost')
        world.luctl('rerandomize', 'ds')
        assert not [e for e in watch.lines if e['kind'] == 'job']
        is_open.set()
        watch.until(lambda e: e['kind'] == 'gap' and e['state'] == 'resumed')
        watch.until(lambda e: e['kind'] == 'job' and e['state'] == 'confirmed')
        lines = watch.end()
    n = numbers(lines)
    assert n == list(range(n[0], n[0] + len(n))) and len(lines) == len(n) + 2, lines
    assert lines[-1]['state'] != 'lost'


def chunks(control, timeout=10):
    """What comes, until nothing does or the answer."""
    while message := control.receive(timeout):
        if 'reply' in message:
            return
        yield message['events']


def test_slow(world):
    """Who does not read is sent so much, then cut with a word; lud keeps what it keeps, and says how much is missing."""
    world.prepare()
    with world.control() as control:
        control.send(watch={'machine': 'm'})
        begin = control.receive()['events']
        assert begin['run'] and not begin.get('events'), begin
        memory = int(harness.status_of(world.lud.pid)['VmRSS'].split()[0])
        crashes = 0

        def is_cut():
            nonlocal crashes
            for _ in range(100):
                world.peer.crash('ds')
            crashes += 100
            with world.control() as other:
                return not other.call(version={}) or crashes >= 2500
        world.until(is_cut)
        with world.control() as other:
            other.send(watch={'run': begin['run'], 'after': begin['next']})
            world.until(lambda: int(other.receive()['events'].get('missed', 0)) > 0)
        assert int(harness.status_of(world.lud.pid)['VmRSS'].split()[0]) < memory + 4096
        got = list(chunks(control))
        assert got[-1].get('is_cut') and not any(c.get('is_cut') for c in got[:-1])
        n = [e['number'] for c in got for e in c.get('events', [])]
        assert n == list(range(begin['next'], begin['next'] + len(n))) and len(n) < 2 * crashes - KEPT
        control.send(watch={'run': begin['run'], 'after': got[-1]['next']})
        again = control.receive()['events']
        first = again['events'][0]['number']
        assert again['missed'] == first - got[-1]['next'] > 0, again['missed']


def test_others(world):
    """Who watches a quiet machine among busy ones misses nothing of it when the line is cut: numbers go on for him."""
    world.prepare()
    with harness.peer.Peer(os.path.join(world.dir, 'b.sock')) as other:
        other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        with world.control() as control, world.control() as asks:
            control.send(watch={'machine': 'm'})
            begin = control.receive()['events']
            at = begin['next']
            for _ in range(13):
                for _ in range(100):
                    other.crash('ds')
                asks.call(version={})
            while at < begin['next'] + 2 * 1300 - KEPT // 2:
                chunk = control.receive(100)['events']
                assert not [e for e in chunk.get('events', []) if e['machine'] == 'b'], chunk
                at = chunk['next']
        with world.control() as control:
            control.send(watch={'machine': 'm', 'run': begin['run'], 'after': at})
            assert not control.receive()['events'].get('missed')


def test_asked(world):
    """A number of events is enough; a machine that is not there, and a lud that is not, are errors as everywhere."""
    world.prepare()
    watch = started(world, 'm', '--json', '--limit', '3')
    assert watch.luctl.wait(100) == 0
    watch.reader.join(100)
    assert len(numbers(watch.lines)) == len(watch.lines) == 3, watch.lines
    world.luctl('watch', 'nobody', code=3)
    assert json.loads(world.luctl('watch', 'nobody', '--json', code=3, out=True))['error']['exit'] == 3
    with world.control() as control:
        control.send(watch={'run': 'of another lud', 'after': 7})
        chunk = control.receive()['events']
        assert chunk['is_other_run'] and chunk['events'][0]['number'] == 1, chunk
    world.kill(signal.SIGTERM)
    world.luctl('watch', code=8)


def test_viewer(world):
    """To watch is to see: the role viewer is enough."""
    if os.getuid() != 0:
        return
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write('access:\n  user/65534: viewer\n' + good)
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: 'access is changed' in world.log())
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)

    def watch():
        with world.control() as control:
            control.send(watch={})
            return 0 if control.receive()['events']['run'] else 1
    assert harness.as_user(65534, watch) == 0


harness.main(globals(), 3)
