#!/usr/bin/env python3
"""Stands in for luforge where the machine half is not built: `variant` writes a flat
payload that is well formed and depends on kit and seed, and holds no program; `pair` says
of two kits what the harness writes in the place of @PAIRING@ (luforge(1), a direction's
members); `image` writes a file that boots nothing. Kits are judged by the real one, whose path it writes in the place of @LUFORGE@."""

import hashlib
import json
import os
import struct
import subprocess
import sys

PAGE = 4096


def payload(service, seed):
    base = 1 << 40 | (int.from_bytes(seed[:2], 'little') << 21)
    total = 2 * PAGE

    def build(build_id):
        header = struct.pack('<8sIIQ24sQQIIQQ32sQ', b'SAMIMG1', 1, 128, total, service, base, base,
                             1, 0, 128, 168, build_id, PAGE)
        segment = struct.pack('<QQQQII', base, PAGE, PAGE, PAGE, 1 | 4, 0)
        code = hashlib.shake_256(seed).digest(PAGE)
        return (header + segment).ljust(PAGE, b'\0') + code

    return build(hashlib.blake2b(build(bytes(32))).digest()[:32])


def side(kit):
    with open(os.path.join(kit, 'manifest'), 'rb') as f:
        return {'release_id': hashlib.blake2b(f.read()).hexdigest()}


def pair(old, new):
    """The answer of `pair --json`, and its exit code."""
    forward = {'old': side(old), 'new': side(new), 'possible': True, 'loss': [], 'at_risk': [],
               'dropped': [], 'moved': [], 'initial': []}
    said = json.loads('''@PAIRING@''')
    forward.update(said)
    json.dump({'format': 1, 'forward': forward}, sys.stdout)
    sys.exit(said.get('exit', 4 if forward['loss'] else 0 if forward['possible'] else 5))


def main():
    command, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
    luforge = '@LUFORGE@'
    if command == 'pair':
        pair(*[word for word in sys.argv[2:] if word != '--json'])
    if command == 'import':
        os.execv(luforge, ['luforge', *sys.argv[1:]])
    if command == 'image':
        with open(sys.argv[sys.argv.index('--out') + 1], 'wb') as f:
            f.write(b'no image')
        return
    if command != 'variant' or options.get('--seed') != '-':
        sys.exit('fake luforge: %s is not known here' % command)
    judged = subprocess.run([luforge, 'inspect', '--root', options['--root'], '--release', options['--release'],
                             options['--kit']], stdout=subprocess.DEVNULL, check=False,
                            close_fds=False)
    if judged.returncode:
        sys.exit(judged.returncode)
    seed = bytes.fromhex(sys.stdin.readline())
    with open(os.path.join(options['--kit'], 'manifest'), 'rb') as f:
        service = f.read()[16:40]
    with open(options['--out'], 'wb') as f:
        f.write(payload(service, seed))


main()
