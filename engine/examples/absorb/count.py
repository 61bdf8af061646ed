#!/usr/bin/env python3
"""First and repeated requests of an access log: count.py FILE [WINDOW_SECONDS]

Cross-checks `absorb --exact`; same definitions, no shared code. Two lines are the same request
if client, method and target agree. A request is a first one unless a first one of the same
identity came less than the window before it; repeated ones extend nothing. Lines in order of
time, those of one second in order of the file.
"""
import re
import sys
from datetime import datetime

LINE = re.compile(
    rb'([^ ]+) [^ ]+ [^ ]+ '
    rb'\[(\d\d/[A-Z][a-z]{2}/(?:19[7-9]\d|[2-9]\d{3}):\d\d:\d\d:\d\d [+-]\d{4})\] '
    rb'"((?:[^"\\]|\\.)*)" \d{3} (?:\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"\r?', re.DOTALL)
REQUEST = re.compile(rb'([A-Z]+) ([^ ]+) HTTP/[^ ]+', re.DOTALL)


def parse(line):
    fields = LINE.fullmatch(line)
    request = fields and REQUEST.fullmatch(fields[3])
    try:
        time = fields and datetime.strptime(fields[2].decode(), '%d/%b/%Y:%H:%M:%S %z')
    except ValueError:  # the right shape, but no such date
        return None
    return request and (int(time.timestamp()), (fields[1], request[1], request[2]))


def main(path, window='60'):
    with open(path, 'rb') as log:
        lines = log.read().split(b'\n')
    if not lines[-1]:  # what follows the last newline
        lines.pop()
    requests = [request for request in map(parse, lines) if request]
    first, end = 0, {}
    for time, identity in sorted(requests, key=lambda request: request[0]):
        if time >= end.get(identity, time):
            first, end[identity] = first + 1, time + int(window)
    print(f'lines={len(lines)} malformed={len(lines) - len(requests)} '
          f'first={first} repeated={len(requests) - first}')


main(*sys.argv[1:])
