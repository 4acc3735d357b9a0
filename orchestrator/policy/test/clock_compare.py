#!/usr/bin/env python3
"""Does orchestrator/policy do what it says where a clock is set?

usage: clock_compare.py LIST [--seed S] [--count N]

Draws zones of this host, moments at which their clocks are set, and times of the clock around them, and compares the
instant at which a start at that time opens (the program calendar_list) with what Python's zoneinfo says: the first
showing, or the moment at which the time is skipped. And a start at the same time on every day opens once a day. The
seed is printed.
"""
import argparse
import datetime
import os
import random
import subprocess
import sys
import zoneinfo

DAY = 86400
EPOCH = datetime.datetime(1970, 1, 1)


def offset(zone, unix):
    return int(datetime.datetime.fromtimestamp(unix, zone).utcoffset().total_seconds())


def change(zone, low, high):
    """The second at which the offset is no longer that of `low`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
    return high


def draw_change(r, zone):
    """A moment at which the clock is set, of a year that is drawn; None: it is not set in that year."""
    start = r.randint(0, 66 * 365) * DAY
    days = [d for d in range(365) if offset(zone, start + d * DAY) != offset(zone, start + (d + 1) * DAY)]
    return change(zone, start + (d := r.choice(days)) * DAY, start + (d + 1) * DAY) if days else None


def wall_text(wall):
    return (EPOCH + datetime.timedelta(seconds=wall)).strftime('%Y-%m-%d %H:%M:%S')


def opens(zone, wall, moment):
    """When a start at this time of the clock opens; moment: when the clock is set, no other such moment being near."""
    before, after = offset(zone, moment - 1), offset(zone, moment)
    if wall - before < moment:
        return wall - before
    return max(wall - after, moment)


def draw(r, n):
    names = sorted(z for z in zoneinfo.available_timezones() if '/' in z and not z.startswith(('posix', 'right', 'Etc')))
    asked = []
    while len(asked) < n:
        name = r.choice(names)
        zone = zoneinfo.ZoneInfo(name)
        moment = draw_change(r, zone)
        if moment is None or moment < 40 * DAY:
            continue
        base = moment + offset(zone, moment - 1)
        for _ in range(4):
            wall = base + r.randint(-2 * 3600, 3 * 3600)
            once = opens(zone, wall, moment)
            asked.append((0, f'{wall_text(wall)} {name}', [once]))
            next_day, two_days = (opens(zone, wall + k * DAY, moment) for k in (1, 2))
            daily = f'{wall_text(wall)[11:]} {name}'
            if all(offset(zone, moment + k) == offset(zone, moment) for k in range(0, 4 * DAY, 6 * 3600)):
                asked.append((once, daily, [next_day, two_days]))
                asked.append((once - 1, daily, [once, next_day]))
    return asked


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('list')
    p.add_argument('--seed', type=int, default=os.environ.get('SAMSARA_SEED', '1'))
    p.add_argument('--count', type=int, default=3000)
    args = p.parse_args()
    print(f'seed {args.seed}', flush=True)
    asked = draw(random.Random(args.seed), args.count)
    text = ''.join(f'{after} {len(expected)} {expr}\n' for after, expr, expected in asked)
    out = subprocess.run([args.list], input=text, capture_output=True, text=True, check=True).stdout.split('\n')[:-1]
    wrong = [(q, line) for q, line in zip(asked, out) if line.split() != [str(t) for t in q[2]]]
    for (after, expr, expected), line in wrong[:20]:
        print(f'{expr!r} after {after}: expected {expected}, got {line}')
    print(f'{len(asked)} questions, {len(wrong)} wrong')
    return 1 if wrong or len(out) != len(asked) else 0


if __name__ == '__main__':
    sys.exit(main())
