"""A machine's end of the protocol without a machine: it stages, 'runs' updates and keeps
results as RS does, and misbehaves on request. Only for tests of lud's channel and jobs;
what the machine really does is tested on the machine.

    with peer.Peer(path) as machine:
        machine.faults['cut_after'] = 5     # close the connection after 5 more frames
"""

import hashlib
import os
import random
import select
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../proto/wire'))
import wire  # noqa: E402

RESULTS_KEPT = 64


def envelope_parts(data):
    """Manifests of root, kit and variant in an envelope."""
    at, parts = 16, []
    while at < len(data):
        _, _, length, n_signatures, _ = struct.unpack_from('<8sIIII', data, at)
        parts.append(data[at + 24:at + 24 + length])
        at += 24 + length + 80 * n_signatures
    return parts


class Variant:
    def __init__(self, manifest):
        self.release_id = manifest[56:120]
        self.generation, self.base = struct.unpack_from('<QQ', manifest, 120)
        self.payload_hash = manifest[152:216]


class Peer:
    def __init__(self, path):
        self.path, self.schema = path, wire.Schema()
        self.machine_id, self.boot_id = os.urandom(16), random.getrandbits(60) | 1
        self.versions = (1, 1)
        self.services = {}       # name -> dict as machine.Service
        self.staged = {}         # hash -> (length, bytearray)
        self.results = {}        # txn -> result
        self.runs = []           # txns that were really run, in order
        self.events, self.seq = [], 0
        self.faults = {}
        self.newest_txn = self.pings = 0
        self.lock = threading.RLock()
        self.rollback_step = 'transfer'
        self.withheld = []       # results that `hold_result` keeps back
        self.awake = threading.Event()  # cleared: neither reads nor answers
        self.awake.set()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(4)
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def add_service(self, name, release_id, can_update=True):
        self.services[name] = {
            'name': name, 'state': 'SERVICE_RUNNING', 'generation': 1, 'release_id': release_id,
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
            self.staged, self.results, self.events = {}, {}, []
            self.seq = self.newest_txn = 0

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
        if low > 1:
            self.connection.sendall(wire.seal(wire.BYE, frame.nonce, 0, self.schema.encode(
                'wire.Bye', {'reason': 'BYE_VERSION', 'min_version': low, 'max_version': high})))
            return
        self.connection.sendall(wire.seal(wire.WELCOME, frame.nonce, 0, self.schema.encode(
            'wire.Hello', {'min_version': low, 'max_version': high, 'features': 3,
                           'software': 'peer.py', 'machine_id': self.machine_id,
                           'boot_id': self.boot_id, 'version': 1})))

    def _send(self, message):
        if self._fault('garbage'):
            self.connection.sendall(os.urandom(200))
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
        for name in ('status', 'stage_begin', 'stage_chunk', 'stage_drop', 'update_run',
                     'result_query', 'event_subscribe', 'event_ack', 'log_subscribe', 'ping'):
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
        self._reply(request, status={
            'machine_id': self.machine_id, 'boot_id': self.boot_id, 'clock_ns': 5,
            'services': list(self.services.values())})

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
        self._send({'log': {'lines': [{'clock_ns': 1, 'service': 'rs', 'level': 6,
                                       'text': 'hello from the peer'}]}})

    def _progress(self, request, digest):
        length, content = self.staged[digest]
        good = hashlib.blake2b(content).digest() == digest
        self._reply(request, stage={'offset': len(content),
                                    'complete': len(content) == length and good})

    def _on_stage_begin(self, request, body):
        if self._fault('full'):
            self._refuse(request, 'ERROR_FULL', 'E_STORE_FULL', 'the store is full')
            return
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

    def _on_result_query(self, request, body):
        result = self.results.get(body['txn'])
        if any(r['txn'] == body['txn'] for r in self.withheld):
            self._reply(request, result={'state': 'TXN_RUNNING', 'boot_id': self.boot_id})
            return
        self._reply(request, result={
            'state': 'TXN_DONE' if result else 'TXN_UNKNOWN', 'boot_id': self.boot_id,
            **({'result': result} if result else {})})

    def _on_update_run(self, request, body):
        txn = body['txn']
        if txn in self.results:
            self._reply(request, result={'state': 'TXN_DONE', 'result': self.results[txn]})
            return
        if txn <= self.newest_txn:
            self._refuse(request, 'ERROR_NOT_FOUND', 'E_NOTFOUND', 'an old id')
            return
        if self._fault('drop_run'):
            raise ConnectionError('the request is lost')
        self.newest_txn = txn
        result = self._run(txn, body)
        self.results[txn] = result
        for old in sorted(self.results)[:-RESULTS_KEPT]:
            del self.results[old]
        if self._fault('forget'):
            del self.results[txn]
        if self._fault('die_in_run'):
            raise ConnectionError('cut before the answer')
        self._reply(request, accepted={'txn': txn})
        if self._fault('reboot'):
            self.reboot()
            self.services[body['service']]['generation'] = 1
            raise ConnectionError('rebooted')
        self._event(step={'txn': txn, 'step': 'transfer', 'ns': 1})
        if self._fault('hold_result'):
            self.withheld.append(result)
        else:
            self._finish(result)

    def _finish(self, result):
        self.results[result['txn']] = result
        self._event(result=result)

    def _run(self, txn, body):
        self.runs.append(txn)
        service = self.services[body['service']]
        variant = Variant(envelope_parts(body['envelope'])[2])
        result = {'txn': txn, 'service': body['service'], 'generation': service['generation']}
        wanted = {bytes(body['payload_hash']), bytes(body['description_hash'])}
        if not wanted <= set(self.staged):
            cause = ('OUTCOME_REFUSED', 'E_NOTFOUND', 'not staged')
        elif self._fault('overlap'):
            cause = ('OUTCOME_REFUSED', 'E_V_OVERLAP', 'draw again')
        elif self._fault('refuse'):
            cause = ('OUTCOME_REFUSED', 'E_V_EXPIRED', 'expired')
        elif self._fault('roll_back'):
            cause = ('OUTCOME_ROLLED_BACK', 'E_TIMEOUT', 'a time limit passed')
        elif body.get('prepare_only'):
            return {**result, 'outcome': 'OUTCOME_PREPARED', 'prepare_only': True}
        else:
            payload = self.staged[bytes(body['payload_hash'])][1]
            service.update(generation=variant.generation, release_id=variant.release_id,
                           base_address=variant.base, build_id=bytes(payload[88:120]))
            return {**result, 'outcome': 'OUTCOME_COMMITTED', 'generation': variant.generation,
                    'blackout_ns': 1234567, 'bytes': 4096, 'objects': 7}
        return {**result, 'outcome': cause[0], 'cause': {
            'component': 'rs', 'name': cause[1], 'message': cause[2],
            'step': self.rollback_step if cause[0] == 'OUTCOME_ROLLED_BACK' else 'verify'}}
