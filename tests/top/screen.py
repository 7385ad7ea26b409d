# SPDX-License-Identifier: Apache-2.0
"""gae-top in a terminal: what it draws, what its keys do, and that it leaves the terminal as it was."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from batch import HOSTILE, SOCKETS, rows
from instances import GAE_TOP, open_socket, picture
from processes import state
from world import expect, until

TOKEN = re.compile(rb"\x1b\[([?0-9;]*)([A-Za-z])|\r+\n|[^\x00-\x1f\x7f]+")
HALF = re.compile(rb"(\r+|\x1b(\[[?0-9;]*)?)?$")
MANY = [open_socket(i + 1, sent=i * 1000, pid=1000 + i, address="2001:db8:1234:5678:9abc:def0:1234:5678",
                    process="fifteen-letters", transport=("tcp", "udp")[i % 2], idle_ms=i * 10**5,
                    host=("", "a-very-long-name." * 9 + "example.com")[i % 3 == 0]) for i in range(60)]


class Terminal:
    """A terminal with gae-top in it; knows no sequence but those that gae-top is to use."""

    def __init__(self, stage, *options, size=(80, 24), **variables):
        self.size = size
        self.modes = {"?1049": False, "?25": True, "?7": True}
        self.seen_alternate = False
        self.styles = set()
        self.lines, self.row, self.written = [], 0, b""
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([GAE_TOP, "-d", "0.2", *options], env=stage.environment(**variables),
                                        stdin=self.slave, stdout=self.slave, stderr=subprocess.STDOUT,
                                        start_new_session=True, preexec_fn=self.take_over)
        stage.closing.append(self)

    def take_over(self):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, width, height):
        self.size = (width, height)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds=0.05):
        """Takes in what was written.  False when nothing came."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.written += os.read(self.master, 65536)
        return True

    def take(self):
        """Shows all whole sequences that came."""
        cut = HALF.search(self.written).start()
        data, self.written = self.written[:cut], self.written[cut:]
        at = 0
        while at < len(data):
            token = TOKEN.match(data, at)
            expect(token, f"no such sequence: {data[at:at + 20]!r}")
            at = token.end()
            self.show(token)

    def show(self, token):
        parameter, final = token[1], token[2]
        if token[0].endswith(b"\n"):
            self.row += 1
        elif final is None:
            while len(self.lines) <= self.row:
                self.lines.append(b"")
            self.lines[self.row] += token[0]
        elif final == b"H":
            self.row = 0
        elif final == b"K":
            self.lines[self.row:self.row + 1] = [b""]
        elif final == b"J":
            del self.lines[self.row if parameter == b"" else 0:]
        elif final == b"m":
            self.styles.add(parameter)
        else:
            expect(final in b"hl" and parameter.decode() in self.modes, f"mode {token[0]!r}")
            self.modes[parameter.decode()] = final == b"h"
            self.seen_alternate |= self.modes["?1049"]

    def text(self):
        return [line.decode(errors="replace") for line in self.lines]

    def until(self, condition, why, seconds=10):
        """Reads until a picture is as wanted, and gives it."""
        def check():
            self.read()
            self.take()
            return condition(self.text())
        until(check, seconds, f"{why}: {self.text()}")
        return self.text()

    def fits(self):
        width, height = self.size
        expect(len(self.lines) <= height, f"{len(self.lines)} lines")
        for line in self.text():
            expect(len(line) <= width, f"{len(line)} columns: {line}")

    def press(self, keys):
        os.write(self.master, keys.encode())

    def ends(self, status):
        until(lambda: self.process.poll() is not None, 10, "it ends")
        while self.read():
            pass
        self.take()
        expect(self.process.returncode == status, f"status {self.process.returncode}")

    def is_as_before(self):
        expect(self.seen_alternate, "the alternate screen was used")
        expect(self.modes == {"?1049": False, "?25": True, "?7": True}, f"left: {self.modes}")
        expect(termios.tcgetattr(self.slave) == self.before, "the settings of the line")


