"""Frames, sessions and messages in Python, for tests: an implementation of its own,
written from docs/protocol and the .proto files, that shares no code with the C side.

    with wire.Client.connect(path, wire.MACHINE) as machine:
        print(machine.call(status={}))

Messages are dicts; a field that is absent has its default. Enums are names.
"""

import contextlib
import hashlib
import os
import re
import select
import socket
import struct
import time
import types

HELLO, WELCOME, GREET, BYE, DATA = 1, 2, 3, 4, 5
MAGIC = b'SAM1'
HEADER = 36
PAYLOAD_MAX = 65536 - HEADER
CHUNK_MAX = 32768


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


_CRC = _crc_table()


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def seal(kind, nonce, sequence, payload=b''):
    """The bytes of a frame."""
    head = struct.pack('<4sBBHIQQI', MAGIC, kind, 1, 0, len(payload), nonce, sequence,
                       crc32c(payload))
    return head + struct.pack('<I', crc32c(head)) + payload


class Frame:
    def __init__(self, kind, nonce, sequence, payload):
        self.kind, self.nonce, self.sequence, self.payload = kind, nonce, sequence, payload


class Decoder:
    """Takes bytes, gives frames; counts what was no frame."""

    def __init__(self):
        self.data = bytearray()
        self.skipped = 0

    def feed(self, data):
        self.data += data
        frames = []
        while True:
            size = self._size()
            if size is None:
                return frames
            if size == 0:
                del self.data[0]
                self.skipped += 1
                continue
            kind, nonce, sequence = self._fields()
            frames.append(Frame(kind, nonce, sequence, bytes(self.data[HEADER:size])))
            del self.data[:size]

    def _fields(self):
        _, kind, _, _, _, nonce, sequence, _ = struct.unpack_from('<4sBBHIQQI', self.data)
        return kind, nonce, sequence

    def _size(self):
        """Size of the frame at the front; 0: there is none; None: not all there."""
        if len(self.data) < HEADER:
            return None if MAGIC.startswith(bytes(self.data[:4])) else 0
        magic, kind, version, zero, length, _, _, crc, head_crc = struct.unpack_from(
            '<4sBBHIQQII', self.data)
        if (magic != MAGIC or head_crc != crc32c(self.data[:HEADER - 4]) or version != 1
                or not HELLO <= kind <= DATA or zero != 0 or length > PAYLOAD_MAX):
            return 0
        if len(self.data) < HEADER + length:
            return None
        return HEADER + length if crc32c(self.data[HEADER:HEADER + length]) == crc else 0


