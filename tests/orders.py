"""Orders for a machine, made by tests without lud: laid out as in proto/envelope/manifest.h, signed by
envelope_craft with the keys of keyring/test/offers.c."""
import hashlib
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../proto/py'))
import formats  # noqa: E402

UPDATE, PREPARE, CONFIRM, RESTART, SHUTDOWN, DROP = range(1, 7)
# proto/envelope/manifest.h.
ORDER = '<8sII16sQQQQQQIIIIII'
COMPONENT = '<24s24s64s64s64sQII'
# proto/envelope/standing.h.
STANDING = '<8sII16sQQQQQIIII64x'
STANDING_SERVICE = '<24s64sI4x'
LIFE_SEC = 600


def parts(envelope):
    """(stored part, manifest) of each part of an envelope."""
    found, at = [], 24
    while at < len(envelope):
        length, signatures = struct.unpack_from('<II', envelope, at + 12)
        end = at + 24 + length + 80 * signatures
        found.append((envelope[at:end], envelope[at + 24:at + 24 + length]))
        at = end
    return found


def component(service, variant=None, generation=0, state='', recipe=formats.RECIPE):
    """One component of an order; variant: its envelope."""
    release = commitment = bytes(64)
    if variant is not None:
        kit, manifest = (part[1] for part in parts(variant)[1:])
        release, commitment = hashlib.blake2b(kit).digest(), hashlib.blake2b(manifest).digest()
    return struct.pack(COMPONENT, service.encode(), state.encode(), release, commitment, bytes(64),
                       generation, recipe if variant is not None else 0, 0)


def kit_component(service, kit, generation, recipe=formats.RECIPE):
    """One whose layout the machine makes, of the release with this kit manifest."""
    return struct.pack(COMPONENT, service.encode(), b'', hashlib.blake2b(kit).digest(), bytes(64), bytes(64),
                       generation, recipe, 0)


def kit_envelope(variant):
    """The kit of a variant's envelope, alone."""
    root, kit = (part[0] for part in parts(variant)[:2])
    return struct.pack('<8sIIII', b'SAMENV1', formats.ENVELOPE, 24 + len(root) + len(kit), 5, 0) + root + kit


def manifest(status, txn, action, components=(), argument=0, **fields):
    """An order's manifest for the machine and the boot of this status, good from now on."""
    body = b''.join(components)
    values = {'machine': status['machine_id'], 'boot': status['boot_id'], 'epoch': 1, 'txn': txn,
              'issued': status['time'], 'expires': status['time'] + LIFE_SEC, **fields}
    return struct.pack(
        ORDER, b'SAMORD1', formats.MANIFEST, struct.calcsize(ORDER) + len(body), values['machine'], values['boot'],
        values['epoch'], values['txn'], values['issued'], values['expires'], argument, action, len(components),
        0, 0, 0, 0) + body


def standing(status, number, every_ms, names):
    """A standing order's manifest: services of this status, by name, each with the release that it runs."""
    releases = {s['name']: s['release_id'] for s in status['services']}
    body = b''.join(struct.pack(STANDING_SERVICE, n.encode(), releases[n], formats.RECIPE) for n in sorted(names))
    return struct.pack(
        STANDING, b'SAMSTO1', formats.MANIFEST, struct.calcsize(STANDING) + len(body), status['machine_id'],
        status['boot_id'], 1, number, status['time'], status['time'] + LIFE_SEC, every_ms, 0, len(names), 0) + body


def sign(build, directory, root, order, *, control=False, changes=()):
    """The envelope of an order or a standing one, under the stored part of a root, signed with the order key of
    directory/keys, and with the control key if asked."""
    part_kind, kind = (6, 6) if order.startswith(b'SAMSTO1') else (3, 2)
    part = struct.pack('<8sIIII', b'SAMPART', part_kind, len(order), 1, 0) + order + bytes(80)
    envelope = struct.pack('<8sIIII', b'SAMENV1', formats.ENVELOPE, 24 + len(root) + len(part), kind, 0) + root + part
    raw, out, keys = (os.path.join(directory, name) for name in ('order.raw', 'order', 'keys'))
    with open(raw, 'wb') as f:
        f.write(envelope)
    subprocess.run([os.path.join(build, 'keyring', 'envelope_craft'), raw, out, 'sign=' + keys,
                    *(['also=%s:control' % keys] if control else []), *changes], check=True)
    with open(out, 'rb') as f:
        return f.read()
