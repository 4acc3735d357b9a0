"""Figures against a baseline that was measured earlier. Figures that count instructions repeat from run to run, so a
rise of 2 % is a change of the code and fails; times and sizes depend on the host and are shown only, but for those with
a limit of their own, which is what was promised of them and no baseline moves."""
import json

TOLERANCE = 0.02
# No more than this on any host that runs the benchmarks, whatever the baseline says.
LIMITS = {
    'edit_to_running.s': 2,
    'lud.rss_kib_per_machine': 24,
    'lud.idle.cpu_percent': 2,
    'lud.query.ms': 10,
    'luctl.status.ms': 20,
}


def is_counted(name):
    """Instructions, or something for each of them."""
    return 'insn' in name


def load(path):
    """Value by name; empty where there is no baseline."""
    try:
        with open(path) as f:
            return {name: row['value'] for name, row in json.load(f)['figures'].items()}
    except FileNotFoundError:
        return {}


def save(path, rows, commit):
    figures = {r['name']: {'value': r['value'], 'unit': r['unit'], 'better': r['better']} for r in rows}
    with open(path, 'w') as f:
        json.dump({'commit': commit, 'figures': figures}, f, indent=1)
        f.write('\n')


def change(row, baseline):
    """Relative change of a figure; None where the baseline does not know it."""
    before = baseline.get(row['name'])
    return row['value'] / before - 1 if before else None


def change_text(row, baseline):
    part = change(row, baseline)
    return '-' if part is None else '%+.1f %%' % (100 * part)


def is_worse(row, baseline):
    part = change(row, baseline)
    if part is None or not is_counted(row['name']):
        return False
    # Halving what should be high is as bad as doubling what should be low.
    return part > TOLERANCE if row['better'] == 'lower' else 1 / (1 + part) - 1 > TOLERANCE


def findings(rows, baseline, complete):
    """What is wrong, a line each. `complete`: every benchmark ran, so every figure that is judged must be there."""
    found = ['%s is worse than the baseline by more than %d %%: %g, was %g' % (
        r['name'], 100 * TOLERANCE, r['value'], baseline[r['name']]) for r in rows if is_worse(r, baseline)]
    found += ['%s is over its limit: %g, may be %g' % (r['name'], r['value'], LIMITS[r['name']])
              for r in rows if r['value'] > LIMITS.get(r['name'], r['value'])]
    there = {r['name'] for r in rows}
    if complete:
        found += ['%s stands in the baseline and was not measured' % name
                  for name in baseline if is_counted(name) and name not in there]
        found += ['%s has a limit and was not measured' % name for name in LIMITS if name not in there]
    return found