class Schema:
    """What the .proto files say, as far as this protocol uses the language."""

    FIELD = re.compile(r'^\s*(repeated\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*;')

    def __init__(self):
        self.messages, self.enums = {}, {}
        proto = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for name in ('frame/hello', 'machine/machine', 'control/control'):
            with open(os.path.join(proto, name + '.proto'), encoding='ascii') as f:
                self._parse(re.sub(r'//.*', '', f.read()))

    def _parse(self, text):
        package = re.search(r'package (\w+);', text).group(1)
        for kind, name, body in re.findall(r'^(message|enum) (\w+) \{(.*?)^\}', text,
                                           re.M | re.S):
            full = package + '.' + name
            if kind == 'enum':
                self.enums[full] = {n: int(v) for n, v in re.findall(r'(\w+) = (\d+);', body)}
                continue
            self.messages[full] = fields = []
            in_oneof = False
            for line in body.splitlines():
                if 'oneof' in line:
                    in_oneof = True
                elif line.strip() == '}':
                    in_oneof = False
                match = self.FIELD.match(line)
                if match:
                    repeated, kind_, field, number = match.groups()
                    fields.append((int(number), field, kind_, bool(repeated), in_oneof))
            fields.sort()

    def _resolve(self, message, kind):
        full = kind if '.' in kind else message.split('.')[0] + '.' + kind
        return full if full in self.messages or full in self.enums else None

    def encode(self, message, values):
        unknown = set(values) - {f[1] for f in self.messages[message]}
        if unknown:
            raise KeyError('%s has no %s' % (message, ', '.join(sorted(unknown))))
        out = b''
        for number, name, kind, repeated, in_oneof in self.messages[message]:
            if name not in values:
                continue
            for value in values[name] if repeated else [values[name]]:
                wire_type, data, zero = self._encode_value(message, kind, value)
                if repeated or in_oneof or not zero:
                    out += varint(number << 3 | wire_type) + data
        return out

    def _encode_value(self, message, kind, value):
        full = self._resolve(message, kind)
        if full in self.messages:
            data = self.encode(full, value)
            return 2, varint(len(data)) + data, False
        if full in self.enums:
            value = self.enums[full][value] if isinstance(value, str) else value
            return 0, varint(value), value == 0
        if kind in ('string', 'bytes'):
            data = value.encode() if kind == 'string' else bytes(value)
            return 2, varint(len(data)) + data, not data
        if kind == 'fixed64':
            return 1, struct.pack('<Q', value), value == 0
        if kind == 'double':
            return 1, struct.pack('<d', value), value == 0
        if kind in ('sint32', 'sint64'):
            return 0, varint(value << 1 if value >= 0 else (-value << 1) - 1), value == 0
        return 0, varint(int(value) & 0xffffffffffffffff), value == 0

    def decode(self, message, data):
        values, at = {}, 0
        by_number = {f[0]: f for f in self.messages[message]}
        while at < len(data):
            key, at = read_varint(data, at)
            if key & 7 == 0:
                raw, at = read_varint(data, at)
            elif key & 7 == 1:
                raw, at = struct.unpack_from('<Q', data, at)[0], at + 8
            elif key & 7 == 2:
                length, at = read_varint(data, at)
                if length > len(data) - at:
                    raise ValueError('cut message')
                raw, at = data[at:at + length], at + length
            else:
                raise ValueError('wire type %d' % (key & 7))
            if key >> 3 in by_number:
                _, name, kind, repeated, _ = by_number[key >> 3]
                value = self._decode_value(message, kind, raw)
                if repeated:
                    values.setdefault(name, []).append(value)
                else:
                    values[name] = value
        return values

    def _decode_value(self, message, kind, raw):
        full = self._resolve(message, kind)
        if full in self.messages:
            return self.decode(full, raw)
        if full in self.enums:
            names = {v: n for n, v in self.enums[full].items()}
            return names.get(raw, raw)
        if kind == 'string':
            return raw.decode()
        if kind == 'double':
            return struct.unpack('<d', struct.pack('<Q', raw))[0]
        if kind == 'bool':
            return bool(raw)
        if kind in ('sint32', 'sint64'):
            return raw >> 1 ^ -(raw & 1)
        if kind in ('int32', 'int64') and raw >> 63:
            return raw - (1 << 64)
        return raw


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError('long number')


# What is asked, what answers, and the version of the protocol.
MACHINE = ('machine.Request', 'machine.FromMachine', 2)
CONTROL = ('control.Request', 'control.FromLud', 2)


class Refused(Exception):
    """The other side answered with an error; .error is the wire.Error."""

    def __init__(self, error):
        cause = error.get('cause', {})
        super().__init__('%s: %s %s: %s' % (error.get('class'), cause.get('step', ''),
                                            cause.get('name', ''), cause.get('message', '')))
        self.error = error


class Ended(Exception):
    """The session is over (BYE, GREET or the end of the channel)."""


