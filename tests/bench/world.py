"""A world for benchmarks: variants, keys, signed envelopes and a boot image in one directory, and the machine
booted from it. DS is what gets updated; the load gives it a known state and then stays quiet, or goes on (pause=0)."""
import contextlib
import os
import re
import secrets
import shutil
import struct
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for part in ('proto/py', 'tests', 'osd'):
    sys.path.insert(0, os.path.join(ROOT, part))
import orders  # noqa: E402
import services  # noqa: E402
import wire  # noqa: E402

SERVICES = (*services.machine(), 'load')
# 364 keys are 1000 objects (a quarter of the values are numbers inside their entries), and 64 KiB with the table.
LOAD_KEYS, LOAD_BYTES = 364, 144
CONNECT_SECONDS = 20
# osd/suites/update/priv.h, struct offer.
OFFER, OFFER_BYTES, OFFER_SEED, OFFER_ENVELOPE = 4096, 80, 224, 256
# Where plain layouts start, and how far they are apart.
PLAIN_BASE, PLAIN_STEP = 1 << 40, 1 << 32
# When the machine starts: release ids depend on it, and so do layouts.
NOW = 1800000000


def slurp(path):
    with open(path, 'rb') as f:
        return f.read()


class World:
    """Everything made before the machine starts. DS can be updated from one of its layouts to the next; it and the
    others have a signed kit, by which the machine can move them. The boot image has a starting statement and signed
    variants, as one of lud's has: what they cost at the start is measured with it."""

    def __init__(self, build, work, seed=0, layouts=2, pause=LOAD_KEYS + 1, others=(), plain=False):
        self.build, self.work, self.now, self.seed, self.pause = build, work, NOW, seed, pause
        self.plain = plain  # the boot image has layouts that hide nothing
        self.payloads = [self.path('ds-%d.payload' % i) for i in range(layouts)]
        self.seeds, self.envelopes, self.kits = [], [], {}
        self.sign(others)
        self.image = self.boot()

    def path(self, name):
        return os.path.join(self.work, name)

    def kit(self, name):
        return os.path.join(self.build, 'osd', name + '.kit')

    def luforge(self, *args):
        subprocess.run([os.path.join(self.build, 'forge', 'luforge'), *args], check=True)

    def plain_layout(self, service):
        """For the boot image; nobody signs such a layout."""
        out = self.path('boot-%s.payload' % service)
        self.seed += 1
        subprocess.run([os.path.join(self.build, 'forge', 'plain'), self.kit(service),
                        hex(PLAIN_BASE + self.seed * PLAIN_STEP), out], check=True)
        return out

    def signed_kit(self, service, envelope):
        """For the boot image, whose entries are of one release with their envelopes: what is signed is a later one."""
        shutil.copytree(self.kit(service), self.path(service + '.kit'))
        for path, content in ((self.path(service + '.kit/manifest'), orders.parts(envelope)[1][1]),
                              (self.path('boot-%s.envelope' % service), envelope)):
            with open(path, 'wb') as f:
                f.write(content)

    def sign(self, others):
        """Variants and their envelopes; keys and a starting statement are made on the way."""
        offered = [('ds', payload) for payload in self.payloads] + [(n, self.path(n + '.payload')) for n in others]
        if not self.plain:
            offered += [(n, self.path('boot-%s.payload' % n)) for n in SERVICES]
        lines = ['x%d x %s %s %064x %s 1 0 none' % (i, name, self.kit(name), self.seed + 1 + i, payload)
                 for i, (name, payload) in enumerate(offered)]
        self.seed += len(lines)
        subprocess.run([os.path.join(self.build, 'keyring', 'update_offers'), self.path('keys'),
                        str(self.now), self.path('offers')], input='\n'.join(lines), text=True, check=True)
        records = slurp(self.path('offers'))
        for i, (name, _) in enumerate(offered):
            offer = records[OFFER * i:OFFER * (i + 1)]
            size, = struct.unpack_from('<I', offer, OFFER_BYTES)
            envelope = offer[OFFER_ENVELOPE:OFFER_ENVELOPE + size]
            self.kits[name] = orders.kit_envelope(envelope)
            if i >= len(self.payloads) + len(others):
                self.signed_kit(name, envelope)
            if i < len(self.payloads):
                self.envelopes.append(envelope)
                self.seeds.append(offer[OFFER_SEED:OFFER_ENVELOPE])

    def boot(self):
        lines = ['machine_id ' + bytes(range(16)).hex(), 'random_seed ' + '%064x' % self.seed,
                 'boot_time %d' % self.now, 'root ' + self.path('keys/root.signed'),
                 'statement ' + self.path('offers.statement'),
                 'cmdline load_keys=%d load_bytes=%d load_pause=%d' % (LOAD_KEYS, LOAD_BYTES, self.pause)]
        for name in SERVICES:
            payload = self.plain_layout(name) if self.plain else self.path('boot-%s.payload' % name)
            lines.append('service %s %skit %s payload %s generation 1 floor 2%s' % (
                name, 'kernel ' if name in ('vm', 'rs') else '',
                self.kit(name) if self.plain else self.path(name + '.kit'), payload,
                '' if self.plain else ' envelope ' + self.path('boot-%s.envelope' % name)))
        with open(self.path('boot.list'), 'w') as f:
            f.write('\n'.join(lines) + '\n')
        self.luforge('image', '--out', self.path('boot.img'), self.path('boot.list'))
        return self.path('boot.img')


