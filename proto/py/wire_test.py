"""wire.py against the golden files, and against what it must refuse."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire  # noqa: E402

GOLDEN = {
    'hello': 'wire.Hello', 'welcome': 'wire.Hello', 'bye': 'wire.Bye',
    'machine_request': 'machine.Request', 'machine_reply': 'machine.Reply',
    'machine_event': 'machine.Event', 'machine_answer': 'machine.FromMachine',
    'control_request': 'control.Request', 'control_reply': 'control.Reply',
    'control_answer': 'control.FromLud',
}


def check_golden(schema, name, message):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'v2', name + '.bin')
    with open(path, 'rb') as f:
        content = f.read()
    for piece in (1, 7, len(content)):
        decoder, again, frames = wire.Decoder(), b'', []
        for at in range(0, len(content), piece):
            frames += decoder.feed(content[at:at + piece])
        for frame in frames:
            values = schema.decode(message, frame.payload)
            assert values, name
            again += wire.seal(frame.kind, frame.nonce, frame.sequence,
                               schema.encode(message, values))
        assert again == content and decoder.skipped == 0, name


def check_damage():
    good = wire.seal(wire.DATA, 5, 1, b'payload') + wire.seal(wire.DATA, 5, 2, b'next')
    first = len(good) - wire.HEADER - 4
    for at in range(first):
        bad = bytearray(good)
        bad[at] ^= 4
        decoder = wire.Decoder()
        frames = decoder.feed(bytes(bad))
        assert [f.payload for f in frames] == [b'next'] and decoder.skipped == first


assert wire.crc32c(b'123456789') == 0xe3069283
SCHEMA = wire.Schema()
for NAME, MESSAGE in GOLDEN.items():
    check_golden(SCHEMA, NAME, MESSAGE)
check_damage()
