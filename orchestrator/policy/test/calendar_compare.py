#!/usr/bin/env python3
"""Does orchestrator/policy read calendar expressions as systemd does?

usage: calendar_compare.py LIST [--fresh N] [--seed S] [--write]

LIST is the program calendar_list. Without options its answers are compared with those that systemd gave to thousands of
expressions when calendar_answers.txt was written. --fresh draws N expressions and asks the systemd-analyze of this host
(where there is none, nothing is compared); --write makes the file anew. The seed is printed.

Where a zone sets its clock within a day and a half, answers may differ by design (orchestrator/policy/calendar.h);
such instants are left out, and counted. calendar_test.c knows what is right there. systemd 252 leaves an instant out
when an hour's repetition runs over the end of a year ("0/9:00" after 23:00); it counts as right when systemd itself,
asked from a second before, names that instant. It leaves out midnight for good when a minute's repetition runs over the
end of a day ("*:00/13"), and a first of January: that it names all of ours but some is allowed once in 500, and printed.

Two more faults of systemd 252 are known, and nothing beside them passes for one. systemd.time(7) says of seconds that "the
value itself and the value plus all multiples of the repetition value are matched", and nothing of the minute before:
  - "*:*:00,10,22.457/11" leaves out second 0 behind 55.457. The next repetition would be 66.457, beyond the minute; the next
    minute is begun with what is left of that behind the point, 0.457, instead of with 0 (is_carried). With whole
    seconds nothing is left, and where the minute before does not match nothing was repeated.
  - One that never elapses in a zone is refused when that is noticed ("Resource deadlock avoided") instead of being "never".
"""
import argparse
import datetime
import os
import random
import re
import shutil
import subprocess
import sys
import zoneinfo