def launch(world, socket, icount, timeout):
    return subprocess.Popen(
        [os.path.join(ROOT, 'tools', 'run'), world.image, '--timeout', str(timeout),
         '--kernel', os.path.join(world.build, 'osd', 'kernel', 'samsara-kernel'),
         '--log', world.path('log'), '--port', socket] + (['--icount', '--real-idle'] if icount else []),
        stdin=subprocess.DEVNULL)


def boot_instructions(world, timeout):
    """What a boot takes by the machine's own clock, which the kernel starts early. Nobody is connected, since answers
    would count; so two boots differ by some thousands."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(world.path('log'))
    qemu, deadline, up = launch(world, world.path('port-boot'), True, timeout), time.monotonic() + timeout, None
    try:
        while up is None and time.monotonic() < deadline:
            time.sleep(0.02)
            if os.path.exists(world.path('log')):
                up = re.search(rb'services up after (\d+) us', slurp(world.path('log')))
    finally:
        qemu.terminate()
        qemu.wait()
    if up is None:
        raise TimeoutError('the machine does not boot')
    return int(up.group(1)) * 1000


class Machine:
    """QEMU, and a client on its channel. `boot_seconds`: from the start of QEMU to every service up."""

    def __init__(self, world, icount, timeout):
        self.world = world
        self.socket = world.path('port-' + secrets.token_hex(4))
        started = time.monotonic()
        self.qemu = launch(world, self.socket, icount, timeout)
        self.client = self.connect(started + CONNECT_SECONDS)
        while not self.is_up():
            time.sleep(0.005)
        self.boot_seconds = time.monotonic() - started
        self.payloads = [slurp(p) for p in world.payloads]
        self.state = slurp(os.path.join(world.kit('ds'), 'state'))
        self.n_updates = self.n_staged = 0
        self.n_payloads = len(self.payloads)
        self.client.stage = self.counted(self.client.stage)

    def counted(self, stage):
        """Staging, its bytes counted."""
        def count(content, *rest):
            self.n_staged += len(content)
            return stage(content, *rest)
        return count

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()

    def end(self):
        self.qemu.terminate()
        self.qemu.wait()

    def connect(self, deadline):
        while True:
            try:
                return wire.Client.connect(self.socket, wire.MACHINE, timeout=CONNECT_SECONDS)
            except OSError:
                if time.monotonic() > deadline or self.qemu.poll() is not None:
                    self.end()
                    raise
            time.sleep(0.005)

    def services(self):
        return {s['name']: s for s in self.client.call(status={})['services']}

    def is_up(self):
        services = self.services()
        return all(services.get(n, {}).get('state') == 'SERVICE_RUNNING' for n in SERVICES)

    def wait_quiet(self):
        """Until the load has made its state: its operations are counted, and reported from time to time."""
        deadline, before = time.monotonic() + CONNECT_SECONDS, None
        while time.monotonic() < deadline:
            entries = {m['name']: m.get('value', 0) for m in self.services()['load'].get('metrics', [])}
            if entries and entries == before:
                return
            before = entries
            time.sleep(0.3)
        raise TimeoutError('the load does not come to rest')

    def update(self):
        """The next update of DS; its result. Staged before, as lud does it."""
        i = self.n_updates % len(self.payloads)
        envelope = self.world.envelopes[i]
        self.client.admit(envelope, self.payloads[i], self.state, seed=self.world.seeds[i])
        return self.order(orders.component('ds', envelope, 2 + self.n_updates))

    def move(self, name='ds'):
        """A service into a layout that the machine makes; the result. Kit and state are in the boot image."""
        kit = self.world.kits[name]
        self.client.call(admit={'envelope': kit})
        result = self.order(orders.kit_component(name, orders.parts(kit)[1][1], 2 + self.n_updates))
        if not result.get('sealed'):
            raise RuntimeError('the root has an audit key, and the seed is not sealed: %r' % result)
        return result

    def order(self, component):
        self.n_updates += 1
        order = orders.manifest(self.client.call(status={'service': 'rs'}), self.n_updates, orders.UPDATE, [component])
        root = orders.parts(self.world.envelopes[0])[0][0]
        result = self.client.order(orders.sign(self.world.build, self.world.work, root, order))
        if result['outcome'] != 'OUTCOME_COMMITTED':
            raise RuntimeError('update %d: %r' % (self.n_updates, result))
        return result
