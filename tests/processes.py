# SPDX-License-Identifier: Apache-2.0
"""What /proc says of other processes: who is below whom, how they are called, what they do and have used."""
import os


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def name_of(pid):
    """As the kernel cuts it, to 15 bytes; "" when there is no such process."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return ""


def named_below(pid, name):
    return [below for below in descendants(pid) if name_of(below) == name]


def named(name):
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and name_of(pid) == name]


def stat_fields(path):
    """Of a process's or a thread's stat, from its state on: the name before that may hold anything."""
    with open(os.path.join(path, "stat"), encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def state(pid):
    """One letter (proc_pid_stat(5)); "" when there is no such process."""
    try:
        return stat_fields(f"/proc/{pid}")[0]
    except OSError:
        return ""


def is_stopped(pid):
    """Each of its threads: kill(2) does not wait for that."""
    tasks = f"/proc/{pid}/task"
    return all(stat_fields(os.path.join(tasks, tid))[0] == "T" for tid in os.listdir(tasks))


def parent(pid):
    return int(stat_fields(f"/proc/{pid}")[1])


def ticks(pid):
    """Processor time that it has used, in ticks of os.sysconf("SC_CLK_TCK"): hundredths of a second."""
    return sum(map(int, stat_fields(f"/proc/{pid}")[11:13]))


def first_free(pid):
    """The lowest number under which it has no descriptor open."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(n for n in range(len(taken) + 1) if n not in taken)
