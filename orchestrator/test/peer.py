"""A machine's end of the protocol without a machine: it stages, 'runs' updates and keeps
results as RS does, and misbehaves on request. Only for tests of lud's channel and jobs;
what the machine really does is tested on the machine.

    with peer.Peer(path) as machine:
        machine.faults['cut_after'] = 5     # close the connection after 5 more frames
"""

import contextlib
import hashlib
import os
import random
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../proto/py'))
import wire  # noqa: E402

# Of what a test does at random.
SEED = os.environ.get('SAMSARA_SEED', '1')

RESULTS_KEPT = 64
BASE_AT = 48  # of struct image_header
PAYLOAD_LEN_AT, COMMIT_AT = 200, 208  # of struct variant_manifest


VARIANT, ORDER, STATEMENT, TIME, KIT, STANDING = 1, 2, 3, 4, 5, 6
UPDATE, PREPARE, CONFIRM, RESTART, SHUTDOWN = 1, 2, 3, 4, 5


def envelope_parts(data):
    """(kind, [(manifest, number of signatures)]) of an envelope."""
    kind, = struct.unpack_from('<I', data, 16)
    at, parts = 24, []
    while at < len(data):
        _, _, length, n_signatures, _ = struct.unpack_from('<8sIIII', data, at)
        parts.append((data[at + 24:at + 24 + length], n_signatures))
        at += 24 + length + 80 * n_signatures
    return kind, parts


def serial(parts):
    """That of the signed root, which is the first part."""
    return struct.unpack_from('<Q', parts[0][0], 16)[0]


def text(data):
    return bytes(data).rstrip(b'\0').decode()


class Variant:
    def __init__(self, manifest, kit):
        self.hash = hashlib.blake2b(manifest).digest()
        self.service = text(manifest[32:56])
        self.release_id = bytes(manifest[56:120])
        self.payload_hash = bytes(manifest[136:200])
        self.payload_len, = struct.unpack_from('<Q', manifest, PAYLOAD_LEN_AT)
        self.commitment = bytes(manifest[COMMIT_AT:COMMIT_AT + 64])
        self.recipe, = struct.unpack_from('<I', manifest, COMMIT_AT + 64)
        self.kit, self.seed = kit, b''

    def files(self):
        return {**self.kit.files, self.payload_hash: self.payload_len}

    def is_proved(self):
        """Whether its seed came with it, by the commitment (proto/envelope/seed.c)."""
        known = b'samsara commit'.ljust(16, b'\0') + self.release_id + struct.pack('<II', self.recipe, 0) + self.seed
        return len(self.seed) == 32 and hashlib.blake2b(known).digest() == self.commitment


class Kit:
    def __init__(self, manifest):
        self.release_id = hashlib.blake2b(manifest).digest()
        self.service = text(manifest[16:40])
        state_len, = struct.unpack_from('<Q', manifest, 120)
        flat_len, = struct.unpack_from('<Q', manifest, 192)
        self.flat = bytes(manifest[200:264])
        self.files = {bytes(manifest[128:192]): state_len, self.flat: flat_len}


class Order:
    def __init__(self, manifest, n_signatures):
        self.n_signatures = n_signatures
        (self.boot_id, self.epoch, self.txn, self.issued, self.expires, self.argument, self.action,
         n_components, self.total_ms) = struct.unpack_from('<QQQQQQIII', manifest, 32)
        self.service = self.release_id = self.variant_hash = self.consent = None
        self.generation = self.recipe = 0
        if n_components:
            self.service = text(manifest[104:128])
            self.release_id = bytes(manifest[152:216])
            self.variant_hash = bytes(manifest[216:280])
            self.consent = bytes(manifest[280:344])
            self.generation, self.recipe = struct.unpack_from('<QI', manifest, 344)

    def is_made(self):
        """Whether the machine makes the layout."""
        return self.action in (UPDATE, PREPARE) and not any(self.variant_hash)


