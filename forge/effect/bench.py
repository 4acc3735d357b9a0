#!/usr/bin/env python3
"""What layouts protect, over all kits that are named, as figures: one JSON object a line. Of each figure the kit that is
worst, named in the note.

usage: forge/effect/bench.py LUFORGE KIT..."""
import json
import os
import subprocess
import sys

PAIRS = ((1, 2), (3, 4), (5, 6))  # seeds of the layouts that are compared


def rows(luforge, *args):
    done = subprocess.run([luforge, *args, '--json'], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def figures(luforge, kit):
    """Of one kit: measured entropy, sizes, gadgets; these as the mean of some pairs of layouts."""
    name = os.path.basename(kit.rstrip('/'))[:-4]
    for row in rows(luforge, 'entropy', kit)['rows']:
        if row['note'] != 'theory':
            piece = f", {row['piece']}" if 'piece' in row else ''
            yield {**{k: row[k] for k in ('name', 'value', 'unit', 'better')}, 'note': f"{name}{piece}: {row['note']}"}
    pairs = [rows(luforge, 'compare', '--kit', kit, '--seeds', f'{a:064x}', f'{b:064x}')['rows'] for a, b in PAIRS]
    for same in zip(*pairs):
        if same[0]['name'].startswith('gadgets.known'):
            yield {**{k: same[0][k] for k in ('name', 'unit', 'better')},
                   'value': sum(row['value'] for row in same) / len(same), 'note': f"{name}: {same[0]['note']}"}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    worst = {}
    for kit in sys.argv[2:]:
        for new in figures(sys.argv[1], kit):
            sign = 1 if new['better'] == 'lower' else -1
            old = worst.setdefault(new['name'], new)
            if sign * new['value'] > sign * old['value']:
                worst[new['name']] = new
    for row in worst.values():
        print(json.dumps({**row, 'value': round(row['value'], 3)}))


main()