def shown(word):
    return lambda lines: len(lines) > 1 and any(word in line for line in lines) and lines[-1].startswith("q quit")


def everything_fits(stage):
    stage.play(picture("an-app-with-a-long-name", MANY))
    stage.play(picture(sockets=MANY), name="5000.status")
    for size in ((80, 24), (132, 50), (60, 10), (80, 5), (20, 3), (80, 1), (1, 1)):
        terminal = Terminal(stage, size=size)
        lines = terminal.until(lambda lines: "gae-top"[:terminal.size[0]] in "".join(lines), f"{size}")
        lines = terminal.until(lambda lines: len(lines) == terminal.size[1], f"{size}")
        terminal.fits()
        if size == (80, 24):
            expect(all(len(line) == 80 for line in lines[1:2]), "the whole width is used")
            expect("[2001:db8:1234~1234:5678]:443" in "\n".join(lines), f"cut from the middle: {lines}")
        terminal.press("q")
        terminal.ends(0)


def the_mark_is_of_the_locale(stage):
    stage.play(picture(sockets=MANY))
    terminal = Terminal(stage, LC_ALL="C.UTF-8")
    terminal.until(shown("…"), "an ellipsis where it can be shown")
    terminal.fits()
    row = next(line for line in terminal.text() if "…" in line and " tcp " in line)
    expect(len(row) == 80, f"aligned all the same: {row}")


def q_leaves_it_as_it_was(stage):
    stage.play(picture())
    terminal = Terminal(stage)
    terminal.until(shown("shop"), "a picture")
    expect(terminal.modes == {"?1049": True, "?25": False, "?7": False}, "on the alternate screen")
    terminal.press("q")
    terminal.ends(0)
    terminal.is_as_before()


def signals_leave_it_as_it_was(stage):
    stage.play(picture())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        terminal = Terminal(stage)
        terminal.until(shown("shop"), "a picture")
        terminal.process.send_signal(number)
        terminal.ends(-number)
        terminal.is_as_before()


def control_c_ends_it(stage):
    terminal = Terminal(stage)
    terminal.until(shown("no instance"), "a picture")
    terminal.press("\x03")
    terminal.ends(-signal.SIGINT)
    terminal.is_as_before()


def a_stop_gives_the_terminal_back(stage):
    stage.play(picture())
    terminal = Terminal(stage)
    terminal.until(shown("shop"), "a picture")
    terminal.process.send_signal(signal.SIGTSTP)
    until(lambda: state(terminal.process.pid) == "T", 10, "it stops")
    while terminal.read():
        pass
    terminal.take()
    terminal.is_as_before()
    terminal.lines = []
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until(shown("shop"), "it goes on")
    expect(terminal.modes["?1049"], "on the alternate screen again")
    terminal.press("q")
    terminal.ends(0)
    terminal.is_as_before()


def another_size_is_another_picture(stage):
    stage.play(picture(sockets=MANY))
    terminal = Terminal(stage, "-d", "60")
    terminal.until(shown("~"), "a picture")
    terminal.resize(200, 40)
    terminal.until(lambda lines: len(lines) == 40 and "fifteen-letters" in "\n".join(lines), "a larger one")
    terminal.fits()


def keys_sort(stage):
    stage.play(picture(sockets=SOCKETS))
    terminal = Terminal(stage, "-d", "60")
    terminal.until(shown("[rate]"), "a picture")
    for key, name, order in (("s", "sent", [30, 10, 20]), ("v", "received", [10, 20, 30]), ("i", "idle", [20, 10, 30]),
                             ("p", "pid", [10, 20, 30]), ("d", "destination", [10, 30, 20])):
        terminal.press(key)
        lines = terminal.until(shown(f"[{name}]"), key)
        expect(rows(lines) == order, f"{key}: {lines}")
    terminal.press("r")
    lines = terminal.until(shown("[reverse]"), "r")
    expect(rows(lines) == [20, 30, 10], lines)
    for key, name in ((">", "rate"), ("<", "destination"), ("<", "pid"), ("a", "rate")):
        terminal.press(key)
        terminal.until(shown(f"[{name}]"), key)
    terminal.press("zZ\x7f0")
    terminal.press("r")
    terminal.until(lambda lines: shown("[rate]")(lines) and "[reverse]" not in lines[-1], "others do nothing")


