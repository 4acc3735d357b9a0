#!/usr/bin/env python3
"""Stands in for luforge where the kits hold no program: `pair` says of two kits what the
harness writes in the place of @PAIRING@ (luforge(1), a direction's members); `image` writes
a file that boots nothing. Variants are made and kits are judged by the real one, whose path
it writes in the place of @LUFORGE@."""

import hashlib
import json
import os
import sys

def side(kit):
    with open(os.path.join(kit, 'manifest'), 'rb') as f:
        return {'release_id': hashlib.blake2b(f.read()).hexdigest()}


def pair(old, new):
    """The answer of `pair --json`, and its exit code."""
    forward = {'old': side(old), 'new': side(new), 'possible': True, 'loss': [], 'at_risk': [],
               'dropped': [], 'moved': [], 'initial': []}
    said = json.loads('''@PAIRING@''')
    forward.update({key: value for key, value in said.items() if key != 'back'})
    back = {**forward, 'old': side(new), 'new': side(old), **said.pop('back', {})}
    json.dump({'format': 1, 'forward': forward, 'back': back}, sys.stdout)
    sys.exit(said.get('exit', 4 if forward['loss'] else 0 if forward['possible'] else 5))


def main():
    command, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
    luforge = '@LUFORGE@'
    if command == 'pair':
        pair(*[word for word in sys.argv[2:] if word != '--json'])
    if command == 'image':
        if '--randomize-kernel' in sys.argv:
            with open(sys.argv[sys.argv.index('--randomize-kernel') + 1], 'rb') as f:
                if not f.read().startswith(b'\x7fELF'):
                    sys.exit('luforge: %s: not an ELF file' % f.name)
        for out in {'--out', '--kernel-out'} & set(sys.argv):
            with open(sys.argv[sys.argv.index(out) + 1], 'wb') as f:
                f.write(b'no image')
        return
    if command not in ('import', 'variant', 'entropy', 'compare') or options.get('--seed', '-') != '-':
        sys.exit('fake luforge: %s is not known here' % command)
    os.execv(luforge, ['luforge', *sys.argv[1:]])


main()