def readable(sock, seconds):
    """Waits until there is something to read; any number of descriptors."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll(seconds * 1000)


class Client:
    """The initiator of a session. Events, log lines and progress are collected."""

    def __init__(self, sock, kind, versions=None):
        self.sock, self.kind, self.versions = sock, kind, versions or (kind[2], kind[2])
        self.schema = Schema()
        self.decoder = Decoder()
        self.frames = []
        self.peer = {}
        self.events, self.logs, self.progress = [], [], []
        self.nonce = self.sent = self.received = self.last_id = 0
        self.subscribed = False

    @classmethod
    def connect(cls, path, kind, timeout=60, **options):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        client = cls(sock, kind, **options)
        client.hello(timeout)
        return client

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def _next_frame(self, deadline):
        while not self.frames:
            rest = deadline - time.monotonic()
            if rest <= 0 or not readable(self.sock, rest):
                return None
            data = self.sock.recv(65536)
            if not data:
                raise Ended('channel closed')
            self.frames += self.decoder.feed(data)
        return self.frames.pop(0)

    def hello(self, timeout=60):
        """Begin a new session, whatever was before."""
        self.nonce = int.from_bytes(os.urandom(8), 'little') | 1
        self.sent = self.received = 0
        self.subscribed = False
        low, high = self.versions
        hello = self.schema.encode('wire.Hello', {
            'min_version': low, 'max_version': high, 'features': 3, 'software': 'wire.py'})
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.sock.sendall(seal(HELLO, self.nonce, 0, hello))
            again = min(deadline, time.monotonic() + 1)
            frame = self._next_frame(again)
            while frame is not None:
                if frame.nonce == self.nonce and frame.kind == WELCOME:
                    self.peer = self.schema.decode('wire.Hello', frame.payload)
                    return self.peer
                if frame.nonce == self.nonce and frame.kind == BYE:
                    raise Ended(self.schema.decode('wire.Bye', frame.payload))
                frame = self._next_frame(again)
        raise TimeoutError('no welcome')

    def send(self, **body):
        """Send a request; returns its id."""
        self.last_id += 1
        self.subscribed |= 'event_subscribe' in body
        message = {'id': self.last_id, 'identity': 'wire.py', **body}
        self.sent += 1
        self.sock.sendall(seal(DATA, self.nonce, self.sent,
                               self.schema.encode(self.kind[0], message)))
        return self.last_id

    @contextlib.contextmanager
    def at_once(self):
        """What is sent inside goes out together, so that nothing comes between."""
        sock, parts = self.sock, []
        self.sock = types.SimpleNamespace(sendall=parts.append)
        try:
            yield
        finally:
            self.sock = sock
        sock.sendall(b''.join(parts))

    def receive(self, timeout=60):
        """The next message of this session, or None when time is up."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self._next_frame(deadline)
            if frame is None:
                return None
            if frame.kind == GREET and frame.nonce in (0, self.nonce):
                raise Ended('the other side has no session')
            if frame.nonce != self.nonce:
                continue
            if frame.kind == BYE:
                raise Ended(self.schema.decode('wire.Bye', frame.payload))
            if frame.kind == DATA:
                self.received += 1
                assert frame.sequence == self.received, 'frames were lost'
                return self._sort(self.schema.decode(self.kind[1], frame.payload))

    def _sort(self, message):
        for name, where in (('event', self.events), ('log', self.logs),
                            ('progress', self.progress)):
            if name in message:
                where.append(message[name])
        return message

    def wait_reply(self, request_id, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            message = self.receive(deadline - time.monotonic())
            if message is None:
                raise TimeoutError('no reply')
            reply = message.get('reply', {})
            if reply.get('id', 0) != request_id:
                continue
            if 'error' in reply:
                raise Refused(reply['error'])
            return next((v for k, v in reply.items() if k != 'id'), {})

    def call(self, timeout=60, **body):
        """Ask and wait: client.call(status={}) gives the Status. Asks again when the machine says when to."""
        while True:
            try:
                return self.wait_reply(self.send(**body), timeout)
            except Refused as e:
                if not e.error.get('retry_ms'):
                    raise
                time.sleep(e.error['retry_ms'] / 1000)

    def stage(self, content, digest, chunk=CHUNK_MAX):
        """Stage bytes under their BLAKE2b-512, from where a former try ended."""
        progress = self.call(stage_begin={'hash': digest, 'len': len(content)})
        while not progress.get('complete'):
            at = progress.get('offset', 0)
            progress = self.call(stage_chunk={'hash': digest, 'offset': at,
                                              'data': content[at:at + chunk]})
        return progress

    def admit(self, envelope, *contents, seed=b''):
        """Show a variant, with its seed, and stage what it waits for out of the contents; returns its hash."""
        by_digest = {hashlib.blake2b(content).digest(): content for content in contents}
        admitted = self.call(admit={'envelope': envelope, **({'seed': seed} if seed else {})})
        for blob in admitted.get('blobs', []):
            if not blob.get('complete') and blob['hash'] in by_digest:
                self.stage(by_digest[blob['hash']], blob['hash'])
        return admitted['variant_hash']

    def order(self, envelope, timeout=120):
        """Run an order and wait for its Result. Raises Refused when it is not accepted."""
        if not self.subscribed:
            self.call(event_subscribe={})
        accepted = self.call(order_run={'envelope': envelope})
        number = accepted.get('epoch', 0), accepted.get('txn', 0)
        event = self.wait_event(lambda e: 'result' in e and number == (
            e['result'].get('epoch', 0), e['result'].get('txn', 0)), timeout)
        return event['result']

    def wait_event(self, accept, timeout=120):
        """The first event (old or new) that accept(event) is true for."""
        deadline, seen = time.monotonic() + timeout, 0
        while True:
            while seen < len(self.events):
                if accept(self.events[seen]):
                    return self.events[seen]
                seen += 1
            if self.receive(deadline - time.monotonic()) is None:
                raise TimeoutError('no such event')