def it_refreshes(stage):
    now = 1_800_000_000_000
    stage.play(*[picture(sockets=[open_socket(1, sent=100_000 + i * 5000)], now_ms=now + i * 1000) for i in range(1000)])
    terminal = Terminal(stage)
    terminal.until(shown(" 5.0k "), "a rate, from the second picture on")


def space_does_not_wait(stage):
    instance = stage.play(picture("first"), picture("second"))
    terminal = Terminal(stage, "-d", "60")
    terminal.until(shown("first"), "a picture")
    terminal.press(" ")
    terminal.until(shown("second"), "the next")
    expect(instance.asked == 2, f"asked {instance.asked} times")


def instances_come_and_go(stage):
    terminal = Terminal(stage)
    terminal.until(shown("no instance of gae-run"), "none yet")
    instance = stage.play(picture())
    terminal.until(shown(" shop "), "one")
    instance.close()
    stage.closing.remove(instance)
    terminal.until(shown("no instance of gae-run"), "it is gone")
    expect(not os.listdir(stage.directory), "and its socket is removed")


def hostile_names_do_nothing(stage):
    stage.play(picture(HOSTILE, [open_socket(1, host=HOSTILE, process=HOSTILE[:9])]))
    for locale in ("C", "C.UTF-8"):
        terminal = Terminal(stage, LC_ALL=locale)
        terminal.until(shown("\\033]0;x"), "escaped")
        terminal.fits()
        terminal.press("q")
        terminal.ends(0)


def style_can_be_turned_off(stage):
    stage.play(picture())
    for options, variables, styled in (([], {}, True), ([], {"NO_COLOR": "1"}, False), (["--color=never"], {}, False),
                                       (["--color=always"], {"NO_COLOR": "1"}, True)):
        terminal = Terminal(stage, *options, **variables)
        terminal.until(shown("shop"), "a picture")
        expect((b"7" in terminal.styles) == styled, f"{options} {variables}: {terminal.styles}")
        terminal.press("q")
        terminal.ends(0)


def a_count_ends_it(stage):
    stage.play(picture())
    terminal = Terminal(stage, "-n", "2")
    terminal.ends(0)
    terminal.is_as_before()


def a_dumb_terminal_gets_text(stage):
    stage.play(picture())
    terminal = Terminal(stage, TERM="dumb")
    terminal.ends(0)
    expect(not terminal.seen_alternate and "shop" in "\n".join(terminal.text()), terminal.text())
    terminal.fits()


def a_bad_directory_is_said_outside(stage):
    os.symlink("/tmp", stage.directory)
    terminal = Terminal(stage)
    begun = time.monotonic()
    terminal.ends(125)
    expect(time.monotonic() - begun < 5 and "is a symbolic link" in "\n".join(terminal.text()), terminal.text())
    expect(not terminal.modes["?1049"], "the message is on the screen that stays")


def tests():
    return [(f"screen/{f.__name__}", f) for f in (
        everything_fits, the_mark_is_of_the_locale, q_leaves_it_as_it_was, signals_leave_it_as_it_was,
        control_c_ends_it, a_stop_gives_the_terminal_back, another_size_is_another_picture, keys_sort, it_refreshes,
        space_does_not_wait, instances_come_and_go, hostile_names_do_nothing, style_can_be_turned_off,
        a_count_ends_it, a_dumb_terminal_gets_text, a_bad_directory_is_said_outside)]