HERE = os.path.dirname(os.path.abspath(__file__))
ANSWERS = os.path.join(HERE, 'calendar_answers.txt')
N_WRITTEN = 3000
COUNT = 3
BATCH = 100
DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun', 'monday', 'FRIDAY', 'Wednesday']
WORDS = ['minutely', 'hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'semiannually', 'Yearly', 'annually']
ZONES = ['UTC', 'utc', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'America/St_Johns',
         'Pacific/Apia', 'Asia/Tokyo', 'Africa/Casablanca', 'EST5EDT', 'Moon/Base']
NOISE = '*-~:/.,0123456789 MonUTC'


def number(r, low, high):
    return r.choice([low, high, r.randint(low, high), r.randint(low, high), r.randint(low, high + 2)])


def part(r, low, high, fraction):
    def one():
        text = f'{number(r, low, high):{r.choice(["", "02"])}}'
        return text + f'.{r.randint(0, 999):03}' if fraction and r.random() < 0.2 else text
    text = one()
    if r.random() < 0.3:
        text += '..' + one()
    if r.random() < 0.25:
        text += '/' + str(r.randint(0 if r.random() < 0.1 else 1, max(2, (high - low) // 2)))
    return text


def field(r, low, high, star, fraction=False):
    if r.random() < star:
        return '*'
    return ','.join(part(r, low, high, fraction) for _ in range(r.choice([1, 1, 1, 2, 3])))


def expression(r):
    if r.random() < 0.03:
        return r.choice(WORDS) + r.choice(['', ' ' + r.choice(ZONES)])
    pieces = []
    if r.random() < 0.35:
        pieces.append(','.join(r.choice(DAYS) + (r.choice(['..', '-']) + r.choice(DAYS) if r.random() < 0.4 else '')
                               for _ in range(r.choice([1, 1, 2]))))
    if r.random() < 0.7:
        tilde = r.random() < 0.2
        # systemd refuses some lists behind `~` (calendar.c).
        days = r.choice([part(r, 1, 28, False), field(r, 1, 17, 0.1)]) if tilde else field(r, 1, 31, 0.4)
        date = field(r, 1, 12, 0.6) + ('~' if tilde else '-') + days
        pieces.append(field(r, *r.choice([(2024, 2033), (24, 33), (2026, 2028)]), 0.7) + '-' + date if r.random() < 0.7 else date)
    if r.random() < 0.8:
        time = field(r, 0, 23, 0.3) + ':' + field(r, 0, 59, 0.3)
        pieces.append(time + ':' + field(r, 0, 59, 0.2, True) if r.random() < 0.5 else time)
    if r.random() < 0.3:
        pieces.append(r.choice(ZONES))
    text = ' '.join(pieces)
    if r.random() < 0.1 and text:
        at = r.randrange(len(text))
        text = text[:at] + r.choice(NOISE) + text[at + r.randint(0, 1):]
    return text


def draw(seed, n):
    """n questions (instant, expression), BATCH of them at each instant."""
    r = random.Random(seed)
    asked = []
    while len(asked) < n:
        base = r.randint(1704067200, 1956528000)
        while True:
            text = expression(r)
            if text and '@' not in text and not text.startswith('-'):
                asked.append((base, text))
                if len(asked) % BATCH == 0 or len(asked) == n:
                    break
    return asked


def instant(line):
    """Seconds of a line like `Next elapse: Mon 2026-03-30 00:30:00 UTC`."""
    words = line.split(':', 1)[1].split()
    when = datetime.datetime.strptime(' '.join(words[1:3]), '%Y-%m-%d %H:%M:%S')
    return int(when.replace(tzinfo=datetime.timezone.utc).timestamp())


def ask_systemd(asked):
    """For each question a list of instants; None: it is no expression."""
    answers = []
    for i in range(0, len(asked), BATCH):
        base, texts = asked[i][0], [t for _, t in asked[i:i + BATCH]]
        done = subprocess.run(['systemd-analyze', 'calendar', f'--base-time=@{base}', f'--iterations={COUNT}', *texts],
                              env=dict(os.environ, TZ='UTC', LC_ALL='C'), capture_output=True, text=True)
        # An empty line stands between the answers to two expressions; that to an invalid one is empty.
        block, n = [], len(answers)
        for line in done.stdout.split('\n')[:-1] + ['']:
            if line:
                block.append(line)
                continue
            valid = any('Normalized form' in b for b in block)
            answers.append([instant(b) for b in block if ('Next elapse:' in b or 'Iter. #' in b) and 'never' not in b]
                           if valid else None)
            block = []
        assert len(answers) - n == len(texts), (len(answers) - n, len(texts), done.stdout[-400:])
    return answers


def ask_ours(program, asked):
    text = ''.join(f'{base} {COUNT} {expr}\n' for base, expr in asked)
    out = subprocess.run([program], input=text, capture_output=True, text=True, check=True).stdout.split('\n')[:-1]
    assert len(out) == len(asked), (len(out), len(asked))
    return [None if line == 'invalid' else [int(w) for w in line.split()] for line in out]


def is_near_change(expr, moments):
    """Does the zone of an expression set its clock near one of these instants?"""
    name = expr.split(' ')[-1]
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    at = [datetime.datetime.fromtimestamp(m + d, zone).utcoffset() for m in moments for d in (-130000, 0, 130000)]
    return any(len(set(at[i:i + 3])) > 1 for i in range(0, len(at), 3))


def left_out(a, b):
    """The instants of ours that systemd has left out; None: it has named another one, or all. Two may be in one second."""
    at, missing = 0, []
    for x in b or []:
        if at < len(a or []) and a[at] == x:
            at += 1
        else:
            missing.append(x)
    return missing if a and missing and all(x >= b[-1] for x in a[at:]) else None


def overrun(seconds):
    """Of the field of seconds, in microseconds: the first value, and the first beyond the minute that a repetition gives."""
    first, beyond = [], []
    for piece in seconds.split(','):
        start, _, every = piece.partition('/')
        start, _, stop = ('0', '', '') if start == '*' else start.partition('..')
        start, every = (round(float(text or '0') * 1000000) for text in (start, every))
        first.append(start)
        if every and not stop:
            beyond.append(start + -(-(60000000 - start) // every) * every)
    return min(first), min(beyond, default=0)


def is_carried(program, expr, x):
    """Is x before the fraction of a second with which systemd begins a minute behind one that a repetition has left?"""
    field = re.search(r'(?:^| )[^ :]+:[^ :]+:([^ ]+)', expr)
    if not field or x % 60:
        return False
    first, beyond = overrun(field.group(1))
    return first < beyond % 1000000 and any(x - 60 <= y < x for y in ask_ours(program, [(x - 61, expr)])[0])


def is_skipped(program, expr, a, b):
    """Has systemd left out instants that it names itself when it is asked from just before them, or by the fault above?"""
    missing = left_out(a, b)
    return bool(missing and shutil.which('systemd-analyze')) and all(
        is_carried(program, expr, x) or ask_systemd([(x - 1, expr)])[0][:1] == [x] for x in missing)


def is_given_up(base, expr, a, b):
    """Has systemd read an expression, and given up before it found when it elapses so many times? That is no answer, and none is wrong."""
    if a is not None or b is None or not shutil.which('systemd-analyze'):
        return False
    done = subprocess.run(['systemd-analyze', 'calendar', f'--base-time=@{base}', f'--iterations={COUNT}', expr],
                          env=dict(os.environ, TZ='UTC', LC_ALL='C'), capture_output=True, text=True)
    return 'Failed to determine next elapse' in done.stderr and 'deadlock' in done.stderr


def compare(program, asked, theirs, ours):
    """(number of wrong answers, of those that differ where a clock is set, questions where systemd left out some, number
    of those where nothing but its other answers says so)"""
    wrong, near, skipped, doubtful = 0, 0, [], 0
    for (base, expr), a, b in zip(asked, theirs, ours):
        if a == b:
            continue
        if a is not None and b is not None and is_near_change(expr, [base, *a, *b]):
            near += 1
            continue
        if is_skipped(program, expr, a, b) or is_given_up(base, expr, a, b):
            skipped.append((base, expr))
            continue
        fewer = left_out(a, b) is not None
        wrong, doubtful = wrong + (not fewer), doubtful + fewer
        if wrong + doubtful <= 20:
            print(f'{expr!r} after {base}: systemd {a}, ours {b}')
    return wrong, near, skipped, doubtful


def read_answers():
    with open(ANSWERS, encoding='utf-8') as f:
        for line in f:
            if line.startswith('#') or not line.strip():
                continue
            base, times, expr = line.rstrip('\n').split('\t')
            yield (int(base), expr), None if times == 'invalid' else [int(base) + int(t) for t in times.split()]


def write_answers(asked, theirs, seed):
    with open(ANSWERS, 'w', encoding='utf-8') as f:
        version = subprocess.run(['systemd-analyze', '--version'], capture_output=True, text=True).stdout.split('\n')[0]
        f.write(f'# calendar_compare.py --write --seed {seed}: what {version} says.\n'
                '# after (UNIX)\tthe next three, in seconds after it\texpression\n')
        for (base, expr), a in zip(asked, theirs):
            f.write(f'{base}\t{"invalid" if a is None else " ".join(str(t - base) for t in a)}\t{expr}\n')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('list')
    p.add_argument('--fresh', type=int, default=0, metavar='N')
    p.add_argument('--seed', type=int, default=os.environ.get('SAMSARA_SEED', '1'))
    p.add_argument('--write', action='store_true')
    args = p.parse_args()
    fresh = args.fresh or args.write
    if fresh:
        print(f'seed {args.seed}', flush=True)
        if not shutil.which('systemd-analyze'):
            print('nothing compared: there is no systemd-analyze on this host')
            return 0
        asked = draw(args.seed, args.fresh or N_WRITTEN)
        theirs = ask_systemd(asked)
    else:
        asked, theirs = zip(*read_answers())
    wrong, near, skipped, doubtful = compare(args.list, asked, theirs, ask_ours(args.list, asked))
    if args.write:
        write_answers(*zip(*[(q, a) for q, a in zip(asked, theirs) if q not in skipped]), args.seed)
    valid = sum(a is not None for a in theirs)
    print(f'{len(asked)} expressions, {valid} valid: {wrong} wrong, {near} differ where a clock is set, '
          f'systemd left an instant out in {len(skipped)}, and it seems in {doubtful}')
    # Too few valid ones would prove nothing, as would differences that are all explained away.
    few = len(asked) < 100 or valid < len(asked) // 4
    unsure = len(skipped) + doubtful if not fresh else doubtful > len(asked) // 500
    return 1 if wrong or few or unsure or near + len(skipped) > len(asked) // 50 else 0


if __name__ == '__main__':
    sys.exit(main())