class Peer:
    def __init__(self, path):
        self.path, self.schema = path, wire.Schema()
        self.machine_id, self.boot_id = os.urandom(16), random.getrandbits(60) | 1
        self.versions = (2, 2)
        self.features = 7        # of Hello: metrics, log, and that it makes layouts
        self.services = {}       # name -> dict as machine.Service
        self.staged = {}         # hash -> (length, bytearray)
        self.admitted_under = {} # the serial of its root, by the hash of a variant
        self.admitted = {}       # hash of a variant -> it
        self.seeds = []          # what came beside variants, in order
        self.keeps_kits = True   # it proves payloads; False: booted with kits=none
        self.kits = {}           # release id -> kit
        self.unconfirmed = {}    # number of the order that made what runs, by service: what may be confirmed
        self.booted = set()      # ids of the releases that it was booted with: their files are there
        self.stage_limit = 16 << 20
        self.n_begun = 0         # files that were to be staged
        self.results = {}        # (epoch, txn) -> result
        self.runs = []           # numbers of updates that were really run, in order
        self.orders = []         # everything accepted
        self.statements = []     # manifests
        self.root_serial = 1     # the newest seen
        self.stated = 0          # the root serial of the statement that counts
        self.times = []
        self.standing = None     # what it has, as machine.Standing
        self.n_standing = 0      # standing orders taken; quiet times and services of the last one
        self.standing_quiet, self.standing_services = [], []
        self.n_status = 0        # times that it was asked for its status
        self.time_ahead = 0
        self.floors = {}
        self.events, self.seq = [], 0
        self.faults = {}
        self.has_audit_key = True  # its root names one
        self.pings = 0
        self.says = ['hello from the peer']
        self.newest = (0, 0)
        self.lock = threading.RLock()
        self.n_status = 0  # asked for
        self.rollback_step = 'transfer'
        self.withheld = []       # results that `hold_result` keeps back
        self.unanswered = []     # standing orders that `hold_standing` was at
        self.preparing = None    # the order that `hold_prepare` keeps from the switch
        self.awake = threading.Event()  # cleared: neither reads nor answers
        self.awake.set()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(4)
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    # Services that give no sign of life, how long it takes others (ns), and whether the agent asks for one at all.
    mute, pong_took, knows_pings = frozenset(), {}, True

    def add_service(self, name, release_id, can_update=True):
        self.booted.add(release_id)
        self.services[name] = {
            'name': name, 'state': 'SERVICE_RUNNING', 'generation': 1, 'generation_epoch': 1, 'release_id': release_id,
            'counter': 1, 'build_id': bytes(32), 'base_address': 1 << 40,
            'can_update': can_update,
            'why_not': '' if can_update else 'this service cannot be updated live'}

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.awake.set()
        os.write(self.stop_write, b'x')
        self.thread.join()
        self.listener.close()

    def reboot(self):
        """Forgets everything but what the boot image would hold."""
        with self.lock:
            self.boot_id += 1
            self.staged, self.results, self.events, self.admitted, self.kits = {}, {}, [], {}, {}
            self.seq, self.newest, self.statements, self.stated = 0, (0, 0), [], 0
            self.unconfirmed = {}

    def put_back(self):
        """To a snapshot of this boot: what came after it is forgotten, and the boot id stays."""
        boot = self.boot_id
        self.reboot()
        self.boot_id = boot

    # ---- the byte channel

    def _serve(self):
        while self._readable(self.listener):
            connection, _ = self.listener.accept()
            try:
                self._talk(connection)
            except (ConnectionError, BrokenPipeError):
                pass
            connection.close()

    def _readable(self, sock):
        ready, _, _ = select.select([sock, self.stop_read], [], [])
        return self.stop_read not in ready

    def _talk(self, connection):
        self.connection, self.nonce, self.sent = connection, 0, 0
        self.held, self.subscribed = None, False
        decoder = wire.Decoder()
        while self._readable(connection):
            data = connection.recv(65536)
            if not data:
                return
            self.awake.wait()
            for frame in decoder.feed(data):
                with self.lock:
                    self._frame(frame)

    def _fault(self, name):
        """Takes one use of a fault; True when it was there."""
        if self.faults.get(name, 0) <= 0:
            return False
        self.faults[name] -= 1
        return True

    def _count_cut(self):
        if 'cut_after' in self.faults:
            self.faults['cut_after'] -= 1
            if self.faults['cut_after'] < 0:
                del self.faults['cut_after']
                raise ConnectionError('cut as asked')

    def _frame(self, frame):
        self._count_cut()
        if frame.kind == wire.HELLO:
            self._hello(frame)
        elif frame.kind == wire.DATA and frame.nonce == self.nonce:
            self._request(self.schema.decode('machine.Request', frame.payload))

    def _hello(self, frame):
        self.nonce, self.sent, self.subscribed = frame.nonce, 0, False
        low, high = self.versions
        if low > 2:
            self.connection.sendall(wire.seal(wire.BYE, frame.nonce, 0, self.schema.encode(
                'wire.Bye', {'reason': 'BYE_VERSION', 'min_version': low, 'max_version': high})))
            return
        self.connection.sendall(wire.seal(wire.WELCOME, frame.nonce, 0, self.schema.encode(
            'wire.Hello', {'min_version': low, 'max_version': high, 'features': self.features,
                           'software': 'peer.py', 'machine_id': self.machine_id,
                           'boot_id': self.boot_id, 'version': 2})))
        if self._fault('early_events'):
            for event in list(self.events):
                self._send({'event': event})

    def _send(self, message):
        if self._fault('garbage'):
            self.connection.sendall(random.Random(SEED).randbytes(200))
        self.sent += 1
        self.connection.sendall(wire.seal(
            wire.DATA, self.nonce, self.sent,
            self.schema.encode('machine.FromMachine', message)))
        self._count_cut()

    def _reply(self, request, **body):
        """Answers; with the fault `reorder`, behind the next answer."""
        message = {'reply': {'id': request['id'], **body}}
        if self._fault('mute'):
            return
        if self.held is None and self._fault('reorder'):
            self.held = message
            return
        self._send(message)
        if self.held is not None:
            held, self.held = self.held, None
            self._send(held)

    def repeat_result(self):
        """The newest result once more, as an event of its own."""
        self._event(result=self.results[max(self.results)])

    def _made_afresh(self, service):
        service.update(machine_made=True, made=service.get('made', 0) + 1, base_address=0, build_id=b'',
                       commitment=os.urandom(64), made_last_ns=time.monotonic_ns(), made_head=os.urandom(64))
        if service['made'] == 1:
            service['made_first_ns'] = service['made_last_ns']
        self._seal(service)

    def _seal(self, service):
        """What only the audit key opens: random bytes serve, where lud keeps what it cannot read."""
        service['sealed'] = os.urandom(80) if self.has_audit_key else b''

    def boot_anew(self):
        """Another boot, in layouts that the host made; lud finds it when it connects again."""
        with self.lock:
            self.reboot()
            for service in self.services.values():
                service.update(machine_made=False, made=0, commitment=b'', sealed=b'', base_address=1 << 40,
                               build_id=bytes(32))
        self.cut()

    def cut(self):
        """The channel is cut: lud connects again."""
        with self.lock, contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def say(self, text):
        """A line of the log."""
        with self.lock:
            self._send({'log': {'lines': [{'clock_ns': 1, 'service': 'rs', 'level': 6, 'text': text}]}})

    def crash(self, name, comes_back=True):
        """The service crashes and starts afresh, in a layout that the machine makes."""
        with self.lock:
            service = self.services[name]
            self._made_afresh(service)
            service['restarts'] = service.get('restarts', 0) + 1
            change = {'service': name, 'generation': service['generation']}
            self._event(change={**change, 'kind': 'CHANGE_CRASHED', 'cause': {
                'component': 'kernel', 'name': 'page-fault', 'message': 'it read address 0'}})
            if comes_back:
                self._event(change={**change, 'kind': 'CHANGE_RESTARTED'})

    def stop(self, name):
        """The machine has given the service up: it does not run."""
        self._is_now(name, 'SERVICE_DOWN', 'CHANGE_GAVE_UP')

    def start_afresh(self, name):
        """A person has started a service afresh that did not run."""
        self._is_now(name, 'SERVICE_RUNNING', 'CHANGE_RESTARTED')

    def _is_now(self, name, state, change):
        with self.lock:
            self.services[name]['state'] = state
            self._event(change={'service': name, 'generation': self.services[name]['generation'], 'kind': change})

    def _event(self, **body):
        self.seq += 1
        event = {'seq': self.seq, 'clock_ns': self.seq * 1000, **body}
        self.events.append(event)
        if self.subscribed and not self._fault('lose_event'):
            self._send({'event': event})

    def _refuse(self, request, kind, name, message, **more):
        self._reply(request, error={
            'class': kind, 'cause': {'component': 'rs', 'step': 'verify', 'name': name,
                                     'message': message}, **more})

    # ---- requests

    def _request(self, request):
        for name in ('status', 'admit', 'stage_begin', 'stage_chunk', 'stage_drop', 'order_run',
                     'result_query', 'event_subscribe', 'event_ack', 'log_subscribe', 'statement',
                     'time_set', 'standing_set', 'cancel', 'ping'):
            if name in request:
                getattr(self, '_on_' + name)(request, request[name])
                return
        self._refuse(request, 'ERROR_UNSUPPORTED', 'E_UNSUPPORTED', 'unknown request')

    def release(self):
        """Sends the results that were held back."""
        with self.lock:
            for result in self.withheld:
                self._finish(result)
            self.rollback_step = 'transfer'
        self.withheld = []

    def _on_ping(self, request, body):
        self.pings += 1
        self._reply(request, pong=body)

    def _on_status(self, request, body):
        self.n_status += 1
        self.n_status += 1
        if self._fault('busy_status'):
            self._refuse(request, 'ERROR_UNAVAILABLE', 'E_AGAIN', 'not now')
            return
        self._reply(request, status={
            'machine_id': self.machine_id, 'boot_id': self.boot_id, 'clock_ns': time.monotonic_ns(),
            'time': int(time.time()) + self.time_ahead, 'time_nonce': 77, 'root_serial': self.root_serial,
            'has_statement': self.stated == self.root_serial, 'newest_epoch': self.newest[0],
            'newest_txn': self.newest[1], 'resources': {'stage_limit': self.stage_limit},
            **({'standing': self.standing} if self.standing else {}), 'no_kits': not self.keeps_kits,
            'services': list(self.services.values())})
        if body.get('ping') and self.knows_pings:
            self._answer_pings(time.monotonic_ns())

    def _answer_pings(self, now):
        """Signs of life: of a mute service one is owed, others took as long as `pong_took` says."""
        for name, service in self.services.items():
            if name in self.mute:
                service.setdefault('ping_open_ns', now)
            else:
                service.pop('ping_open_ns', None)
                service.update(pong_at_ns=now, pong_took_ns=self.pong_took.get(name, 1000))

    def _learn_root(self, parts):
        self.root_serial = serial(parts)

    def _is_old_root(self, request, known):
        """Refuses what was signed under an older root than one seen."""
        if known < self.root_serial:
            self._refuse(request, 'ERROR_REFUSED', 'E_V_ROOT', 'an older root than one seen')
        return known < self.root_serial

    def _on_statement(self, request, body):
        kind, parts = envelope_parts(body['envelope'])
        assert kind == STATEMENT
        if self._fault('lose_statement'):
            self._refuse(request, 'ERROR_UNAVAILABLE', 'E_AGAIN', 'not now')
            return
        self._learn_root(parts)
        self.stated = self.root_serial
        self.statements.append(bytes(parts[1][0]))
        self._reply(request, done={})

    def _on_time_set(self, request, body):
        kind, parts = envelope_parts(body['envelope'])
        assert kind == TIME
        boot, nonce, self_time = struct.unpack_from('<QQQ', parts[1][0], 32)
        if (boot, nonce) != (self.boot_id, 77):
            self._refuse(request, 'ERROR_REFUSED', 'E_V_NONCE', 'another nonce')
            return
        self.times.append(self_time)
        self.time_ahead = 0
        self._reply(request, done={})

    def _on_standing_set(self, request, body):
        kind, parts = envelope_parts(body['envelope'])
        assert kind == STANDING
        boot, epoch, number, _, expires, every_ms, _, n_services = struct.unpack_from('<QQQQQIII', parts[1][0], 32)
        self._learn_root(parts)
        if self.stated != self.root_serial:
            self._refuse(request, 'ERROR_REFUSED', 'E_V_STATEMENT', 'no starting statement of the newest root')
            return
        if boot != self.boot_id or self._fault('refuse_standing'):
            self._refuse(request, 'ERROR_REFUSED', 'E_V_BOOT', 'made for another boot of this machine')
            return
        n_quiet, = struct.unpack_from('<I', parts[1][0], 84)
        self.n_standing += 1
        self.standing_quiet = [struct.unpack_from('<II', parts[1][0], 88 + 8 * i) for i in range(n_quiet)]
        self.standing_services = [parts[1][0][152 + 96 * i:][:24].rstrip(b'\0').decode() for i in range(n_services)]
        self.standing = {'state': 'STANDING_RUNNING' if n_services else 'STANDING_WITHDRAWN', 'epoch': epoch,
                         'number': number, 'expires': expires, 'every_ms': every_ms}
        if self._fault('hold_standing'):
            self.unanswered.append(request)
        else:
            self._reply(request, done={})

    def answer(self):
        """Answers the standing orders that `hold_standing` left without an answer."""
        with self.lock:
            while self.unanswered:
                self._reply(self.unanswered.pop(), done={})

    def _is_late(self, request, name):
        """Too many signatures to check: later."""
        if not self._fault('rate_' + name):
            return False
        self._refuse(request, 'ERROR_UNAVAILABLE', 'E_RATE', 'too many', retry_ms=30)
        return True

    def _on_admit(self, request, body):
        if self._is_late(request, 'admit'):
            return
        kind, parts = envelope_parts(body['envelope'])
        assert kind in (VARIANT, KIT)
        if self._is_old_root(request, serial(parts)):
            return
        self._learn_root(parts)
        if kind == KIT:
            self._admit_kit(request, Kit(parts[1][0]))
            return
        variant = Variant(parts[2][0], Kit(parts[1][0]))
        variant.n_signatures = parts[2][1]
        variant.seed = bytes(body.get('seed', b''))
        self.seeds.append(variant.seed)
        self.admitted[variant.hash] = variant
        self.admitted_under[variant.hash] = self.root_serial
        wanted = {h: n for h, n in variant.files().items() if self.keeps_kits or h != variant.kit.flat}
        self._reply(request, admitted={'variant_hash': variant.hash, 'blobs': [
            {'hash': digest, 'len': length, 'complete': self._is_there(variant.kit, digest)}
            for digest, length in wanted.items()]})

    def _is_there(self, kit, digest):
        length, content = self.staged.get(digest, (1, b''))
        return (kit.release_id in self.booted and digest in kit.files) or len(content) == length

    def _admit_kit(self, request, kit):
        if self._fault('refuse_kit'):
            self._refuse(request, 'ERROR_REFUSED', 'E_V_KEY_EXPIRED', 'its key is over')
            return
        self.kits[kit.release_id] = kit
        self.admitted_under[kit.release_id] = self.root_serial
        self._reply(request, admitted={'variant_hash': kit.release_id, 'blobs': [
            {'hash': digest, 'len': length, 'complete': self._is_there(kit, digest)}
            for digest, length in kit.files.items()]})

    def _on_event_subscribe(self, request, body):
        self.subscribed = True
        after = body.get('after', 0) if body.get('boot_id', 0) == self.boot_id else 0
        self._reply(request, events={'newest': self.seq, 'boot_id': self.boot_id})
        for event in list(self.events):
            if event['seq'] > after:
                self._send({'event': event})

    def _on_event_ack(self, request, body):
        self.events = [e for e in self.events if e['seq'] > body.get('seq', 0)]
        self._reply(request, events={'newest': self.seq, 'boot_id': self.boot_id})

    def _on_log_subscribe(self, request, body):
        self._reply(request, done={})
        for text in self.says:
            self._send({'log': {'lines': [{'clock_ns': 1, 'service': 'rs', 'level': 6, 'text': text}]}})

    def _progress(self, request, digest):
        length, content = self.staged[digest]
        good = hashlib.blake2b(content).digest() == digest
        self._reply(request, stage={'offset': len(content),
                                    'complete': len(content) == length and good})

    def _on_stage_begin(self, request, body):
        if self._fault('full'):
            self._refuse(request, 'ERROR_FULL', 'E_STORE_FULL', 'the store is full')
            return
        named = {h for v in self.admitted.values() for h in v.files()}
        named |= {h for kit in self.kits.values() for h in kit.files}
        self.n_begun += 1
        assert bytes(body['hash']) in named, 'a blob that no variant names'
        self.staged.setdefault(bytes(body['hash']), (body['len'], bytearray()))
        self._progress(request, bytes(body['hash']))

    def _on_stage_chunk(self, request, body):
        digest = bytes(body['hash'])
        content = self.staged[digest][1]
        assert body.get('offset', 0) == len(content), 'chunks out of order'
        content += body['data']
        self._progress(request, digest)

    def _on_stage_drop(self, request, body):
        self.staged.clear()
        self._reply(request, stage_store={})

    def _on_cancel(self, request, body):
        order = self.preparing
        if not order or (order.epoch, order.txn) != (body['epoch'], body['txn']):
            self._refuse(request, 'ERROR_NOT_FOUND', 'E_NOTFOUND', 'no such transaction')
            return
        self.preparing = None
        if self._fault('cancel_late'):
            result = self._run(order)
            self._refuse(request, 'ERROR_REFUSED', 'E_STATE', 'it switches')
        else:
            result = {'txn': order.txn, 'epoch': order.epoch, 'service': order.service, 'action': order.action,
                      'outcome': 'OUTCOME_ROLLED_BACK', 'generation': self.services[order.service]['generation'],
                      'cause': {'component': 'rs', 'step': 'prepare', 'name': 'E_CANCELLED', 'message': 'cancelled'}}
            self._reply(request, done={})
        self._finish(result)

    def _on_result_query(self, request, body):
        number = body['epoch'], body['txn']
        preparing = self.preparing and (self.preparing.epoch, self.preparing.txn)
        if number == preparing or any((r['epoch'], r['txn']) == number for r in self.withheld):
            self._reply(request, result={'state': 'TXN_RUNNING', 'boot_id': self.boot_id})
            return
        result = self.results.get(number)
        self._reply(request, result={
            'state': 'TXN_DONE' if result else 'TXN_UNKNOWN', 'boot_id': self.boot_id,
            **({'result': result} if result else {})})

    def _on_order_run(self, request, body):
        kind, parts = envelope_parts(body['envelope'])
        assert kind == ORDER
        order = Order(*parts[1])
        if self._is_late(request, 'order_%d' % order.action):
            return
        if order.action == CONFIRM and self._fault('odd_confirm'):
            self._refuse(request, 'ERROR_REFUSED', 'E_V_ROOT', 'later', retry_ms=30)
            return
        if order.action == CONFIRM and self._fault('nonsense_confirm'):
            self._reply(request, done={})
            return
        number = order.epoch, order.txn
        if number in self.results:
            self._reply(request, result={'state': 'TXN_DONE', 'result': self.results[number]})
            return
        if number <= self.newest:
            self._refuse(request, 'ERROR_NOT_FOUND', 'E_NOTFOUND', 'an old number')
            return
        if self._fault('unstated_%d' % order.action):
            self.stated = 0
        if self._is_old_root(request, serial(parts)):
            return
        self._learn_root(parts)
        if not self._is_good(request, order):
            return
        named = order.release_id if order.is_made() else order.variant_hash
        if self._is_old_root(request, self.admitted_under.get(named, self.root_serial)):
            return
        if self._fault('drop_run'):
            raise ConnectionError('the request is lost')
        if self._fault('switch_unseen'):
            self._event(step={'txn': order.txn, 'epoch': order.epoch, 'step': 'switch', 'ns': 1})
            self._refuse(request, 'ERROR_UNAVAILABLE', 'E_AGAIN', 'it never saw it', retry_ms=20)
            return
        if order.action == CONFIRM and (order.epoch, order.argument) not in self.unconfirmed.values():
            self._refuse(request, 'ERROR_NOT_FOUND', 'E_NOTFOUND', 'no such thing')
            return
        self.newest = number
        self.orders.append(order)
        if order.action == UPDATE and self._fault('hold_prepare'):
            self.preparing = order
            self._reply(request, accepted={'txn': order.txn, 'epoch': order.epoch})
            self._event(step={'txn': order.txn, 'epoch': order.epoch, 'step': 'prepare', 'ns': 1})
            return
        result = self._run(order)
        self.results[number] = result
        for old in sorted(self.results)[:-RESULTS_KEPT]:
            del self.results[old]
        if order.action == UPDATE and self._fault('forget'):
            del self.results[number]
        if order.action == UPDATE and self._fault('die_in_run'):
            raise ConnectionError('cut before the answer')
        self._reply(request, accepted={'txn': order.txn, 'epoch': order.epoch})
        if order.action == UPDATE and self._fault('reboot'):
            self.reboot()
            self.services[order.service]['generation'] = 1
            raise ConnectionError('rebooted')
        for step in ('verify',) if result['outcome'] == 'OUTCOME_REFUSED' else ('verify', 'transfer'):
            self._event(step={'txn': order.txn, 'epoch': order.epoch, 'step': step, 'ns': 1})
        if order.action == UPDATE and (self._fault('hold_result') or self._fault('hold_result_%s' % order.service)):
            self.withheld.append(result)
        else:
            self._event(result=result)

    def _finish(self, result):
        self.results[result['epoch'], result['txn']] = result
        self._event(result=result)

    def _is_good(self, request, order):
        """What RS would refuse at once."""
        needs = 2 if order.action in (RESTART, SHUTDOWN) or any(order.consent or b'') else 1
        for good, name in ((order.boot_id == self.boot_id, 'E_V_BOOT'),
                           (self.stated == self.root_serial, 'E_V_STATEMENT'),
                           (order.expires > time.time() + self.time_ahead, 'E_V_EXPIRED'),
                           (order.n_signatures >= needs, 'E_V_CONTROL'),
                           (order.action != RESTART or not self._fault('kernel_loaded'), 'E_PERM')):
            if not good:
                self._refuse(request, 'ERROR_REFUSED', name, 'refused by the peer')
                return False
        return True

    def n_updates(self, service):
        """How many updates of a service were begun, this one included."""
        return sum(order.action == UPDATE and order.service == service for order in self.orders)

    def _run(self, order):
        result = {'txn': order.txn, 'epoch': order.epoch, 'service': order.service or '',
                  'action': order.action, 'outcome': 'OUTCOME_COMMITTED'}
        if order.action == CONFIRM:
            if self._fault('refuse_confirm'):
                return {**result, 'outcome': 'OUTCOME_REFUSED', 'cause': {
                    'component': 'rs', 'step': 'verify', 'name': 'E_INVAL', 'message': 'no'}}
            return result
        if order.action in (RESTART, SHUTDOWN):
            if self._fault('overlap_of_none'):
                return {**result, 'outcome': 'OUTCOME_REFUSED', 'cause': {
                    'component': 'rs', 'step': 'verify', 'name': 'E_V_OVERLAP', 'message': 'no'}}
            return result
        self.runs.append(order.txn)
        service = self.services[order.service]
        result['generation'] = service['generation']
        variant = self.admitted.get(order.variant_hash)
        kit = self.kits.get(order.release_id)
        if (order.epoch, order.generation) <= (service.get('generation_epoch', 0), service['generation']):
            cause = ('OUTCOME_REFUSED', 'E_V_REPLAY', 'not newer than the last one accepted')
        elif order.is_made() and not (kit and all(self._is_there(kit, digest) for digest in kit.files)):
            cause = ('OUTCOME_REFUSED', 'E_NOTFOUND', 'its kit is not staged')
        elif not order.is_made() and (variant is None or not all(
                self._is_there(variant.kit, digest) for digest in variant.files()
                if self.keeps_kits or digest != variant.kit.flat)):
            cause = ('OUTCOME_REFUSED', 'E_NOTFOUND', 'not staged')
        elif not order.is_made() and self.keeps_kits and not variant.is_proved():
            cause = ('OUTCOME_REFUSED', 'E_V_LAYOUT', 'not what kit and seed give')
        elif not order.is_made() and not self.keeps_kits and variant.n_signatures < 2:
            cause = ('OUTCOME_REFUSED', 'E_V_THRESHOLD', 'one variant key has signed')
        elif self._fault('overlap'):
            cause = ('OUTCOME_REFUSED', 'E_V_OVERLAP', 'draw again')
        elif self._fault('refuse'):
            cause = ('OUTCOME_REFUSED', 'E_V_EXPIRED', 'expired')
        elif self._fault('roll_back') or self._fault('roll_back_%s_%d' % (order.service, self.n_updates(order.service))):
            cause = ('OUTCOME_ROLLED_BACK', 'E_TIMEOUT', 'a time limit passed')
        elif order.action == PREPARE:
            return {**result, 'outcome': 'OUTCOME_PREPARED', 'prepare_only': True}
        elif order.is_made():
            self.unconfirmed[order.service] = order.epoch, order.txn
            kept = {'layout_pieces': 9, 'layout_kept_base': 1} \
                if service.get('machine_made') and service['release_id'] == order.release_id else {}
            service.update(generation=order.generation, generation_epoch=order.epoch, release_id=order.release_id,
                           base_address=0, build_id=b'', machine_made=not self._fault('not_made'), made=0,
                           commitment=os.urandom(64))
            self._seal(service)
            if self._fault('other_release'):
                service['release_id'] = bytes(64)
            return {**result, 'generation': order.generation, 'blackout_ns': 1234567, 'bytes': 4096, 'objects': 7,
                    'commitment': service['commitment'], 'sealed': service['sealed'], **kept}
        else:
            self.unconfirmed[order.service] = order.epoch, order.txn
            payload = self.staged[variant.payload_hash][1]
            base, = struct.unpack_from('<Q', payload, BASE_AT)
            service.update(generation=order.generation, generation_epoch=order.epoch,
                           release_id=variant.release_id, base_address=base, machine_made=False, made=0, commitment=b'',
                           sealed=b'', build_id=bytes(payload[88:120]))
            if self._fault('crash'):
                self._made_afresh(service)
            if self._fault('other_generation'):
                service['generation'] += 1
            if self._fault('other_build'):
                service['build_id'] = bytes(32)
            return {**result, 'generation': order.generation, 'blackout_ns': 1234567,
                    'bytes': 4096, 'objects': 7}
        return {**result, 'outcome': cause[0], 'cause': {
            'component': 'rs', 'name': cause[1], 'message': cause[2],
            'step': self.rollback_step if cause[0] == 'OUTCOME_ROLLED_BACK' else 'verify'}}
