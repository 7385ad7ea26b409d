#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""App Engine's sockets demo: an open connection goes into a task, another process reads the articles.

  gae-run --app news python3 news_task.py ask SERVER PORT GROUP >task    connects, and defers the rest
  gae-run --app news python3 news_task.py work <task                     carries the task out

Needs gae_sockets.py in PYTHONPATH, and Python's nntplib (up to 3.12).
"""
import pickle
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
import gae_sockets
import nntplib


def defer(function, *arguments):
    """As google.appengine.ext.deferred does it, with standard output as the queue."""
    sys.stdout.buffer.write(pickle.dumps((function.__name__, arguments)))


def read_articles(news, first, last):
    for number, over in news.over((first, last))[1]:
        _, info = news.article(str(number))
        print(number, over["subject"], len(info.lines))
    news.quit()


def main():
    gae_sockets.install()
    if sys.argv[1:2] == ["ask"]:
        news = nntplib.NNTP(sys.argv[2], int(sys.argv[3]))
        _, _, first, last, _ = news.group(sys.argv[4])
        defer(read_articles, news, max(first, last - 9), last)
    elif sys.argv[1:] == ["work"]:
        name, arguments = pickle.load(sys.stdin.buffer)
        {"read_articles": read_articles}[name](*arguments)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
